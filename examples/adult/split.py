#!/usr/bin/env python3
"""split.py PARQUET FOLDER   Writes the rows of a Parquet file as train.csv and eval.csv: every fifth row is held out.

The rows are in the order of the file, so the split is the same wherever it is made.
"""
import csv
import sys
from pathlib import Path

import pyarrow.parquet

source, folder = sys.argv[1], Path(sys.argv[2])
table = pyarrow.parquet.read_table(source)
rows = list(zip(*(column.to_pylist() for column in table.columns)))
for name, held_out in ("train.csv", False), ("eval.csv", True):
    with open(folder / name, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows(row for number, row in enumerate(rows) if (number % 5 == 4) == held_out)
