"""How much of the exact answer an index finds, and how fast."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.batches import BatchReader
from sstrain.data.cache import load
from sstrain.errors import UserError
from sstrain.evaluation.exact import scoring_batch_size
from sstrain.training.saved import SavedModel

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.dataset import Dataset
    from sstrain.serving.hnsw import Index

__all__ = ["Recall", "held_out", "measure", "recall_at"]

_KS = (1, 5, 10, 20)
#: The first of these that a run has gives the examples.
_SPLITS = ("test", "validation", "train")
#: What makes an example's ids, and values, those of a vocabulary.
_NAMES = ("classes", "features", "fitted")


@dataclass(frozen=True)
class Recall:
    """The figures of one index.

    Attributes
    ----------
    split : str
        Where the examples are from: ``test``, ``validation`` or ``train``.
    num_examples : int
    at : dict of int to float
        For each k the share of the exact top k that is among the k found, mean of the examples.
    exact_ms, approximate_ms : float
        Milliseconds a query, in batches as large as ``predict`` has them.
    """

    split: str
    num_examples: int
    at: dict[int, float]
    exact_ms: float
    approximate_ms: float

    def as_json(self) -> dict[str, Any]:
        """Return what is kept: no times, so that equal indices are equal files."""
        at = {f"recall_{k}": value for k, value in self.at.items()}
        return {"split": self.split, "num_examples": self.num_examples, **at}

    def as_text(self) -> str:
        """Return it as tables for a person."""
        return "\n".join(
            [
                f"{self.split} split: {self.num_examples:,} examples",
                "",
                f"{'k':12}" + "".join(f"{k:>12}" for k in self.at),
                f"{'recall':12}" + "".join(f"{value:>12.4f}" for value in self.at.values()),
                "",
                f"{'exact':12}{self.exact_ms:>12.3f} ms a query",
                f"{'approximate':12}{self.approximate_ms:>12.3f} ms a query",
            ]
        )


def measure(
    index: "Index",
    saved: SavedModel,
    pooled: "Callable[[Batch], NDArray[np.float32]]",
    examples: "tuple[str, Dataset]",
    num_examples: int,
) -> Recall:
    """Compare an index with the scores of all classes.

    Parameters
    ----------
    index : Index
    saved : SavedModel
    pooled : callable
        Gives the queries of a batch, float32 of shape [B, r].
    examples : (str, Dataset)
        What `held_out` returned.
    num_examples : int
        How many of them, evenly spaced; all of them if there are fewer.
    """
    name, dataset = examples
    count = min(num_examples, dataset.num_examples)
    ids = np.arange(count) * dataset.num_examples // count
    ks = [k for k in _KS if k <= index.num_classes] or [1]
    reader = BatchReader(dataset, saved.vocabulary.num_features)
    totals, times = np.zeros(len(ks)), np.zeros(2)
    size = scoring_batch_size(index.num_classes)
    # The first batch is done twice: its first time compiles, loads and warms.
    for start in (0, *range(0, count, size)):
        batch = reader.take(ids[start : start + size])
        clock = [time.perf_counter()]
        scores = saved.scorer.score_all(batch)
        best = np.empty((batch.size, ks[-1]), np.int32)
        kernels.top_rows(scores, best, np.empty(best.shape))
        clock.append(time.perf_counter())
        found, _ = index.search(pooled(batch), ks[-1])
        clock.append(time.perf_counter())
        if start == 0:
            totals[:], times[:] = 0, 0
        totals += recall_at(ks, scores, best, found).sum(axis=1)
        times += np.diff(clock)
    at = dict(zip(ks, (totals / count).tolist(), strict=True))
    exact_ms, approximate_ms = (1000 * times / count).tolist()
    return Recall(name, count, at, exact_ms, approximate_ms)


def recall_at(
    ks: list[int],
    scores: NDArray[np.float32],
    best: NDArray[np.int32],
    found: NDArray[np.int32],
) -> NDArray[np.float64]:
    """Return for each k the share of the best k that is among the first k found.

    A class whose score is that of the k-th best counts as one of them.

    Parameters
    ----------
    ks : list of int
    scores : float32 array of shape [B, V]
    best, found : int32 array of shape [B, K]
        Best first; K is at least the largest k.

    Returns
    -------
    float64 array of shape [len(ks), B]
    """
    best_scores = np.take_along_axis(scores, best, axis=1)
    found_scores = np.take_along_axis(scores, found, axis=1)
    return np.array([(found_scores[:, :k] >= best_scores[:, k - 1 : k]).mean(axis=1) for k in ks])


def held_out(
    saved: SavedModel, report: Callable[[str], None], use_cache: bool
) -> "tuple[str, Dataset]":
    """Return a run's test split, else its validation split, else its training rows, by name.

    Parameters
    ----------
    saved : SavedModel
    report : callable
        Takes lines for a person to read.
    use_cache : bool
        Whether the run's cache of data is used.

    Raises
    ------
    UserError
        If the run's data cannot be read, or are no longer those it was trained on.
    """
    splits = load(saved.config.data, report, use_cache)
    if any(getattr(splits.vocabulary, name) != getattr(saved.vocabulary, name) for name in _NAMES):
        raise UserError(
            "data.train: has changed since the run was trained, so recall cannot be measured on "
            "its examples; restore it"
        )
    found = splits.by_name()
    name = next(name for name in _SPLITS if name in found)
    return name, found[name]
