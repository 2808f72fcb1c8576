"""Computes the cases of hub/bench/evidence-vectors.ts again with scipy, evidently, nannyml and river, or in numpy written
out where no package has the function; prints the largest difference of each and fails above 1e-9 (relative where values are
large). evidence-vectors writes to stdin."""
import json
import sys
import warnings
from collections import defaultdict

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests.psi import _psi as evidently_psi
from evidently.legacy.core import ColumnType
from nannyml.calibration import _calculate_expected_calibration_error as nannyml_ece
from nannyml.performance_estimation.confidence_based.metrics import estimate_accuracy as nannyml_accuracy
from river.drift import ADWIN, PageHinkley
from scipy import optimize, special, stats
from scipy.spatial.distance import jensenshannon

TAUS = np.array([0, 0.003, 0.006, 0.01, 0.015, 0.02, 0.03, 0.045, 0.07, 0.1])


def shares(x):
    return np.array(x["p"]) / sum(x["p"]), np.array(x["q"]) / sum(x["q"])


def psi(x):
    names = lambda counts: pd.Series([f"bin {i}" for i in samples(counts)])
    return evidently_psi(names(x["p"]), names(x["q"]), ColumnType.Categorical, 0.1)[0]


def samples(counts):
    return np.repeat(np.arange(len(counts)), counts)


def ks_p(x):
    statistic = stats.ks_2samp(samples(x["p"]), samples(x["q"]), method="asymp").statistic
    n, m = sum(x["p"]), sum(x["q"])
    return float(stats.kstwobign.sf(statistic * np.sqrt(n * m / (n + m))))


def chi2(x):
    table = np.array([x["p"], x["q"]])
    return stats.chi2_contingency(table[:, table.sum(0) > 0], correction=False)


def harm_pooled(x, a=10):
    """2^(l+w) 2 B(a+l, a+w) [1 - I_1/2(a+l, a+w)] / B(a, a)"""
    l, w = x["l"], x["w"]
    upper = special.betaincc(a + l, a + w, 0.5)
    return float((l + w + 1) * np.log(2) + special.betaln(a + l, a + w) + np.log(upper) - special.betaln(a, a))


class Fleet:
    """The random-effects likelihood, device by device, with the null's maximum by scipy."""

    def __init__(self, devices):
        self.n = np.array([d["episodes"] for d in devices], float)
        self.difference = np.array([d["wins"] - d["losses"] for d in devices]) / self.n
        self.s2 = max(0.001, sum(d["wins"] + d["losses"] for d in devices) / self.n.sum())

    def log_likelihood(self, delta, tau):
        return stats.norm.logpdf(self.difference, delta, np.sqrt(tau**2 + self.s2 / self.n)).sum()

    def alternative(self, deltas):
        return special.logsumexp([self.log_likelihood(d, t) for d in deltas for t in TAUS]) - np.log(len(deltas) * len(TAUS))

    def largest(self, low, high):
        search = lambda tau: -optimize.minimize_scalar(lambda d: -self.log_likelihood(d, tau), bounds=(low, high), method="bounded", options={"xatol": 1e-12}).fun
        return max(max(search(t), self.log_likelihood(low, t), self.log_likelihood(high, t)) for t in TAUS)


def fleet(x, low, high, alternative):
    model = Fleet(x["devices"])
    return model.alternative(alternative) - model.largest(low, high)


def sequence(x, alpha=0.05):
    model = Fleet(x["devices"])
    deltas = [0] + [sign * d for d in (0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2) for sign in (-1, 1)]
    top = model.alternative(deltas)
    excluded = lambda d: top - max(model.log_likelihood(d, t) for t in TAUS) + np.log(alpha)
    weight = [1 / (t**2 + model.s2 / model.n) for t in TAUS]
    best = max(((w * model.difference).sum() / w.sum() for w in weight), key=lambda d: max(model.log_likelihood(d, t) for t in TAUS))
    edge = lambda outside: outside if excluded(outside) < 0 else optimize.brentq(excluded, best, outside, xtol=1e-14)
    return [edge(-1), edge(1)]


def betting(x, up, down, zero, limit):
    bets = (np.arange(64) + 0.5) / 64 * limit
    logs = x["wins"] * np.log1p(bets * up) + x["losses"] * np.log1p(bets * down) + x["agreed"] * np.log1p(bets * zero)
    return special.logsumexp(logs) - np.log(64)


