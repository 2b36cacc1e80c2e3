"""How large the steps of a run are, counted from its own batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limits.caches import LINE_BYTES, Caches
from limits.recency import Recency
from sstrain.data.batches import Batch, BatchReader, epoch_order
from sstrain.training.engine import Engine

__all__ = ["Shape", "count_shape"]

#: Batches that fill the caches, at most, and batches that are counted after them.
_BEFORE, _COUNTED = 150, 20
_NUMBERS_OF_LINE = LINE_BYTES // 4


@dataclass(frozen=True)
class Shape:
    """A step's size: means over batches.

    What is *new* cannot have been kept by the caches since it was used last.
    """

    classes: float  # V
    rank: float  # r, 0 for a layout without
    batch: float  # B
    entries: float  # non-zeros of the batch
    rows: float  # distinct features
    new_rows: float
    candidates: float  # distinct candidates
    touched: float  # those, and the targets that are none of them
    cells: float  # weights (feature, touched class) that the step reads and changes
    lines: float  # distinct lines of 64 bytes in which they lie
    new_lines: float


def _batches(engine: Engine, count: int, ordered: bool) -> Iterator[tuple[int, Batch]]:
    """Yield batches as a run takes them, or as evaluation does."""
    size, examples = engine.config.training.batch_size, engine.dataset.num_examples
    reader = BatchReader(engine.dataset, engine.vocabulary.num_features)
    for position in range(min(count, examples // size)):
        bounds = position * size, (position + 1) * size
        if ordered:
            yield position, reader.take(np.arange(*bounds))
        else:
            yield position, reader.take(epoch_order(engine.config.seed, 0, examples, *bounds))


def _candidates(engine: Engine, batch: Batch, position: int) -> NDArray[np.int64]:
    """Return the distinct candidates of a batch that shares them."""
    if engine.sampler is None:
        return np.zeros(0, np.int64)
    drawn: Any = engine.sampler.draw(batch, engine.config.seed, 0, position)
    return drawn.classes[0, : drawn.counts[0]].astype(np.int64)  # type: ignore[no-any-return]


def touched_cells(batch: Batch, classes: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """Return the distinct cells of a table [D, V] that a batch and its shared candidates touch."""
    features = batch.arrays.features[: batch.num_features].astype(np.int64)
    counts = np.diff(batch.arrays.indptr[: batch.size + 1])
    holders = features[batch.arrays.slots[: counts.sum()]]
    of_targets = holders * num_classes + np.repeat(batch.targets, counts)
    shared = (features[:, None] * num_classes + classes).reshape(-1)
    return np.unique(np.concatenate([shared, of_targets]))


def count_shape(engine: Engine, caches: Caches, threads: int, ordered: bool = False) -> Shape:
    """Count the batches of an engine.

    Parameters
    ----------
    engine : Engine
    caches : Caches
    threads : int
        So many cores' caches hold what was used.
    ordered : bool
        Whether batches are taken in the order of the file, and only read.
    """
    num_features, num_classes = engine.vocabulary.num_features, engine.vocabulary.num_classes
    rank = int(getattr(engine.config.model, "rank", 0))
    # Weights and, where they are changed, accumulators.
    held = caches.whole(threads) / (1 if ordered else 2)
    of_classes = 4 * rank * num_classes
    rows = Recency(num_features, (held - of_classes) / (4 * (rank or num_classes)))
    sampled = engine.sampler is not None and not rank
    num_lines = num_features * num_classes // _NUMBERS_OF_LINE + 1 if sampled else 0
    lines = Recency(num_lines, held / LINE_BYTES)
    found = []
    for position, batch in _batches(engine, _BEFORE + _COUNTED, ordered):
        classes = _candidates(engine, batch, position)
        cells = touched_cells(batch, classes, num_classes) if sampled else np.zeros(0, np.int64)
        lines_of_cells = np.unique(cells // _NUMBERS_OF_LINE)
        features = batch.arrays.features[: batch.num_features].astype(np.int64)
        counted = [
            batch.size,
            int(batch.arrays.indptr[batch.size]),
            batch.num_features,
            rows.missing(features),
            len(classes),
            len(np.union1d(classes, batch.targets)),
            len(cells),
            len(lines_of_cells),
            lines.missing(lines_of_cells),
        ]
        found.append(counted)
    return Shape(num_classes, rank, *np.mean(found[-_COUNTED:], axis=0).tolist())
