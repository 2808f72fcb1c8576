"""
Tells a training to both trackers (tools/verify/tracking-run.ts), and reads it back: TensorBoard's files with its own
event accumulator and through a TensorBoard, MLflow's with its own client from a server with TLS and accounts. A line
for each check that fails; the last line is JSON. The exit code is 1 where one has failed.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import golden
import numpy as np
from servers import mlflow_server, tensorboard_server
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "trainer", "not-a-secret-of-anybody"
EPOCH = {
    "trainLoss": "train_loss",
    "trainAccuracy": "train_accuracy",
    "validationLoss": "validation_loss",
    "validationAccuracy": "validation_accuracy",
    "learningRate": "learning_rate",
    "seconds": "seconds",
}
failed, passed = [], defaultdict(int)


def check(side: str, what: str, found: object, told: object) -> None:
    if found == told:
        passed[side] += 1
        return
    failed.append(f"{side}: {what}")
    print(f"{side}: {what}: {str(found)[:300]} was read, {str(told)[:300]} was told")


def series(epochs: list, stage: str, key: str) -> list:
    """Once each: (epoch, value)."""
    values = {record["epoch"]: record[key] for record in epochs if record["stage"] == stage}
    return sorted(values.items())


def tensor(accumulator: EventAccumulator, tag: str):
    """The last one: a run that goes on tells its configuration again."""
    return make_ndarray(accumulator.Tensors(tag)[-1].tensor_proto)


def check_files(logs: Path, told: dict) -> str:
    """With the reader of event files; gives the name of the run."""
    bytes_of_test = json.loads((ROOT / "trainer/track/testing/golden.json").read_text())
    check("files", "golden", bytes_of_test, golden.golden())
    (folder,) = (path.parent for path in logs.rglob("train"))
    root, train, validation = (
        EventAccumulator(str(folder / part), size_guidance={"scalars": 0, "tensors": 0}).Reload()
        for part in ("", "train", "validation")
    )
    for stage in ("head", "all"):
        places = [(train, "loss", "trainLoss"), (train, "accuracy", "trainAccuracy")]
        places += [(validation, "loss", "validationLoss"), (validation, "accuracy", "validationAccuracy")]
        places += [(root, "learning_rate", "learningRate"), (root, "seconds", "seconds")]
        for accumulator, tag, key in places:
            found = {event.step: event.value for event in accumulator.Scalars(f"{stage}/{tag}")}
            rounded = [(step, float(np.float32(value))) for step, value in series(told["epochs"], stage, key)]
            check("files", f"{stage}/{tag}", sorted(found.items()), rounded)
    end = told["outcome"]
    for tag, value in end["metrics"].items():
        found = [str(event.value) for event in root.Scalars(tag)]
        check("files", tag, found, [str(float(np.float32(float(value.replace("Infinity", "inf")))))])
    table = tensor(root, "configuration")
    rows = [[f"`{key}`".encode(), f"`{text}`".encode()] for key, text in told["header"]["parameters"].items()]
    check("files", "configuration", table.tolist(), rows)
    for one in end["histograms"]:
        finite = [float(value) for value in one["values"] if value != "NaN"]
        rows = make_ndarray(golden.histogram(one["tag"], finite).tensor)
        check("files", one["tag"], tensor(root, one["tag"]).tolist(), rows.tolist())
    for one in end["pictures"]:
        parts = [b"1", b"1", base64.b64decode(one["png"])]
        check("files", one["tag"], tensor(root, one["tag"]).tolist(), parts)
    scored = [(one["probability"], one["isAd"]) for one in end["scored"]]
    check("files", "curve", tensor(root, "test/precision_recall").tolist(), golden.curve(scored).tolist())
    return str(folder.relative_to(logs))


def check_page(address: str, run: str, told: dict) -> None:
    """What a person's browser gets of TensorBoard."""

    def ask(path: str, **query: str):
        url = f"{address}/data/plugin/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read()

    for part, key in (("train", "trainLoss"), ("validation", "validationLoss")):
        rows = json.loads(ask("scalars/scalars", run=f"{run}/{part}", tag="head/loss"))
        check("page", f"{part} loss", sorted({r[1]: r[2] for r in rows}.items()), [
            (step, float(np.float32(value))) for step, value in series(told["epochs"], "head", key)
        ])
    rows = json.loads(ask("histograms/histograms", run=run, tag="test/probability"))
    check("page", "histogram", sum(bucket[2] for bucket in rows[0][2]), 5)
    curves = json.loads(ask("pr_curves/pr_curves", run=run, tag="test/precision_recall"))[run][0]
    scored = [(one["probability"], one["isAd"]) for one in told["outcome"]["scored"]]
    precision, recall = golden.curve(scored)[4:].tolist()
    check("page", "precision", curves["precision"], precision)
    check("page", "recall", curves["recall"], recall)
    pictures = json.loads(ask("images/images", run=run, tag="mistakes/1", sample="0"))
    query = dict(urllib.parse.parse_qsl(pictures[0]["query"]))
    png = base64.b64decode(told["outcome"]["pictures"][0]["png"])
    check("page", "picture", ask("images/individualImage", **query), png)
    text = json.loads(ask("text/text", run=run, tag="configuration"))[0]["text"]
    check("page", "configuration", "training.learning_rate" in text and "data/datasets/a|b" in text, True)