def closed(x):
    from itertools import combinations

    e = np.exp(x["logs"])
    others = range(1, len(e))
    return np.log(min(np.mean([e[0], *e[list(chosen)]]) for k in range(len(e)) for chosen in combinations(others, k)))


def calibration_error(x):
    order = np.argsort(x["scores"])
    bins = np.minimum(9, np.floor((np.array(x["scores"])[order] - 0.5) * 20)).astype(int)
    edges = [(int(np.searchsorted(bins, b)), int(np.searchsorted(bins, b, side="right"))) for b in np.unique(bins)]
    return nannyml_ece(np.array(x["right"], float), x["scores"], edges)


def confidence_based_accuracy(x):
    p = np.repeat((np.arange(len(x["histogram"])) + 0.5) / len(x["histogram"]), x["histogram"])
    return nannyml_accuracy((p >= 0.5).astype(int), p)


def atc(x):
    """The paper's find_ATC_threshold walks to the last of the wrong ones; the formula P(s < t) = error takes the one after it."""
    scores, right = np.array(x["scores"]), np.array(x["right"])
    order = np.argsort(scores)
    false_positive, false_negative, best, threshold = (~right).sum(), 0, abs((~right).sum()), -np.inf
    for i in order:
        false_positive, false_negative = (false_positive - 1, false_negative) if not right[i] else (false_positive, false_negative + 1)
        if abs(false_positive - false_negative) < best:
            best, threshold = abs(false_positive - false_negative), scores[i]
    after = scores[scores > threshold].min()
    return [after, np.mean(np.array(x["target"]) >= after)]


def shifted_prior(x):
    joint = np.array(x["confusion"], float).T / np.sum(x["confusion"])
    weights = np.linalg.solve(joint, np.array(x["votes"]) / sum(x["votes"]))
    return [float(np.clip(weights[1] * joint[:, 1].sum(), 0, 1)), *weights]


def disagreement_evidence(x):
    results = []
    for ratio in (1.5, 2, 3):
        raised, value = min(0.99, x["baseline"] * ratio), 0.0
        for window in x["windows"]:
            n, m = window["episodes"], window["disagreements"]
            period = n // m if m else n
            for k in range(1, n + 1):
                yes = m > 0 and k % period == 0 and k // period <= m
                value = (value + 1) * (raised / x["baseline"] if yes else (1 - raised) / (1 - x["baseline"]))
        results.append(value)
    return np.mean(results)


def world_scores(window, reference):
    middles = (np.arange(len(window)) + 0.5) / len(window)
    of = lambda counts: np.average(np.maximum(middles, 1 - middles), weights=counts)
    rate = lambda counts: np.sum(np.array(counts)[middles >= 0.5]) / np.sum(counts)
    deviation = np.sqrt(np.average((middles - np.average(middles, weights=reference)) ** 2, weights=reference))
    distance = stats.wasserstein_distance(middles, middles, window, reference) / max(0.001, deviation)
    return [distance, of(reference) - of(window), rate(window) - rate(reference), rate(reference) - rate(window)]


def series(x):
    weeks = np.array(x["weeks"])
    return np.array([[world_scores(week[h], weeks[:, h].sum(0) - week[h]) for h in range(168)] for week in weeks])


def world_lag(x):
    scores = series(x)
    centred = scores - scores.reshape(-1, 4).mean(0)
    variance = (centred**2).reshape(-1, 4).mean(0)
    related = lambda lag: np.mean((centred[:, :-lag] * centred[:, lag:]).reshape(-1, 4).mean(0) / variance)
    return next((lag for lag in range(1, 24) if related(lag) < 0.1), 24)


def conformal_p(x):
    scores, k = np.array(x["sorted"]), x["together"]
    return ((scores > x["score"]).sum() + x["u"] * ((scores == x["score"]).sum() + k)) / (len(scores) + k)


def world_evidence_log(x):
    total = 0.0
    for turn in range(x["lag"]):
        for kind in range(4):
            for e in (0.1, 0.3, 0.5, 0.7, 0.9):
                value = 0.0
                for row in x["rows"][turn :: x["lag"]]:
                    value = (value + 1) * e * max(1e-12, row[kind]) ** (e - 1)
                total += value / 20
    return np.log(total)


