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


def step(model, features, classes):
    labels = torch.arange(len(features)) % classes
    adam = torch.optim.Adam(model.parameters(), lr=0.001, fused=True)

    def once():
        adam.zero_grad(set_to_none=True)
        functional.cross_entropy(model(features), labels).backward()
        adam.step()
    return once


def predict():
    model, features = cnn().eval(), torch.rand(1, 1, 28, 28)

    def once():
        with torch.inference_mode():
            model(features)
    return once


def convolution(channels, filters, side):
    layer, features = nn.Conv2d(channels, filters, 3), torch.rand(32, channels, side, side, requires_grad=True)
    gradient = torch.rand(32, filters, side - 2, side - 2)

    def once():
        layer.zero_grad(set_to_none=True)
        features.grad = None
        layer(features).backward(gradient)
    return once


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
    "mlp": lambda: step(mlp(), torch.rand(64, 1, 28, 28), 10),
    "cnn": lambda: step(cnn(), torch.rand(64, 1, 28, 28), 10),
    "predict": predict,
    "conv26": lambda: convolution(32, 64, 26),
    "conv56": lambda: convolution(64, 64, 56),
    "softmax": softmax,
    "dense": dense,
    "product": product,
}

case, threads, window = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1e3
torch.set_num_threads(threads)
once = CASES[case]()
for _ in range(3):
    once()
begun, least = time.perf_counter(), float("inf")
while time.perf_counter() - begun < window:
    start = time.perf_counter()
    once()
    least = min(least, time.perf_counter() - start)
print(least * 1e3)
