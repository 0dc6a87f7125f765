"""Fashion-MNIST for the peers that read it in Python, and the order that they take it in.

FASHION_MNIST  folder with the four IDX gz files
"""
import gzip
import os

import numpy as np

FOLDER = os.environ["FASHION_MNIST"]
BATCH = 64  # of one worker


def idx(name):
    with gzip.open(os.path.join(FOLDER, name), "rb") as file:
        content = file.read()
    dimensions = content[3]
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions)]
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def pictures(part):
    """`train` or `t10k`: pictures from 0 to 1, labels."""
    images = idx(f"{part}-images-idx3-ubyte.gz").astype(np.float32) / 255.0
    return images, idx(f"{part}-labels-idx1-ubyte.gz").astype(np.int64)


def batches(records, workers, rank, epoch):
    """One permutation for all; a worker takes every `workers`-th record; full batches only."""
    order = np.random.RandomState(1000 + epoch).permutation(records)[rank::workers]
    return order[: len(order) // BATCH * BATCH].reshape(-1, BATCH)


def accuracy(predict, images, labels):
    """Share of right predictions, 500 pictures at a time."""
    right = sum(int((predict(images[i : i + 500]) == labels[i : i + 500]).sum()) for i in range(0, len(labels), 500))
    return round(right / len(labels), 4)
