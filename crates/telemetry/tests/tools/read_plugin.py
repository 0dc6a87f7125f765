"""Prints what the scalar dashboard gets for a folder: {run: {tag: [[step, value], ...]}}."""

import json
import sys

from tensorboard import context
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.data import provider as base_provider

multiplexer = plugin_event_multiplexer.EventMultiplexer()
multiplexer.AddRunsFromDirectory(sys.argv[1])
multiplexer.Reload()
provider = data_provider.MultiplexerDataProvider(multiplexer, sys.argv[1])
series = provider.read_scalars(
    context.RequestContext(),
    experiment_id="e",
    plugin_name="scalars",
    downsample=1000,
    run_tag_filter=base_provider.RunTagFilter(),
)
print(json.dumps({run: {tag: [[d.step, d.value] for d in data] for tag, data in tags.items()} for run, tags in series.items()}))
