"""Marks on the clock of a measured command.

TFCOORD_BENCH_BEGUN  wall clock (s) at which measure.py started the command; marks are relative to it
TFCOORD_BENCH_MARKS  file that receives one JSON line a mark
"""
import json
import os
import time

BEGUN = float(os.environ.get("TFCOORD_BENCH_BEGUN", time.time()))


def mark(name, **figures):
    line = json.dumps(dict(mark=name, t=round(time.time() - BEGUN, 4), **figures))
    if "TFCOORD_BENCH_MARKS" in os.environ:
        with open(os.environ["TFCOORD_BENCH_MARKS"], "a") as file:
            file.write(line + "\n")
    print(line, flush=True)


class Pace:
    """Marks the first step, and knows the records a second after the 50th."""

    WARM_UP_STEPS = 50

    def __init__(self):
        self.steps, self.warm_at = 0, None

    def step(self):
        self.steps += 1
        if self.steps == 1:
            mark("first_step")
        if self.steps == self.WARM_UP_STEPS:
            self.warm_at = time.time()

    def records_per_s(self, records_a_step):
        return round((self.steps - self.WARM_UP_STEPS) * records_a_step / (time.time() - self.warm_at))
