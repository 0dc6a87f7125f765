"""run.py BENCHES PYTHON [--rounds N] [--threads N...] [CASE...]   Our kernels and models beside torch's, in one run.

Each round runs every case once with ours and once with torch, in processes of their own; of a case's rounds the minimum
counts. BENCHES is target/release/tfcoord-benches, PYTHON an interpreter that has torch."""
import argparse
import os
import subprocess

# Case: the most that ours may take of torch's time.
BARS = {"mlp": 0.4, "cnn": 0.7, "predict": 0.5, "conv26": 0.85, "conv56": 0.85, "depthwise": None, "embedding-bag": 0.7,
        "embedding-bag-gradients": 0.7, "softmax": 1.0, "lstm": 1.0, "gru": None, "dense": None, "product": None}
# Operations of the cases that are one product after the other, and the least share of the processor's peak that ours
# should reach. Convolutions have no such share: tile by tile they take a quarter of the multiplications of their definition.
GFLOP = {"dense": 3 * 2 * 256 * 1024 ** 2 / 1e9, "product": 2 * 512 ** 3 / 1e9}
PEAK, PEAK_GFLOP = 0.7, 2 * 2 ** 26 / 1e9
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


def ours(case, threads):
    return milliseconds([arguments.benches, "training", case, "--threads", str(threads), "--window-ms", WINDOW_MS], threads)


keys = [(case, threads) for threads in arguments.threads for case in arguments.cases or BARS]
least = {key: [float("inf")] * 2 for key in keys}
peak = dict.fromkeys(arguments.threads, 0.0)
before = os.getloadavg()[0]
for _ in range(arguments.rounds):
    for threads in peak:
        peak[threads] = max(peak[threads], threads * PEAK_GFLOP / ours("peak", threads) * 1e3)
    for case, threads in keys:
        other = milliseconds([arguments.python, theirs, case, str(threads), WINDOW_MS], threads)
        least[case, threads] = [min(pair) for pair in zip(least[case, threads], (ours(case, threads), other))]


def judged(figure, bar, missed):
    return "" if bar is None else f"{bar}{' MISSED' if missed(figure, bar) else ''}"


print(f"minimum of {arguments.rounds} interleaved rounds; load average {before:.2f} before, {os.getloadavg()[0]:.2f} after")
print("; ".join(f"peak of {threads} threads: {gflops:.0f} GFLOP/s" for threads, gflops in peak.items()) + "\n")
print("| case | threads | ours, ms | torch, ms | ours / torch | bar | GFLOP/s | of the peak | bar |")
print("|---|---|---|---|---|---|---|---|---|")
for (case, threads), (mine, other) in least.items():
    row = [case, threads, f"{mine:.3f}", f"{other:.3f}", f"{mine / other:.2f}", judged(mine / other, BARS[case], float.__gt__)]
    speed = GFLOP.get(case, 0) / mine * 1e3
    share = speed / peak[threads]
    row += [f"{speed:.0f}", f"{share:.2f}", judged(share, PEAK, float.__lt__)] if speed else ["", "", ""]
    print("|", " | ".join(map(str, row)), "|")