def adwin(x):
    detector, cuts = ADWIN(), []
    helper = detector._helper  # ours goes on after a change; river's wrapper would begin afresh
    for i, value in enumerate(x["stream"]):
        if helper.update(value):
            cuts.append(i)
    return [*cuts, helper.get_width(), helper.get_total() / helper.get_width()]


def page_hinkley(x):
    detector, found = PageHinkley(threshold=20), []
    for i, value in enumerate(x["stream"]):
        detector.update(value)
        if detector.drift_detected:
            found.append(i)
    return found


def share(x, side, level=0.95):
    right, n = (np.array([c[key] for c in x["counts"]], float) for key in ("right", "episodes"))
    p, j = right.sum() / n.sum(), len(n)
    error = np.sqrt(j / (j - 1) * ((right - p * n) ** 2).sum()) / n.sum()
    return float(special.expit(special.logit(p) + side * stats.t.ppf((1 + level) / 2, j - 1) * error / (p * (1 - p))))


REFERENCES = {
    "psi": psi,
    "jensen_shannon_e": lambda x: jensenshannon(*shares(x)),
    "jensen_shannon_2": lambda x: jensenshannon(*shares(x), base=2),
    "wasserstein": lambda x: stats.wasserstein_distance(np.arange(len(x["p"])) * x["width"], np.arange(len(x["q"])) * x["width"], x["p"], x["q"]),
    "ks_statistic": lambda x: stats.ks_2samp(samples(x["p"]), samples(x["q"]), method="asymp").statistic,
    "ks_p": ks_p,
    "chi2_statistic": lambda x: chi2(x).statistic,
    "chi2_p": lambda x: chi2(x).pvalue,
    "harm_pooled_log": harm_pooled,
    "harm_fleet_log": lambda x: fleet(x, 0, 2, [-d for d in (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2)]),
    "promotion_fleet_log": lambda x: fleet(x, -2, -x["margin"], [-0.015, -0.01, -0.005, 0, 0.005, 0.01, 0.02, 0.03, 0.05]),
    "non_inferiority_log": lambda x: betting(x, 1 + x["margin"], x["margin"] - 1, x["margin"], 1 / (1 - x["margin"])),
    "sampled_log": lambda x: betting(x, 1 / x["rate"] + x["margin"], x["margin"] - 1 / x["rate"], x["margin"], 1 / (1 / x["rate"] - x["margin"])),
    "sequence": sequence,
    "closed_log": closed,
    "calibration_error": calibration_error,
    "confidence_based_accuracy": confidence_based_accuracy,
    "atc": atc,
    "shifted_prior": shifted_prior,
    "disagreement_evidence": disagreement_evidence,
    "world_scores": lambda x: world_scores(x["window"], x["reference"]),
    "conformal_p": conformal_p,
    "world_lag": world_lag,
    "world_calibration": lambda x: np.sort(series(x).reshape(-1, 4), axis=0).T.ravel(),
    "world_evidence_log": world_evidence_log,
    "adwin": adwin,
    "page_hinkley": page_hinkley,
    "share_low": lambda x: share(x, -1),
    "share_high": lambda x: share(x, 1),
    "student_quantile": lambda x: stats.t.ppf(x["level"], x["degrees"]),
}
worst, cases = defaultdict(float), defaultdict(int)
for line in sys.stdin:
    case = json.loads(line)
    expected = np.atleast_1d(np.asarray(REFERENCES[case["name"]](case["input"]), float))
    given = np.atleast_1d(np.asarray(case["value"], float))
    differences = np.abs(given - expected) / np.maximum(1, np.abs(expected)) if given.shape == expected.shape else np.array([np.inf])
    worst[case["name"]] = max(worst[case["name"]], *differences, 0.0)
    cases[case["name"]] += 1
print(f"{'function':<26}{'cases':>7}{'largest difference':>22}")
for name in REFERENCES:
    print(f"{name:<26}{cases[name]:>7}{worst[name]:>22.2e}")
failed = [name for name in REFERENCES if cases[name] == 0 or worst[name] > 1e-9]
print(json.dumps({"verify": "evidence", "functions": len(REFERENCES), "largest": max(worst.values()), "failed": failed}))
sys.exit(1 if failed else 0)