def check_mlflow(folder: Path, told: dict) -> None:
    """With MLflow's own client."""
    from mlflow import MlflowClient

    client = MlflowClient()
    header, end = told["header"], told["outcome"]
    experiment = client.get_experiment_by_name("adbreak verification")
    (run,) = client.search_runs([experiment.experiment_id])
    check("mlflow", "parameters", run.data.params, header["parameters"])
    check("mlflow", "status", run.info.status, "FINISHED")
    check("mlflow", "version", run.data.tags["adbreak.version"], header["version"])
    histories = defaultdict(list)
    for stage in ("head", "all"):
        for key, name in EPOCH.items():
            found = client.get_metric_history(run.info.run_id, f"{stage}/{name}")
            histories[name] = sorted({(metric.step, metric.value) for metric in found})
            check("mlflow", f"{stage}/{name}", histories[name], series(told["epochs"], stage, key))
    numbers = {key: str(float(value.replace("Infinity", "inf"))) for key, value in end["metrics"].items()}
    found = {key: str(value) for key, value in run.data.metrics.items() if key in numbers}
    # Its databases have no infinity: the largest number stands for it.
    numbers["test/beyond"] = str(sys.float_info.max)
    check("mlflow", "metrics", found, numbers)
    for path in [*map(Path, end["files"]), None]:
        name = "pictures/mistakes/1.png" if path is None else path.name
        bytes_told = base64.b64decode(end["pictures"][0]["png"]) if path is None else path.read_bytes()
        kept = Path(client.download_artifacts(run.info.run_id, name, str(folder)))
        check("mlflow", name, kept.read_bytes(), bytes_told)
    registered = client.get_model_version_by_alias(header["name"], "candidate")
    check("mlflow", "alias", registered.run_id, run.info.run_id)
    check("mlflow", "its version", registered.tags, {"version": header["version"]})
    check("mlflow", "versions", len(client.search_model_versions(f"name='{header['name']}'")), 1)


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="adbreak-tracking-") as name:
        folder = Path(name)
        with mlflow_server(folder, USER, PASSWORD) as (address, authority):
            os.environ.update(
                MLFLOW_TRACKING_URI=address,
                MLFLOW_TRACKING_USERNAME=USER,
                MLFLOW_TRACKING_PASSWORD=PASSWORD,
                MLFLOW_TRACKING_SERVER_CERT_PATH=str(authority),
            )
            command = ["node", str(ROOT / "tools/dist/verify/tracking-run.js"), name, address, str(authority)]
            told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            check("trainer", "trouble", told["said"], [])
            check_mlflow(folder, told)
        run = check_files(folder / "logs", told)
        with tensorboard_server(folder / "logs", folder) as address:
            check_page(address, run, told)
    print(
        json.dumps(
            {
                "verify": "tracking",
                "tensorboard": version("tensorboard"),
                "mlflow": version("mlflow"),
                "passed": passed,
                "failed": failed,
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
