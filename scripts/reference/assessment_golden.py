"""Seeded scores with the metrics that scikit-learn, numpy, cleanlab and sed_eval give them, for trainer/assess. sed_eval and
cleanlab are asked as their documentation says. assessment_golden.py FILE.json writes the file; with --check it compares."""
import json
import sys
import warnings

import numpy as np
import sklearn
from cleanlab.count import compute_confident_joint
from sklearn import metrics

warnings.filterwarnings("ignore")
BINS = 15


def scored(name, seed, n, share, noise, levels):
    """p(ad) of n pictures, a share of them advertisements, rounded as an INT8 output is: scores repeat."""
    random = np.random.default_rng(seed)
    is_ad = random.random(n) < share
    z = np.where(is_ad, 1.2, -1.2) + noise * random.normal(size=n)
    return name, np.round(levels / (1 + np.exp(-z))) / levels, is_ad


CASES = [
    scored("balanced", 1, 90, 0.5, 1.0, 256),
    scored("few advertisements", 2, 120, 0.08, 1.5, 256),
    scored("mostly advertisements", 3, 80, 0.9, 2.0, 256),
    scored("many ties", 4, 100, 0.4, 2.5, 8),
    scored("nothing learnt", 5, 100, 0.45, 30.0, 256),
    scored("perfect", 6, 60, 0.5, 0.2, 256),
]


def calibration_error(p, is_ad):
    bins = np.minimum(BINS - 1, np.floor(p * BINS)).astype(int)
    right, confidence = (p >= 0.5) == is_ad, np.maximum(p, 1 - p)
    return sum(abs(right[bins == b].sum() - confidence[bins == b].sum()) for b in range(BINS)) / len(p)


def at_threshold(p, is_ad, threshold):
    called = p >= threshold
    return {
        "threshold": threshold,
        "accuracy": metrics.accuracy_score(is_ad, called),
        "precision": metrics.precision_score(is_ad, called, zero_division=0),
        "recall": metrics.recall_score(is_ad, called),
        "f1": metrics.f1_score(is_ad, called),
        "rocAuc": metrics.roc_auc_score(is_ad, p),
        "prAuc": metrics.average_precision_score(is_ad, p),
        "brier": metrics.brier_score_loss(is_ad, p),
        "ece": calibration_error(p, is_ad),
        "confusion": metrics.confusion_matrix(is_ad, called).tolist(),
    }


def answers(p, is_ad):
    fpr, tpr, _ = metrics.roc_curve(is_ad, p, drop_intermediate=False)
    precision, recall, _ = metrics.precision_recall_curve(is_ad, p)
    both = np.stack([1 - p, p], axis=1)
    return {
        "answers": [at_threshold(p, is_ad, threshold) for threshold in (0.5, 0.35)],
        "roc": list(zip(fpr, tpr)),
        # Without the point that scikit-learn adds, from the surest score on.
        "precisionRecall": list(zip(recall[:-1], precision[:-1]))[::-1],
        "confidentJoint": compute_confident_joint(is_ad.astype(int), both, calibrate=False).tolist(),
    }


def timelines():
    """Breaks and what was detected of them: moved edges, breaks that are missed, split or not there."""
    from sed_eval.sound_event import EventBasedMetrics, SegmentBasedMetrics

    event = lambda start, end: {"event_label": "ad", "event_onset": start, "event_offset": end, "file": "a"}
    for seed in range(6):
        random = np.random.default_rng(100 + seed)
        starts = np.cumsum(random.uniform(20, 60, size=8))
        truth = [[float(s), float(s + random.uniform(5, 15))] for s in np.round(starts * 2) / 2]
        found = [[a + random.normal() * 1.5, b + random.normal() * 1.5] for a, b in truth if random.random() < 0.8]
        found += [[float(s) + 17, float(s) + 19] for s in starts if random.random() < 0.2]
        found = sorted([round(float(a), 2), round(float(b), 2)] for a, b in found if b > a)
        length = float(np.ceil(max(truth[-1][1], max(b for _, b in found))))
        lists = ([event(*one) for one in truth], [event(*one) for one in found])
        events = []
        for collar in (1.0, 2.0, 5.0):
            judge = EventBasedMetrics(event_label_list=["ad"], t_collar=collar, percentage_of_length=0.0)
            judge.evaluate(*lists)
            events.append(judge.results_overall_metrics()["f_measure"]["f_measure"])
        cells = SegmentBasedMetrics(event_label_list=["ad"], time_resolution=1.0)
        cells.evaluate(*lists, evaluated_length_seconds=length)
        f1 = cells.results_overall_metrics()["f_measure"]["f_measure"]
        yield {"truth": truth, "detected": found, "length": length, "eventF1": events, "segmentF1": f1}


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(one) for one in value]
    return float(f"{float(value):.12g}") if isinstance(value, (float, np.floating)) else value


cases = [
    {"name": name, "probability": p.tolist(), "isAd": [int(a) for a in is_ad], **answers(p, is_ad)}
    for name, p, is_ad in CASES
]
quantiles = [{"values": v, "at": [0, 0.025, 0.5, 0.9, 1], "answers": np.quantile(v, [0, 0.025, 0.5, 0.9, 1]).tolist()} for v in ([3.0], [1.0, 2.0], [5.0, 1.0, 4.0, 2.0, 8.0])]
golden = rounded({"cases": cases, "timelines": list(timelines()), "quantiles": quantiles})
lines = lambda entries: ",\n".join(json.dumps(one, separators=(",", ":")) for one in entries)
made = f"scripts/reference/assessment_golden.py, scikit-learn {sklearn.__version__}"
body = ",\n".join(f'"{key}": [\n{lines(entries)}\n]' for key, entries in golden.items())
text = f'{{\n"madeBy": "{made}",\n{body}\n}}\n'
if "--check" in sys.argv:
    same = json.load(open(sys.argv[1])) == json.loads(text)
    print(f"{len(cases)} cases, {len(golden['timelines'])} timelines: {'as in' if same else 'NOT as in'} {sys.argv[1]}")
    sys.exit(0 if same else 1)
open(sys.argv[1], "w").write(text)
