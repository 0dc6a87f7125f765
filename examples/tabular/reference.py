#!/usr/bin/env python3
"""Trains scikit-learn's MLPClassifier on the same split and prints the AUC as JSON.

MLPClassifier and not LogisticRegression, since it is the same model: the hidden layers, batch size, learning rate and
number of epochs are those of job.json, and so is the preprocessing (numbers to mean 0 and deviation 1 by the training
rows, a gap being the mean; a category to one feature for each training value and one for all others). What differs are
the first weights, the order of the rows and a small L2 term; so that luck with the first weights matters less, the AUC
printed is the mean of five networks. The AUC of the logistic regression is printed too: it shows how much there is to
learn beyond straight lines.

Usage: reference.py [JOB_FILE]
"""

import csv
import json
import re
import sys
import warnings
from pathlib import Path

import numpy
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier

NETWORKS = 5


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def columns(data, train, evaluation):
    missing = set(data["missing"]) | {""}
    for feature in data["features"]:
        ((kind, name),) = feature.items()
        texts = [["" if row[name] in missing else row[name] for row in part] for part in (train, evaluation)]
        if kind == "number":
            values = numpy.array([float(text) for text in texts[0] if text])
            mean, deviation = values.mean(), values.std() or 1.0
            yield [numpy.array([[(float(text) - mean) / deviation if text else 0.0] for text in part]) for part in texts]
        else:
            places = {name: place for place, name in enumerate(sorted(set(texts[0])))}
            hot = numpy.eye(len(places) + 1)
            yield [hot[[places.get(text, len(places)) for text in part]] for part in texts]


def main():
    path = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "job.json")
    job = json.loads(re.sub(r"//.*", "", path.read_text(encoding="utf-8")))
    data, train_of = job["data"], job["train"]
    train, evaluation = (rows(path.parent / data[part]["files"]) for part in ("train", "eval"))
    x_train, x_eval = (numpy.hstack(part) for part in zip(*columns(data, train, evaluation)))
    y_train, y_eval = ([row[data["label"]] == "yes" for row in part] for part in (train, evaluation))
    # It says so whenever the number of epochs is given.
    warnings.filterwarnings("ignore", category=ConvergenceWarning)

    def auc(model):
        return roc_auc_score(y_eval, model.fit(x_train, y_train).predict_proba(x_eval)[:, 1])

    def network(seed):
        return MLPClassifier(
            hidden_layer_sizes=[layer["dense"]["units"] for layer in job["model"]["layers"][:-1]],
            activation="relu",
            solver="adam",
            learning_rate_init=train_of["optimizer"]["adam"]["learning_rate"],
            batch_size=train_of["batch_size"],
            max_iter=train_of["epochs"],
            random_state=seed,
        )

    of_networks = [auc(network(seed)) for seed in range(NETWORKS)]
    logistic = auc(LogisticRegression(max_iter=1000))
    print(json.dumps({"auc": sum(of_networks) / NETWORKS, "auc_of_each": of_networks, "auc_logistic_regression": logistic}))


if __name__ == "__main__":
    main()
