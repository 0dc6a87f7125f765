"""PyTorch DistributedDataParallel over gloo: synchronous all-reduce, no server. Run it under torch.distributed.run.
torch_task.py mlp|cnn EPOCHS"""
import os
import sys

import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F

import pictures
from marks import Pace, mark

mark("imported")
model_name, epochs = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(1)
dist.init_process_group("gloo")
workers, rank = dist.get_world_size(), dist.get_rank()
torch.manual_seed(1)

if model_name == "mlp":
    layers = [nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)]
else:
    layers = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    layers += [nn.Linear(64 * 144, 128), nn.ReLU(), nn.Linear(128, 10)]
model = nn.Sequential(*layers)
parallel = nn.parallel.DistributedDataParallel(model)

images, labels = pictures.pictures("train")
x, y = torch.from_numpy(images)[:, None], torch.from_numpy(labels)
optimizer = torch.optim.Adam(parallel.parameters(), lr=1e-3)
pace = Pace()
for epoch in range(epochs):
    for batch in pictures.batches(len(y), workers, rank, epoch):
        batch = torch.from_numpy(batch)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(parallel(x[batch]), y[batch]).backward()
        optimizer.step()
        if rank == 0:
            pace.step()
    if rank == 0:
        mark("epoch")
if rank == 0:
    mark("steady", records_per_s=pace.records_per_s(pictures.BATCH * workers))
    images, labels = pictures.pictures("t10k")
    with torch.no_grad():
        right = pictures.accuracy(lambda x: model(torch.from_numpy(x)[:, None]).argmax(1).numpy(), images, labels)
    torch.save(model.state_dict(), os.environ["MODEL_OUT"])
    mark("done", accuracy=right)
dist.destroy_process_group()
