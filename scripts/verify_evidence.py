"""Computes the cases of hub/bench/evidence-vectors.ts again with scipy and numpy; prints the largest difference of each
function and fails above 1e-9 (relative where values are large). evidence-vectors writes to stdin."""
import json
import sys
from collections import defaultdict

import numpy as np
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

TAUS = np.array([0, 0.003, 0.006, 0.01, 0.015, 0.02, 0.03, 0.045, 0.07, 0.1])


def shares(x):
    return np.array(x["p"]) / sum(x["p"]), np.array(x["q"]) / sum(x["q"])


def psi(x):
    p, q = (np.where(s == 0, 1e-4, s) for s in shares(x))
    return float(((q - p) * np.log(q / p)).sum())


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


def fleet(x, null, alternative):
    n = np.array([d["episodes"] for d in x["devices"]], float)
    difference = np.array([d["wins"] - d["losses"] for d in x["devices"]]) / n
    s2 = max(0.001, sum(d["wins"] + d["losses"] for d in x["devices"]) / n.sum())
    log_likelihood = lambda delta, tau: stats.norm.logpdf(difference, delta, np.sqrt(tau**2 + s2 / n)).sum()
    over = lambda deltas: np.array([[log_likelihood(d, t) for t in TAUS] for d in deltas])
    return float(special.logsumexp(over(alternative)) - np.log(len(alternative) * len(TAUS)) - over(null).max())


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
    "harm_fleet_log": lambda x: fleet(x, [0, 0.005, 0.01, 0.02, 0.03, 0.05], [-d for d in (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2)]),
    "promotion_fleet_log": lambda x: fleet(x, [-x["margin"] * k for k in (1, 1.25, 1.5, 2, 2.5, 3.5)], [-0.015, -0.01, -0.005, 0, 0.005, 0.01, 0.02, 0.03, 0.05]),
    "share_low": lambda x: share(x, -1),
    "share_high": lambda x: share(x, 1),
    "student_quantile": lambda x: stats.t.ppf(x["level"], x["degrees"]),
}
worst, cases = defaultdict(float), defaultdict(int)
for line in sys.stdin:
    case = json.loads(line)
    expected = float(REFERENCES[case["name"]](case["input"]))
    worst[case["name"]] = max(worst[case["name"]], abs(case["value"] - expected) / max(1, abs(expected)))
    cases[case["name"]] += 1
print(f"{'function':<22}{'cases':>7}{'largest difference':>22}")
for name in REFERENCES:
    print(f"{name:<22}{cases[name]:>7}{worst[name]:>22.2e}")
failed = [name for name in REFERENCES if cases[name] == 0 or worst[name] > 1e-9]
print(json.dumps({"verify": "evidence", "functions": len(REFERENCES), "largest": max(worst.values()), "failed": failed}))
sys.exit(1 if failed else 0)
