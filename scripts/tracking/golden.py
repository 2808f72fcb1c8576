"""
The bytes that trainer/track/tensorboard.test.ts must write, made by TensorBoard's own messages and records:
PYTHONPATH=.work/tracking python3 scripts/tracking/golden.py >trainer/track/testing/golden.json
"""

import base64
import io
import json

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

AT = 1793534400.0  # 2026-11-01T12:00:00Z
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
PARAMETERS = {"training.epochs": "3", "training.learning_rate": "0.001", "dataset.path": "data/datasets/a|b"}
SCORED = [(0.25, False), (0.5, True), (0.625, False), (1.0, True)]


def scalars(**values):
    return [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]


def value(tag, plugin, tensor, data_class, content=b""):
    metadata = summary_pb2.SummaryMetadata(data_class=data_class)
    metadata.plugin_data.plugin_name = plugin
    metadata.plugin_data.content = content
    return summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def histogram(tag, data):
    tensor = histogram_pb(tag, np.array(data, np.float32)).value[0].tensor
    return value(tag, "histograms", tensor, summary_pb2.DATA_CLASS_TENSOR)


def curve(scored, thresholds=201):
    """By the definition, threshold by threshold."""
    columns = []
    for i in range(thresholds):
        said = [(np.floor(p * (thresholds - 1)) >= i, ad) for p, ad in scored]
        tp, fp = sum(s and ad for s, ad in said), sum(s and not ad for s, ad in said)
        tn, fn = sum(not s and not ad for s, ad in said), sum(not s and ad for s, ad in said)
        columns.append([tp, fp, tn, fn, tp / (tp + fp) if tp + fp else 1, tp / (tp + fn) if tp + fn else 1])
    return np.array(columns, np.float32).T


def file(*summaries):
    stream = io.BytesIO()
    writer = RecordWriter(stream)
    writer.write(event_pb2.Event(wall_time=AT, file_version="brain.Event:2").SerializeToString())
    for step, values in summaries:
        event = event_pb2.Event(wall_time=AT, step=step, summary=summary_pb2.Summary(value=values))
        writer.write(event.SerializeToString())
    return base64.b64encode(stream.getvalue()).decode()


def golden():
    table = [[f"`{key}`", f"`{text}`"] for key, text in PARAMETERS.items()]
    text = value("configuration", "text", make_tensor_proto(table), summary_pb2.DATA_CLASS_TENSOR)
    picture = make_tensor_proto([b"1", b"1", PNG])
    ends = [
        *scalars(**{"test/accuracy": 0.9375, "benchmark/p95_ms": 48.5}),
        histogram("test/probability", [0, 0.25, 0.25, 0.5, 1]),
        histogram("test/one", [0.5, 0.5]),
        histogram("test/none", []),
        value("mistakes/1", "images", picture, summary_pb2.DATA_CLASS_BLOB_SEQUENCE),
        value(
            "test/precision_recall",
            "pr_curves",
            make_tensor_proto(curve(SCORED)),
            summary_pb2.DATA_CLASS_TENSOR,
            PrCurvePluginData(num_thresholds=201).SerializeToString(),
        ),
    ]
    pace = scalars(**{"head/learning_rate": 0.0625, "head/seconds": 1.5})
    return {
        "": file((0, [text]), (2, pace), (0, ends)),
        "train": file((2, scalars(**{"head/loss": 0.5, "head/accuracy": 0.625}))),
        "validation": file((2, scalars(**{"head/loss": 0.625, "head/accuracy": 0.5625}))),
    }


if __name__ == "__main__":
    print(json.dumps(golden(), indent=2))
