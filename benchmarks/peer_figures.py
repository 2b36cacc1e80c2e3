"""What the peers' benchmarks share: the examples, a stopwatch, exact figures over all classes.

Runs in an environment without sstrain, see low_rank_peers.py.
"""

import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.int64]
Figures: TypeAlias = dict[str, float | None]

TOP = (1, 5, 20)
BLOCK_BYTES = 100 << 20  # Of scores; their exponentials and order take as much again each.


@dataclass(frozen=True)
class Pair:
    """The examples: CSR matrices, and targets as ranks by falling frequency in training."""

    train: Any
    test: Any
    train_targets: Ids
    test_targets: Ids  # -1: a label that training lacks
    counts: Ids


@dataclass
class Trained:
    """What a tool made of the examples."""

    cpu_seconds: float
    wall_seconds: float
    peak_mib: float
    model_bytes: int
    evaluate: Callable[[], Figures]


def read(train: Path, test: Path) -> Pair:
    """Read both files; drop test features that no training row has."""
    from sklearn.datasets import load_svmlight_files

    x, y, x_test, y_test = load_svmlight_files(
        [str(train), str(test)], dtype=np.float32, zero_based=True
    )
    labels, counts = np.unique(y.astype(np.int64), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    ranks = np.full(int(max(y.max(), y_test.max())) + 1, -1)
    ranks[labels[order]] = np.arange(len(labels))
    seen = np.bincount(x.indices, minlength=x.shape[1]) > 0
    x_test.data[~seen[x_test.indices]] = 0
    x_test.eliminate_zeros()
    targets, test_targets = (ranks[labels.astype(np.int64)] for labels in (y, y_test))
    return Pair(x, x_test, targets, test_targets, counts[order])


class Stopwatch:
    """CPU and wall seconds and peak memory from here on."""

    def __init__(self) -> None:
        # Forgets the peak of parsing (Linux: Documentation/filesystems/proc.rst).
        Path("/proc/self/clear_refs").write_text("5")
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def stop(self) -> tuple[float, float, float]:
        """Return CPU seconds, wall seconds, and the peak in MiB."""
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        return cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def size_of(save: Callable[[str], object]) -> int:
    """Return the bytes of a saved model."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        save(path)
        return os.path.getsize(path)


def figures(
    pair: Pair, hidden: Floats, score: Callable[[Floats], Floats], probabilities: bool
) -> Figures:
    """Return log-loss and top-k of the scores [B, V] of rows [B, r], in blocks of rows."""
    loss, hits = 0.0, np.zeros(len(TOP))
    classes = np.arange(len(pair.counts))
    rows = max(1, BLOCK_BYTES // (4 * len(classes)))
    for start in range(0, len(hidden), rows):
        scores = score(hidden[start : start + rows])
        targets = pair.test_targets[start : start + rows]
        known = targets >= 0
        scores, targets = scores[known], targets[known]
        reached = np.take_along_axis(scores, targets[:, None], axis=1)
        # Of classes with equal scores the more frequent one comes first.
        ahead = (scores > reached).sum(axis=1)
        ahead += ((scores == reached) & (classes < targets[:, None])).sum(axis=1)
        hits += [(ahead < k).sum() for k in TOP]
        largest = scores.max(axis=1, keepdims=True)
        sums = np.exp(scores - largest).sum(axis=1, dtype=np.float64)
        loss += float((np.log(sums) + (largest - reached)[:, 0]).sum())
    found: Figures = {"log_loss": None}
    if probabilities:
        found["log_loss"] = loss / int((pair.test_targets >= 0).sum())
    return found | {f"top_{k}": hits[i] / len(hidden) for i, k in enumerate(TOP)}
