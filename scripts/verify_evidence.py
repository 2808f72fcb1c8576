"""Computes the cases of tools/verify/evidence-vectors.ts again with scipy, evidently, nannyml and river, or in numpy written
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
    """The random-effects likelihood, cluster by cluster, with the null's maximum by scipy."""

    def __init__(self, n, difference, s2):
        self.n, self.difference, self.s2 = n, difference, max(0.001, s2)

    @classmethod
    def of_devices(cls, devices):
        n, wins, losses = (np.array([d[key] for d in devices], float) for key in ("episodes", "wins", "losses"))
        return cls(n, (wins - losses) / n, (wins + losses).sum() / n.sum())

    @classmethod
    def of_clusters(cls, groups, clip):
        times = [g["clusters"] for g in groups]
        n, mean, square, share, step = (np.repeat([g[key] for g in groups], times) for key in ("episodes", "mean", "square", "share", "step"))
        mean, square, share, step, n = (value[n > 0] for value in (mean, square, share, step, n))
        s2 = max(0.001, np.average(square, weights=n) + 3 * (np.average(step**2, weights=n) - 1) / n.sum())
        limit = 2 * np.median(share) + 2 * np.sqrt(s2 / n) if clip else np.inf
        return cls(n, np.clip(mean, -limit, limit), s2)

    def log_likelihood(self, delta, tau):
        return stats.norm.logpdf(self.difference, delta, np.sqrt(tau**2 + self.s2 / self.n)).sum()

    def alternative(self, deltas):
        return special.logsumexp([self.log_likelihood(d, t) for d in deltas for t in TAUS]) - np.log(len(deltas) * len(TAUS))

    def largest(self, low, high):
        search = lambda tau: -optimize.minimize_scalar(lambda d: -self.log_likelihood(d, tau), bounds=(low, high), method="bounded", options={"xatol": 1e-12}).fun
        return max(max(search(t), self.log_likelihood(low, t), self.log_likelihood(high, t)) for t in TAUS)


HARMS = np.array([0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2])
PROMOTIONS = [-0.015, -0.01, -0.005, 0, 0.005, 0.01, 0.02, 0.03, 0.05]


def evidence(model, alternative, low=None, high=None):
    """Against Delta in [low, high]; an open side reaches beyond every cluster's own difference."""
    reach = 1 + np.abs(model.difference).max()
    return model.alternative(alternative) - model.largest(-reach if low is None else low, reach if high is None else high)


def sequence(model, alpha=0.05):
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


def moves(tally, wrong, side):
    """What an episode at one rate may add to the estimate of d, and how often it did: [(count, step)]."""
    weight, step = (1 + wrong) / (1 - wrong), 1 / tally["rate"]
    values = {"harm": (weight, -1, 1), "promotion": (1, -weight, -1)}[side]
    return [(tally["zeros"], 0.0)] + [(tally[key], value * step) for key, value in zip(("wins", "losses", "open"), values)]


def drawn(tallies, wrong, side, shift):
    """Wealth of 64 gamblers who stake a share kappa of what the worst possible move of each episode's rate would cost."""
    sign = -1 if side == "harm" else 1
    wealth = np.zeros(64)
    for tally in tallies:
        payoffs = [(count, sign * value + (-shift if side == "harm" else shift)) for count, value in moves(tally, wrong, side)]
        worst = min(payoff for _, payoff in payoffs)
        stakes = np.arange(0.5, 64) / 64 / -worst
        wealth += sum(count * np.log1p(stakes * payoff) for count, payoff in payoffs)
    return special.logsumexp(wealth, b=1 / 64)


def cluster_of(x):
    counts, values = np.array([move for tally in x["tallies"] for move in moves(tally, x["wrong"], x["side"])]).T
    rates = np.repeat([tally["rate"] for tally in x["tallies"]], 4)
    disagreed = (values != 0) / rates
    if counts.sum() == 0:
        return [0, 0, 0, 0, 1]
    mean = lambda of: np.average(of, weights=counts)
    return [mean(values), mean(values**2), counts.sum(), mean(disagreed), np.sqrt(mean(rates**-2.0))]


def wrong_answers(x, level=0.95):
    controls = [c for c in x["controls"] if c["answered"]]
    wrong, n = (sum(c[key] for c in controls) for key in ("wrong", "answered"))
    if n == 0:
        return [0, 0, 1, x["assumed"]]
    exact = stats.binomtest(wrong, n).proportion_ci(level, "exact")
    low, high, labellers = exact.low, exact.high, len(controls)
    if labellers > 1:
        if 0 < wrong < n:
            counts = {"counts": [{"right": c["wrong"], "episodes": c["answered"]} for c in controls]}
            low, high = min(low, share(counts, -1)), max(high, share(counts, 1))
        else:  # no labeller differs: the rule of three over labellers
            reach = 1 - (1 - level) ** (1 / labellers)
            low, high = min(low, 0 if wrong == 0 else 1 - reach), max(high, reach if wrong == 0 else 1)
    return [wrong / n, low, high, min(0.45, high) if n >= 10 and low > x["assumed"] else x["assumed"]]


def outliers(x):
    def means(side):
        rows = [cluster_of({"tallies": unit, "wrong": x["wrong"], "side": side}) for unit in x["fleet"]]
        return np.array([row[0] for row in rows if row[2] > 0])

    reach = lambda values: max(x["least"], 4 * stats.median_abs_deviation(values, scale=1 / 1.4826))
    worst, best = means("promotion"), means("harm")
    low = np.clip(np.median(worst), -1, 1) - reach(worst)
    high = np.clip(np.median(best), -1, 1) + reach(best)
    below = lambda unit: max(0, drawn(unit, x["wrong"], "harm", -low)) if low > -1 else 0
    above = lambda unit: max(0, drawn(unit, x["wrong"], "promotion", -high)) if high < 1 else 0
    return [low, high, *(value for unit in x["fleet"] for value in (below(unit), above(unit)))]


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
    "harm_fleet_log": lambda x: evidence(Fleet.of_devices(x["devices"]), -HARMS, low=0),
    "promotion_fleet_log": lambda x: evidence(Fleet.of_devices(x["devices"]), PROMOTIONS, high=-x["margin"]),
    "non_inferiority_log": lambda x: betting(x, 1 + x["margin"], x["margin"] - 1, x["margin"], 1 / (1 - x["margin"])),
    "sampled_log": lambda x: betting(x, 1 / x["rate"] + x["margin"], x["margin"] - 1 / x["rate"], x["margin"], 1 / (1 / x["rate"] - x["margin"])),
    "sequence": lambda x: sequence(Fleet.of_devices(x["devices"])),
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
    "harm_drawn_log": lambda x: drawn(x["tallies"], x["wrong"], "harm", x["shift"]),
    "no_worse_drawn_log": lambda x: drawn(x["tallies"], x["wrong"], "promotion", x["shift"]),
    "cluster_of": cluster_of,
    "clusters_harm_log": lambda x: evidence(Fleet.of_clusters(x["groups"], x["clip"]), -HARMS - x["shift"], low=-x["shift"]),
    "clusters_no_worse_log": lambda x: evidence(Fleet.of_clusters(x["groups"], x["clip"]), PROMOTIONS, high=-x["shift"]),
    "clusters_sequence": lambda x: sequence(Fleet.of_clusters(x["groups"], x["clip"])),
    "wrong_answers": wrong_answers,
    "outliers": outliers,
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
