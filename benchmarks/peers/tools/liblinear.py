"""liblinear: one-vs-rest logistic regression, on a part of the classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from peers.examples import Examples
from peers.tools.base import Context, Setting, Trained, no_figures, report_progress
from peers.tools.scikit_learn import spread

TITLE = "liblinear"
DISTRIBUTION = "liblinear-official"
NOTE = "one thread, some classes of all: the seconds of all are extrapolated in proportion"

SETTINGS = (
    Setting(
        "-s 0, primal logistic",
        "README: the default logistic solver for many examples",
        {"arguments": "-s 0", "classes": 8},
    ),
    Setting(
        "-s 7, dual logistic",
        "README: the dual where features are many; it is what trees of the other tools call",
        {"arguments": "-s 7", "classes": 8},
        quick=True,
    ),
)


def prepare(
    examples: Examples, options: Mapping[str, Any], context: Context
) -> tuple[Examples, list[Any], list[Any]]:
    """Return a problem for each class; the rows are copied into its own form once."""
    from liblinear.liblinearutil import problem  # type: ignore[import-not-found]

    classes = spread(len(examples.counts), options["classes"])
    problems = []
    for target in classes:
        signs = np.where(examples.train_targets == target, 1.0, -1.0)
        problems.append(problem(signs, examples.train, bias=1))
    return examples, problems, classes.tolist()


def train(
    prepared: tuple[Examples, list[Any], list[Any]], options: Mapping[str, Any], context: Context
) -> Trained:
    """Train one classifier after another, as its one-vs-rest loop does."""
    from liblinear.liblinearutil import train as train_one

    examples, problems, classes = prepared
    for done, one in enumerate(problems):
        report_progress(done / len(examples.counts))
        train_one(one, f"{options['arguments']} -q")
    share = len(classes) / len(examples.counts)
    note = f"{len(classes)} of {len(examples.counts):,} classes"
    return Trained(no_figures, share, note=note)
