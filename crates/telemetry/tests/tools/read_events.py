"""Prints what TensorBoard's own reader sees in a folder: {tag: [[wall time, step, value as text], ...]}."""

import json
import sys

from tensorboard.backend.event_processing import event_accumulator

accumulator = event_accumulator.EventAccumulator(sys.argv[1], size_guidance={"tensors": 0, "scalars": 0})
accumulator.Reload()
tags = accumulator.Tags()
print(json.dumps({tag: [[e.wall_time, e.step, repr(e.value)] for e in accumulator.Scalars(tag)] for tag in tags["scalars"]}))
