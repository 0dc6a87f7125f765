"""MXNet gluon with the kvstore `dist_sync`: synchronous, the server applies the optimizer.
mxnet_task.py mlp|cnn EPOCHS     The role comes from DMLC_ROLE (see mxnet_cluster.py)."""
import os
import sys

import mxnet as mx
from mxnet import autograd, gluon, nd

import pictures
from marks import Pace, mark

# Server and scheduler never come here: the import runs their loop.
mark("imported")
model, epochs = sys.argv[1], int(sys.argv[2])
store = mx.kv.create("dist_sync")
rank, workers = store.rank, store.num_workers
mx.random.seed(1)

net = gluon.nn.HybridSequential()
if model == "cnn":
    net.add(gluon.nn.Conv2D(32, 3, activation="relu"), gluon.nn.Conv2D(64, 3, activation="relu"), gluon.nn.MaxPool2D(2))
    net.add(gluon.nn.Flatten(), gluon.nn.Dense(128, activation="relu"), gluon.nn.Dense(10))
else:
    net.add(gluon.nn.Flatten(), gluon.nn.Dense(256, activation="relu"), gluon.nn.Dense(128, activation="relu"), gluon.nn.Dense(10))
net.initialize(mx.init.Xavier())
net.hybridize(static_alloc=True)
images, labels = pictures.pictures("train")
net(nd.zeros((1, 1, 28, 28)))
trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 1e-3}, kvstore=store)
entropy = gluon.loss.SoftmaxCrossEntropyLoss()
pace = Pace()
for epoch in range(epochs):
    for batch in pictures.batches(len(labels), workers, rank, epoch):
        x, y = nd.array(images[batch][:, None]), nd.array(labels[batch])
        with autograd.record():
            loss = entropy(net(x), y)
        loss.backward()
        trainer.step(pictures.BATCH * workers)
        if rank == 0:
            # Work is queued: marks wait for it.
            if pace.steps in (0, Pace.WARM_UP_STEPS - 1):
                nd.waitall()
            pace.step()
    nd.waitall()
    if rank == 0:
        mark("epoch")
if rank == 0:
    mark("steady", records_per_s=pace.records_per_s(pictures.BATCH * workers))
    images, labels = pictures.pictures("t10k")
    right = pictures.accuracy(lambda x: net(nd.array(x[:, None])).asnumpy().argmax(1), images, labels)
    net.save_parameters(os.environ["MODEL_OUT"])
    mark("done", accuracy=right)
store._barrier()
