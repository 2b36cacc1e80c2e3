"""omikuji: Parabel's and Bonsai's label trees with linear classifiers in their nodes."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from peers.evaluation import Figures, best_of_lists, figures_of_order
from peers.examples import Examples
from peers.tools.base import Context, Setting, Trained

TITLE = "omikuji"
DISTRIBUTION = "omikuji"
NOTE = (
    "two threads; its own reading of its file comes before its training call; it is given no rows "
    "without features, which it cannot read"
)

SETTINGS = (
    Setting(
        "defaults",
        "README: Parabel, three balanced trees of two branches",
        {},
    ),
    Setting(
        "one tree",
        "README, --n_trees: cheaper, at some loss",
        {"n_trees": 1},
        quick=True,
    ),
    Setting(
        "Bonsai",
        "README: --cluster.unbalanced --n_trees 3 --cluster.k 100, without collapse of small trees",
        {"cluster_k": 100, "cluster_balanced": False},
        sets=("kjv", "placenames"),
    ),
)


def write_xc(examples: Examples, path: Path) -> None:
    """Write the training rows that have a feature: omikuji refuses a file with others."""
    matrix = examples.train
    indptr, indices, data = matrix.indptr, matrix.indices, matrix.data
    with path.open("w") as file:
        filled = np.flatnonzero(np.diff(indptr))
        file.write(f"{len(filled)} {matrix.shape[1]} {len(examples.counts)}\n")
        for row in filled:
            target, part = examples.train_targets[row], slice(indptr[row], indptr[row + 1])
            pairs = zip(indices[part], data[part], strict=True)
            file.write(f"{target} {' '.join(f'{i}:{v:g}' for i, v in pairs)}\n")


def prepare(
    examples: Examples, options: Mapping[str, Any], context: Context
) -> tuple[Examples, Any, Any]:
    """Write the file, and have it read: `Model.train_on_data` would do so inside."""
    import omikuji  # type: ignore[import-not-found]

    path = context.folder / "train.txt"
    write_xc(examples, path)
    threads = omikuji._ThreadPoolHandle(2)
    name = omikuji.ffi.new("char[]", str(path).encode())
    read = omikuji.lib.load_omikuji_data_set(name, threads.ptr)
    if read == omikuji.ffi.NULL:
        raise RuntimeError("the file could not be read")
    return examples, read, threads


def train(
    prepared: tuple[Examples, Any, Any], options: Mapping[str, Any], context: Context
) -> Trained:
    """Train, as `Model.train_on_data` does once it has read its file."""
    import omikuji

    examples, read, threads = prepared
    parameters = omikuji.Model.default_hyper_param()
    for key, value in options.items():
        setattr(parameters, key, value)
    trained = omikuji.lib.train_omikuji_model(read, parameters, threads.ptr)
    if trained == omikuji.ffi.NULL:
        raise RuntimeError("training failed")
    model = omikuji.Model(trained, threads)
    return Trained(lambda: _figures(model, examples))


def _figures(model: Any, examples: Examples) -> Figures:
    matrix = examples.test
    indptr, indices, data = matrix.indptr, matrix.indices.tolist(), matrix.data.tolist()
    best = []
    for low, high in pairwise(indptr):
        pairs = list(zip(indices[low:high], data[low:high], strict=True))
        best.append([label for label, _ in model.predict(pairs, beam_size=10, top_k=5)])
    return figures_of_order(best_of_lists(best), examples.test_targets)
