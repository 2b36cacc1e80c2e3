"""napkinXC: probabilistic label trees and hierarchical softmax with linear classifiers."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from peers.evaluation import Figures, best_of_lists, figures_of_order
from peers.examples import Examples
from peers.tools.base import Context, Setting, Trained

TITLE = "napkinXC"
DISTRIBUTION = "napkinxc"
NOTE = (
    "two threads; writes its model to disk while it trains. The log-loss of HSM, whose "
    "probabilities sum to one, is that of 2,000 test rows, for it lists all classes of each"
)

_LOG_LOSS_ROWS = 2000
_ROWS_AT_ONCE = 20

SETTINGS = (
    Setting(
        "PLT",
        "Python API: the defaults (hierarchical k-means, liblinear, log loss)",
        {"model": "PLT"},
    ),
    Setting(
        "PLT, AdaGrad, 3 epochs",
        "Python API: optimizer='adagrad', eta 1; the online learner is cheaper than liblinear",
        {"model": "PLT", "optimizer": "adagrad", "epochs": 3},
        quick=True,
    ),
    Setting("HSM", "Python API: the defaults; for multi-class data", {"model": "HSM"}),
    Setting(
        "HSM, AdaGrad, 3 epochs",
        "Python API: optimizer='adagrad'",
        {"model": "HSM", "optimizer": "adagrad", "epochs": 3},
    ),
)


def prepare(
    examples: Examples, options: Mapping[str, Any], context: Context
) -> tuple[Examples, Any, Path]:
    """Return the labels as each model takes them: PLT a list for each row, HSM one label."""
    import napkinxc.models  # type: ignore[import-not-found]  # noqa: F401

    labels = examples.train_targets.tolist()
    if options["model"] == "PLT":
        labels = [[label] for label in labels]
    return examples, labels, context.folder


def train(
    prepared: tuple[Examples, Any, Path], options: Mapping[str, Any], context: Context
) -> Trained:
    """Train."""
    from napkinxc import models

    examples, labels, folder = prepared
    changes = {key: value for key, value in options.items() if key != "model"}
    make = getattr(models, options["model"])
    model = make(str(folder / "model"), seed=context.seed, threads=2, **changes)
    model.fit(examples.train, labels)
    return Trained(lambda: _figures(model, examples, options["model"] == "HSM"))


def _figures(model: Any, examples: Examples, probabilities: bool) -> Figures:
    model.load()
    best = best_of_lists(model.predict(examples.test, top_k=5))
    found = figures_of_order(best, examples.test_targets)
    if probabilities:
        found["log_loss"] = _log_loss(model, examples)
    return found


def _log_loss(model: Any, examples: Examples) -> float:
    """Return the mean over rows that are spread evenly over those with a known label."""
    known = np.flatnonzero(examples.test_targets >= 0)
    rows = known[:: max(1, len(known) // _LOG_LOSS_ROWS)]
    losses = []
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = rows[start : start + _ROWS_AT_ONCE]
        # No threshold above 0 and no k: each class with its probability.
        lists = model.predict_proba(examples.test[part], top_k=len(examples.counts))
        for target, pairs in zip(examples.test_targets[part], lists, strict=True):
            found = dict(pairs)
            total = sum(found.values())
            losses.append(-math.log(max(found.get(int(target), 0.0) / total, 1e-300)))
    return float(np.mean(losses))
