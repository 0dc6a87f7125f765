#!/usr/bin/env python3
"""windows.py STOCKS.csv.gz INDEX.csv.gz FOLDER   Turns daily prices into windows for a recurrent network.

Each row of what is written has the last 30 days, the oldest first: of each day the index's return, its absolute value, and the
mean absolute return of the stocks, in this order, so that the columns are a matrix of 30 steps x 3 features, row by row. Returns
are logarithmic, in percent. The label is what comes after:

FOLDER/volatility/   log of the index's mean absolute return over the next 5 days
FOLDER/return/       the index's return of the next day

Rows are in order of time; the last fifth is eval.csv. Between it and train.csv 5 rows are left out, so that no label of
training looks into the days of evaluation. Prints what simple forecasts would get on eval.csv. Needs nothing but Python.
"""
import csv
import gzip
import sys
from math import log
from pathlib import Path

DAYS, AHEAD = 30, 5


def returns(path):
    """Of each day but the first, the returns of all columns in percent."""
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.reader(file))[1:]
    prices = [[float(text) for text in row[1:]] for row in rows]
    days = [[100 * log(after / before) for before, after in zip(*pair)] for pair in zip(prices, prices[1:])]
    return [row[0] for row in rows[1:]], days


def mean(values):
    return sum(values) / len(values)


def error(forecasts, labels):
    """Mean squared error."""
    return mean([(forecast - label) ** 2 for forecast, label in zip(forecasts, labels)])


def volatility(days):
    return log(mean([abs(day) for day in days]))


stocks_file, index_file, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
dates, stocks = returns(stocks_file)
index_dates, index = returns(index_file)
assert dates == index_dates, "both files have the same days"
index = [day for day, in index]
features = [(day, abs(day), mean([abs(stock) for stock in all_stocks])) for day, all_stocks in zip(index, stocks)]

# A row ends before the day `end`: all that comes later is what is forecast.
ends = range(DAYS, len(index) - AHEAD + 1)
first_held_out = len(ends) * 4 // 5
header = [f"d{back}_{name}" for back in range(DAYS, 0, -1) for name in ("index", "absolute", "stocks")]
targets = {
    "volatility": (lambda end: volatility(index[end:end + AHEAD]), {
        "the last 5 days": lambda end: volatility(index[end - AHEAD:end]),
        "the last 30 days": lambda end: volatility(index[end - DAYS:end]),
    }),
    "return": (lambda end: index[end], {"no change of the price": lambda end: 0.0}),
}
for target, (label_of, forecasts) in targets.items():
    (folder / target).mkdir(parents=True)
    labels = [label_of(end) for end in ends]
    for name, rows in ("train.csv", range(first_held_out - AHEAD)), ("eval.csv", range(first_held_out, len(ends))):
        with open(folder / target / name, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*header, target])
            for row in rows:
                window = features[ends[row] - DAYS:ends[row]]
                writer.writerow([f"{value:.6f}" for day in window for value in day] + [f"{labels[row]:.6f}"])
    known, wanted = labels[:first_held_out - AHEAD], labels[first_held_out:]
    held_out = ends[first_held_out:]
    print(f"{target}: {len(known)} rows to train on, {len(wanted)} from {dates[held_out[0]]} on to test on; mean squared error there of")
    print(f"  {'the mean in training':24} {error([mean(known)] * len(wanted), wanted):.4f}")
    for name, forecast in forecasts.items():
        print(f"  {name:24} {error([forecast(end) for end in held_out], wanted):.4f}")
