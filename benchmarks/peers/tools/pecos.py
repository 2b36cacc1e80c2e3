"""PECOS: XR-Linear, a tree of label clusters with linear classifiers."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from peers.evaluation import Figures, best_of_lists, figures_of_order
from peers.examples import Examples
from peers.tools.base import Context, Setting, Trained

TITLE = "PECOS"
DISTRIBUTION = "libpecos"
NOTE = "XR-Linear, two threads; the clustering of labels is part of its training seconds"

SETTINGS = (
    Setting(
        "XR-Linear, defaults",
        "pecos/xmc/xlinear README: PIFA label embedding, hierarchical k-means of 16, C 1",
        {"solver": "L2R_L2LOSS_SVC_DUAL", "nr_splits": 16},
    ),
    Setting(
        "XR-Linear, logistic",
        "pecos.xmc.xlinear.train --solver-type L2R_LR_DUAL: the loss of a softmax's kin, with the "
        "post-processor of PECOS that goes with it",
        {"solver": "L2R_LR_DUAL", "nr_splits": 16, "post_processor": "sigmoid"},
        sets=("kjv", "placenames"),
    ),
    Setting(
        "XR-Linear, 2 splits",
        "the Python default of nr_splits: a deep tree, cheaper",
        {"solver": "L2R_L2LOSS_SVC_DUAL", "nr_splits": 2},
        quick=True,
    ),
)


def prepare(
    examples: Examples, options: Mapping[str, Any], context: Context
) -> tuple[Examples, Any]:
    """Return the labels as a matrix."""
    import pecos.xmc.xlinear  # type: ignore[import-not-found]  # noqa: F401
    from scipy.sparse import csc_matrix

    rows, classes = len(examples.train_targets), len(examples.counts)
    places = (np.arange(rows), examples.train_targets)
    ones = np.ones(rows, np.float32)
    return examples, csc_matrix((ones, places), shape=(rows, classes), dtype=np.float32)


def train(prepared: tuple[Examples, Any], options: Mapping[str, Any], context: Context) -> Trained:
    """Cluster the labels, and train."""
    from pecos.xmc import Indexer, LabelEmbeddingFactory
    from pecos.xmc.xlinear.model import XLinearModel  # type: ignore[import-not-found]

    examples, labels = prepared
    embedding = LabelEmbeddingFactory.create(labels, examples.train, method="pifa")
    clusters = Indexer.gen(
        embedding, indexer_type="hierarchicalkmeans", nr_splits=options["nr_splits"],
        seed=context.seed, threads=2,
    )  # fmt: skip
    model = XLinearModel.train(
        examples.train, labels, C=clusters, solver_type=options["solver"], threads=2
    )
    processor = options.get("post_processor", "l3-hinge")
    return Trained(lambda: _figures(model, examples, processor))


def _figures(model: Any, examples: Examples, processor: str) -> Figures:
    found = model.predict(
        examples.test, only_topk=5, beam_size=10, post_processor=processor, threads=2
    )
    best = []
    for low, high in pairwise(found.indptr):
        order = np.argsort(-found.data[low:high], kind="stable")
        best.append(found.indices[low:high][order].tolist())
    return figures_of_order(best_of_lists(best), examples.test_targets)
