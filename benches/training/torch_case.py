"""torch_case.py CASE THREADS WINDOW_MS   The least milliseconds that torch takes for a case of benches/src/training.rs."""
import sys
import time

import torch
from torch import nn
from torch.nn import functional


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10))


def step(model, features, loss, optimizer=None):
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=0.001, fused=True)

    def once():
        optimizer.zero_grad(set_to_none=True)
        loss(model(features)).backward()
        optimizer.step()
    return once


def classes(records, of):
    labels = torch.arange(records) % of
    return lambda outputs: functional.cross_entropy(outputs, labels)


def gradients(model, features, of):
    labels = torch.arange(len(features)) % of

    def once():
        model.zero_grad(set_to_none=True)
        functional.cross_entropy(model(features), labels, reduction="sum").backward()
    return once


def predict():
    model, features = cnn().eval(), torch.rand(1, 1, 28, 28)

    def once():
        with torch.inference_mode():
            model(features)
    return once


def bag(sparse=False):
    table = nn.EmbeddingBag(100_000, 64, mode="mean", sparse=sparse)
    return nn.Sequential(table, nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)), torch.randint(100_000, (256, 32))


# Another optimizer than Adam: moments of rows that do not occur stay as they are.
def lazy_bag():
    model, features = bag(True)
    lazy, adam = torch.optim.SparseAdam(model[0].parameters()), torch.optim.Adam(model[1:].parameters(), fused=True)
    both = type("Both", (), {"zero_grad": lambda self, **_: (lazy.zero_grad(), adam.zero_grad()),
                             "step": lambda self: (lazy.step(), adam.step())})
    return step(model, features, classes(256, 2), both())


def convolution(channels, filters, side, groups=1):
    layer, features = nn.Conv2d(channels, filters, 3, groups=groups), torch.rand(32, channels, side, side, requires_grad=True)
    gradient = torch.rand(32, filters, side - 2, side - 2)

    def once():
        layer.zero_grad(set_to_none=True)
        features.grad = None
        layer(features).backward(gradient)
    return once


class Recurrent(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.recurrent, self.dense = layer(20, 128, batch_first=True), nn.Linear(128, 1)

    def forward(self, features):
        return self.dense(self.recurrent(features)[0][:, -1])


def recurrent(layer):
    labels = torch.zeros(64, 1)
    return step(Recurrent(layer), torch.rand(64, 30, 20), lambda outputs: functional.mse_loss(outputs, labels))


def dense():
    layer, features, gradient = nn.Linear(1024, 1024), torch.rand(256, 1024, requires_grad=True), torch.rand(256, 1024)

    def once():
        layer.zero_grad(set_to_none=True)
        features.grad = None
        layer(features).backward(gradient)
    return once


def softmax():
    features, labels = torch.rand(4096, 1024, requires_grad=True), torch.arange(4096) % 1024

    def once():
        features.grad = None
        functional.cross_entropy(features, labels, reduction="sum").backward()
    return once


def product():
    a, b = torch.rand(512, 512), torch.rand(512, 512)
    return lambda: torch.mm(a, b)


CASES = {
    "mlp": lambda: step(mlp(), torch.rand(64, 1, 28, 28), classes(64, 10)),
    "cnn": lambda: step(cnn(), torch.rand(64, 1, 28, 28), classes(64, 10)),
    "predict": predict,
    "conv26": lambda: convolution(32, 64, 26),
    "conv56": lambda: convolution(64, 64, 56),
    "depthwise": lambda: convolution(64, 64, 56, 64),
    "embedding-bag": lambda: step(*bag(), classes(256, 2)),
    "embedding-bag-lazy": lazy_bag,
    # Two ways: a gradient of the whole table, and one of the rows that occur.
    "embedding-bag-gradients": lambda: (gradients(*bag(), 2), gradients(*bag(True), 2)),
    "softmax": softmax,
    "dense": dense,
    "product": product,
    "lstm": lambda: recurrent(nn.LSTM),
    "gru": lambda: recurrent(nn.GRU),
}

case, threads, window = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1e3
torch.set_num_threads(threads)
ways = CASES[case]()


def least(once):
    for _ in range(3):
        once()
    begun, least = time.perf_counter(), float("inf")
    while time.perf_counter() - begun < window:
        start = time.perf_counter()
        once()
        least = min(least, time.perf_counter() - start)
    return least


print(min(map(least, ways if isinstance(ways, tuple) else (ways,))) * 1e3)
