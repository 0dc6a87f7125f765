#!/usr/bin/env python3
"""Writes train.synthetic.csv and eval.synthetic.csv beside itself: made-up customers, and whether they left.

The same bytes on every machine: all randomness comes from random.Random(seed).random(). Needs nothing but Python.
"""

import csv
import math
import random
from pathlib import Path

SEED = 20240607
TRAIN, EVAL = 6000, 2000
# Names that need quotes: commas, quotes, a line end.
PLANS = {"basic": 0.5, "family, shared": -0.6, '24" bundle': -1.1, "pay as\nyou go": 1.2}
REGIONS = {"north": 0.0, "south": 0.7, "east": -0.5, "west": 0.1, "": 0.3}
DEVICES = {"phone": 0.3, "tablet": -0.2, "router": -0.8, "?": 0.0}
COMMENTS = ["", "", "", "", "too dear", "moved, will call", 'said "maybe"', "no\nanswer"]


def pick(rng, choices):
    return choices[int(rng.random() * len(choices))]


def normal(rng):
    return math.sqrt(-2.0 * math.log(1.0 - rng.random())) * math.cos(2.0 * math.pi * rng.random())


def customer(rng, number, regions):
    age = 18 + 60 * rng.random()
    income = math.exp(10.2 + 0.5 * normal(rng))
    months = 1 + int(120 * rng.random() ** 2)
    calls = int(-2.2 * math.log(1.0 - rng.random()))
    plan, region, device = pick(rng, list(PLANS)), pick(rng, regions), pick(rng, list(DEVICES))
    # The young and the old leave, and so do the impatient; a high income draws new customers away and holds old ones.
    logit = -4.4 + 0.65 * calls + 1.3 * PLANS[plan] + 1.2 * REGIONS.get(region, 0.0) + DEVICES[device]
    logit += 2.6 * abs(age - 48) / 15 + math.log(income / 27000) * (-1.2 if months > 40 else 1.2) - 0.02 * months
    left = rng.random() < 1.0 / (1.0 + math.exp(-logit))
    return {
        "id": f"c{number:05}",
        "age": "" if rng.random() < 0.04 else f"{age:.1f}",
        "plan": plan,
        "income": "NA" if rng.random() < 0.06 else f"{income:.0f}",
        "comment": pick(rng, COMMENTS),
        "months": months,
        "calls": calls,
        "region": region,
        "device": device,
        "left": "yes" if left else "no",
    }


def write(name, customers):
    # All who stayed come before all who left: an order that no batch must be taken in.
    customers.sort(key=lambda c: c["left"])
    with open(Path(__file__).parent / name, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, customers[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(customers)


def main():
    rng = random.Random(SEED)
    regions = list(REGIONS)
    write("train.synthetic.csv", [customer(rng, number, regions) for number in range(TRAIN)])
    # A few of the later ones live where none of the earlier ones did.
    write("eval.synthetic.csv", [customer(rng, TRAIN + number, regions * 5 + ["islands"]) for number in range(EVAL)])


if __name__ == "__main__":
    main()
