"""scikit-learn: SGDClassifier and LogisticRegression, on a part of the classes.

Both cost time in proportion to the number of classes, and memory for a dense V x D matrix of
float64 (and several of them in lbfgs). What is run is the work for some classes, evenly spread over
the frequencies; the whole is extrapolated.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from peers.examples import Examples, Ids
from peers.tools.base import Context, Setting, Trained, no_figures, report_progress

TITLE = "scikit-learn"
DISTRIBUTION = "scikit-learn"
NOTE = "one thread, some classes of all: the seconds of all are extrapolated in proportion"

SETTINGS = (
    Setting(
        "SGDClassifier log_loss, 5 epochs",
        "user guide, 1.5 SGD: one-vs-all, for large sparse data",
        {"kind": "sgd", "classes": 16, "epochs": 5},
        quick=True,
    ),
    Setting(
        "LogisticRegression lbfgs, 100 iterations",
        "user guide, 1.1.11: lbfgs is the default and the multinomial solver; its default of 100",
        {"kind": "lbfgs", "classes": 16, "iterations": [2, 8], "of": 100},
    ),
)


def spread(num_classes: int, wanted: int) -> Ids:
    """Return classes that are evenly spread over the ranks: each the middle of its part."""
    parts = min(wanted, num_classes)
    return ((np.arange(parts) + 0.5) * num_classes / parts).astype(np.int64)


def prepare(examples: Examples, options: Mapping[str, Any], context: Context) -> Examples:
    """Import it; it takes the arrays as they are."""
    import sklearn.linear_model  # noqa: F401

    return examples


def train(prepared: Examples, options: Mapping[str, Any], context: Context) -> Trained:
    """Train the part."""
    classes = spread(len(prepared.counts), options["classes"])
    run = {"sgd": _sgd, "lbfgs": _lbfgs}[options["kind"]]
    share = run(prepared, classes, options, context.seed)
    gib = prepared.train.shape[1] * len(prepared.counts) * 8 / 2**30
    note = f"{len(classes)} of {len(prepared.counts):,} classes; all weights: {gib:.1f} GiB"
    return Trained(no_figures, share, note=note)


def _sgd(examples: Examples, classes: Ids, options: Mapping[str, Any], seed: int) -> float:
    from sklearn.linear_model import SGDClassifier

    for done, target in enumerate(classes):
        report_progress(done / len(examples.counts))
        model = SGDClassifier(
            loss="log_loss", max_iter=options["epochs"], tol=None, random_state=seed
        )
        model.fit(examples.train, examples.train_targets == target)
    return len(classes) / len(examples.counts)


def _lbfgs(examples: Examples, classes: Ids, options: Mapping[str, Any], seed: int) -> float:
    """Run some iterations of a softmax over these classes and all others as one.

    What an iteration takes is the difference of two runs: setting up counts once.
    """
    import time
    import warnings

    from sklearn.linear_model import LogisticRegression

    warnings.simplefilter("ignore")  # That it has not converged is the point.
    found = np.searchsorted(classes, examples.train_targets)
    found = np.minimum(found, len(classes) - 1)
    targets = np.where(classes[found] == examples.train_targets, found, len(classes))
    spent = []
    for iterations in options["iterations"]:
        start = time.process_time()
        model = LogisticRegression(max_iter=iterations, random_state=seed)
        model.fit(examples.train, targets)
        spent.append(time.process_time() - start)
    few, many = options["iterations"]
    whole = spent[0] + (options["of"] - few) * (spent[1] - spent[0]) / (many - few)
    part = (len(classes) + 1) / len(examples.counts)
    share: float = min(1.0, part * sum(spent) / whole)
    return share
