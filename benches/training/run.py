"""run.py BENCHES PYTHON [--rounds N] [--threads N...] [CASE...]   Our kernels and models beside torch's, in one run.

Each round runs every case once with ours and once with torch, in processes of their own; of a case's rounds the minimum
counts. BENCHES is target/release/tfcoord-benches, PYTHON an interpreter that has torch."""
import argparse
import os
import subprocess

# Case: the most that ours may take of torch's time.
BARS = {"mlp": None, "cnn": 0.7, "predict": 0.5, "conv26": 0.85, "conv56": 0.85, "depthwise": None, "embedding-bag": 0.7, "softmax": 1.0,
        "lstm": 1.0, "gru": None, "product": None}
WINDOW_MS = "700"

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("benches")
arguments.add_argument("python")
arguments.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(BARS))
arguments.add_argument("--rounds", type=int, default=5)
arguments.add_argument("--threads", type=int, nargs="+", default=[1, 2])
arguments = arguments.parse_args()
unknown = [case for case in arguments.cases if case not in BARS]
if unknown:
    raise SystemExit(f"unknown case {unknown[0]}: {', '.join(BARS)}")
theirs = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_case.py")


def milliseconds(command, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


keys = [(case, threads) for threads in arguments.threads for case in arguments.cases or BARS]
least = {key: [float("inf")] * 2 for key in keys}
before = os.getloadavg()[0]
for _ in range(arguments.rounds):
    for case, threads in keys:
        ours = milliseconds([arguments.benches, "training", case, "--threads", str(threads), "--window-ms", WINDOW_MS], threads)
        other = milliseconds([arguments.python, theirs, case, str(threads), WINDOW_MS], threads)
        least[case, threads] = [min(pair) for pair in zip(least[case, threads], (ours, other))]

print(f"minimum of {arguments.rounds} interleaved rounds; load average {before:.2f} before, {os.getloadavg()[0]:.2f} after\n")
print("| case | threads | ours, ms | torch, ms | ours / torch | bar |")
print("|---|---|---|---|---|---|")
for (case, threads), (ours, other) in least.items():
    bar = "" if BARS[case] is None else f"{BARS[case]}{' MISSED' if ours / other > BARS[case] else ''}"
    print(f"| {case} | {threads} | {ours:.3f} | {other:.3f} | {ours / other:.2f} | {bar} |")
