"""summary.py RESULTS.jsonl...   A table of all cases, then ours against each other system, round by round.

Ratios are ours / theirs within one round, so that what else the machine did meets both alike; below 1 is ours in front."""
import json
import sys
from collections import defaultdict
from statistics import median

OURS = "tfcoord"


def numbers(values, digits):
    return f"{min(values):.{digits}f} / {median(values):.{digits}f}" if values else "-"


def marked(result, name, figure):
    found = [mark[figure] for mark in result["marks"] if mark["mark"] == name]
    return found[0] if found else None


def present(values):
    return [value for value in values if value is not None]


def row(case, results):
    done = [result for result in results if result["code"] == 0]
    cells = [
        case,
        f"{len(done)} of {len(results)}",
        numbers([result["wall_s"] for result in done], 1),
        numbers(present(marked(result, "first_step", "t") for result in done), 1),
        numbers([result["peak_memory_mb"] for result in done], 0),
        " ".join(f"{value:.4f}" for value in present(marked(result, "done", "accuracy") for result in done)) or "-",
        numbers([result["other_cores"] for result in results], 2),
        numbers([result["load_before"] for result in results], 2),
    ]
    return "| " + " | ".join(cells) + " |"


def ratios(ours, theirs, figure):
    """By round, where both have the figure."""
    by_round = {result["round"]: figure(result) for result in theirs if result["code"] == 0}
    pairs = [(figure(result), by_round.get(result["round"])) for result in ours if result["code"] == 0]
    return [mine / other for mine, other in pairs if mine and other]


cases = defaultdict(list)
for path in sys.argv[1:]:
    with open(path) as file:
        for line in file:
            result = json.loads(line)
            cases[result["case"]].append(result)

print("Minimum / median over the rounds that succeeded.\n")
print("| case | succeeded | wall s | first step s | peak memory MB | test accuracy | cores of others | load before |")
print("|---|---|---|---|---|---|---|---|")
for case, results in cases.items():
    print(row(case, results))

FIGURES = {
    "wall": lambda result: result["wall_s"],
    "first step": lambda result: marked(result, "first_step", "t"),
    "peak memory": lambda result: result["peak_memory_mb"],
}
compared = [(case, f"{OURS}-{case.rsplit('-', 1)[1]}") for case in cases if not case.startswith(OURS + "-")]
if any(own in cases for _, own in compared):
    print("\nOurs / theirs, median of the rounds (smallest to largest).\n")
    print("| beside | " + " | ".join(FIGURES) + " |")
    print("|---|" + "---|" * len(FIGURES))
for case, own in compared:
    if own not in cases:
        continue
    found = [ratios(cases[own], cases[case], figure) for figure in FIGURES.values()]
    cells = [f"{median(r):.2f} ({min(r):.2f} to {max(r):.2f})" if r else "-" for r in found]
    print(f"| {case} | " + " | ".join(cells) + " |")
