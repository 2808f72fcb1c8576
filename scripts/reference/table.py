"""The table of `make verify-reference`, or with --bench that of `make bench-convert`. Fails where ours falls behind."""
import json
import sys

rows = [json.loads(line) for line in open(sys.argv[1])]
bench = "--bench" in sys.argv
failed = []


def need(row, what, holds):
    if not holds:
        failed.append(f"{row['judged']['architecture']}: {what}")


for row in rows:
    judged, google, report = row["judged"], row["google"], row["report"]
    print(f"{judged['architecture']}: {google['parameters']:,} parameters, {judged['images']} pictures, TensorFlow {google['tensorflow']}")
    print(f"  {'':34}{'ours':>12}{'Google':>12}")
    line = lambda label, ours, theirs: print(f"  {label:34}{ours:>12}{theirs:>12}")
    line("float: largest difference to Keras", f"{judged['ours_float_difference']:.1e}", f"{judged['google_float_difference']:.1e}")
    line("INT8: same first class as float", f"{100 * judged['ours_agreement']:.1f} %", f"{100 * judged['google_agreement']:.1f} %")
    line("INT8: output against float", f"{judged['ours_decibels']:.1f} dB", f"{judged['google_decibels']:.1f} dB")
    line("INT8: bytes", f"{report['bytes']:,}", f"{google['bytes']:,}")
    line("INT8: conversion, 100 pictures", f"{row['seconds']:.1f} s", f"{google['seconds']:.1f} s")
    line("peak memory", f"{report['peakMiB']:.0f} MiB", f"{google['peak_mb']:.0f} MiB")
    line("INT8 on LiteRT, one thread", f"{judged['ours_int8_ms']:.2f} ms", f"{judged['google_int8_ms']:.2f} ms")
    for runtime in ("tflite", "litert"):
        taken = {file.split(".", 1)[1].rsplit(".", 1)[0]: verdict for file, verdict in row["accepted"][runtime].items()}
        line(f"{row['accepted']['versions'][runtime]} takes float, INT8", *(" ".join(taken[f"{whose}.{kind}"] for kind in ("float", "int8")) for whose in ("ours", "google")))
        need(row, f"{runtime} refuses a file", all(verdict == "yes" for verdict in taken.values()))
    need(row, "float differs by more than 1e-4", judged["ours_float_difference"] <= 1e-4)
    need(row, "INT8 agrees with float less often than Google's", judged["ours_agreement"] >= judged["google_agreement"])
    need(row, "INT8 error is larger than Google's", judged["ours_rmse"] <= judged["google_rmse"])
    need(row, "the file is more than 2 % larger than Google's", report["bytes"] <= 1.02 * google["bytes"])
lite0 = rows[0]
speedup = {row["judged"]["architecture"].rsplit("_", 1)[1]: round(row["judged"]["google_int8_ms"] / row["judged"]["ours_int8_ms"], 2) for row in rows[1:]}
ratio = lite0["seconds"] / lite0["google"]["seconds"]
need(lite0, "conversion takes more than half of Google's time", ratio <= 0.5)
need(lite0, "conversion takes 700 MB or more", lite0["report"]["peakMiB"] * 1.048576 < 700)
for row in rows[1:]:
    need(row, "INT8 is less than 2.5 times as fast as Google's on LiteRT", row["judged"]["google_int8_ms"] / row["judged"]["ours_int8_ms"] >= 2.5)
for line in failed:
    print(f"FALLS SHORT: {line}")
if bench:
    print(json.dumps({"bench": "convert", "seconds": round(lite0["seconds"], 2), "google_seconds": round(lite0["google"]["seconds"], 2), "ratio": round(ratio, 3), "bytes": lite0["report"]["bytes"], "google_bytes": lite0["google"]["bytes"], "peak_mb": round(lite0["report"]["peakMiB"] * 1.048576), "mobilenet_speedup": speedup}))
else:
    print(json.dumps({"verify": "reference", "failed": failed}))
sys.exit(1 if failed else 0)
