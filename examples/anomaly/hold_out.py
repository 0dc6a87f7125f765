#!/usr/bin/env python3
"""hold_out.py FASHION-MNIST FOLDER [CLASS]   Writes IDX files for the search of what is unlike the rest, from those of Fashion-MNIST.

The pictures of one class, by default bag, are held out of training: train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz
hold the pictures of the other nine, all with the label 0. t10k-labels-idx1-ubyte.gz has the label 1 for the test pictures of the
class that is held out, 0 for all others; the test pictures stay where they are. Needs nothing but Python.
"""
import gzip
import struct
import sys
from pathlib import Path

CLASSES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
IMAGES, LABELS = 0x803, 0x801  # Unsigned bytes, three dimensions or one.
PICTURE = 28 * 28


def read(path, magic, header_bytes):
    content = gzip.decompress(path.read_bytes())
    if struct.unpack(">I", content[:4]) != (magic,):
        sys.exit(f"{path} is no IDX file of this kind")
    return content[header_bytes:]


def write(path, header, content):
    # Without the time, so that the same bytes come out again; whole or not at all.
    whole = path.with_name(path.name + ".new")
    whole.write_bytes(gzip.compress(struct.pack(f">{len(header)}I", *header) + content, 6, mtime=0))
    whole.replace(path)


if len(sys.argv) not in (3, 4) or sys.argv[3:] and sys.argv[3] not in CLASSES:
    sys.exit(f"hold_out.py FASHION-MNIST FOLDER [CLASS]; the classes are {', '.join(CLASSES)}")
source, folder = Path(sys.argv[1]), Path(sys.argv[2])
held_out = CLASSES.index((sys.argv[3:] or ["bag"])[0])
folder.mkdir(parents=True, exist_ok=True)

images = read(source / "train-images-idx3-ubyte.gz", IMAGES, 16)
labels = read(source / "train-labels-idx1-ubyte.gz", LABELS, 8)
kept = [n for n, label in enumerate(labels) if label != held_out]
pictures = b"".join(images[n * PICTURE:(n + 1) * PICTURE] for n in kept)
write(folder / "train-images-idx3-ubyte.gz", (IMAGES, len(kept), 28, 28), pictures)
write(folder / "train-labels-idx1-ubyte.gz", (LABELS, len(kept)), bytes(len(kept)))

labels = read(source / "t10k-labels-idx1-ubyte.gz", LABELS, 8)
write(folder / "t10k-labels-idx1-ubyte.gz", (LABELS, len(labels)), bytes(label == held_out for label in labels))
print(f"{len(kept)} pictures without {CLASSES[held_out]} are in {folder}")
