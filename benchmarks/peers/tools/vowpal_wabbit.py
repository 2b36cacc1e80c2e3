"""Vowpal Wabbit: online reductions to binary problems in a hashed table of weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from peers.evaluation import Figures, best_of_lists, figures_of_first, figures_of_order
from peers.examples import Examples
from peers.tools.base import Context, Setting, Trained, no_figures

TITLE = "Vowpal Wabbit"
DISTRIBUTION = "vowpalwabbit"
NOTE = "trains from its binary cache, which is written beforehand; parses in a second thread"

_PLT = "--plt {classes} --kary_tree 16 --loss_function logistic -l 1.0 -b 26 --top_k 5"

SETTINGS = (
    Setting(
        "plt, 1 pass",
        "demo/plt: kary_tree 16, -l 1.0, -b 26 to 30, one to five passes",
        {"arguments": _PLT, "passes": 1},
        quick=True,
    ),
    Setting("plt, 3 passes", "demo/plt", {"arguments": _PLT, "passes": 3}),
    Setting(
        "recall_tree, 1 pass",
        "demo/recall_tree: its defaults target; for 10,000 classes and more",
        {"arguments": "--recall_tree {classes} --loss_function logistic -b 26", "passes": 1},
    ),
    Setting(
        "log_multi, 1 pass",
        "wiki: Logarithmic Time Online Multiclass Prediction",
        {"arguments": "--log_multi {classes} --loss_function logistic -b 26", "passes": 1},
    ),
    Setting(
        "oaa, 1 pass",
        "wiki: --oaa is the first choice for several classes; on a few rows, for its speed",
        {"arguments": "--oaa {classes} --loss_function logistic -b 28", "passes": 1, "rows": 4000},
    ),
)


def _line(label: str, features: Any, values: Any) -> str:
    pairs = (f"{i}:{v:g}" for i, v in zip(features, values, strict=True))
    return f"{label} |x {' '.join(pairs)}"


def _lines(matrix: Any, targets: Any, first: int) -> list[str]:
    """Return rows as text, classes counted from `first`."""
    indptr, indices, data = matrix.indptr, matrix.indices, matrix.data
    return [
        _line(str(target + first), indices[low:high], data[low:high])
        for target, low, high in zip(targets, indptr[:-1], indptr[1:], strict=True)
    ]


def _first_class(options: Mapping[str, Any]) -> int:
    return 0 if options["arguments"].startswith("--plt") else 1


def prepare(
    examples: Examples, options: Mapping[str, Any], context: Context
) -> tuple[Examples, Any, Any]:
    """Write the rows, and have them parsed into a cache; of a few rows, make what learns them."""
    from vowpalwabbit import Workspace  # type: ignore[import-not-found]

    path, cache = context.folder / "train.txt", context.folder / "train.cache"
    # In an order of its own: an online learner goes through the rows as they come.
    order = np.random.default_rng(context.seed).permutation(len(examples.train_targets))
    order = order[: options.get("rows")]
    rows = _lines(examples.train[order], examples.train_targets[order], _first_class(options))
    arguments = options["arguments"].format(classes=len(examples.counts))
    if "rows" in options:
        return examples, rows, Workspace(f"{arguments} --quiet")
    path.write_text("\n".join(rows) + "\n")
    # To write the cache it has to predict; the best five of an untrained tree take long.
    parsing = arguments.replace("--top_k 5", "")
    Workspace(f"{parsing} -t -d {path} --cache_file {cache} -k --quiet").finish()
    path.unlink()
    return examples, cache, arguments


def train(
    prepared: tuple[Examples, Any, Any], options: Mapping[str, Any], context: Context
) -> Trained:
    """Run the passes."""
    from vowpalwabbit import Workspace

    examples, source, made = prepared
    if "rows" in options:
        for row in source:
            made.learn(row)
        share = len(source) / (len(examples.train_targets) * options["passes"])
        return Trained(no_figures, share, note=f"{len(source):,} rows were run")
    passes = f"--passes {options['passes']} --holdout_off"
    workspace = Workspace(f"{made} -d {source} --cache_file {source} {passes} --quiet")
    return Trained(lambda: _figures(workspace, examples, _first_class(options)))


def _figures(workspace: Any, examples: Examples, first: int) -> Figures:
    rows = _lines(examples.test, np.full(len(examples.test_targets), first), first)
    predictions = [workspace.predict(row.partition(" ")[2]) for row in rows]
    if first == 0:
        return figures_of_order(best_of_lists(predictions), examples.test_targets)
    return figures_of_first(np.array(predictions) - first, examples.test_targets)
