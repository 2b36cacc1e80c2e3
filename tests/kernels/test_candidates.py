"""The places of targets among their candidates, against a plain search."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sstrain import kernels


def candidates_of(classes: NDArray[np.int32], counts: list[int], size: int) -> kernels.Candidates:
    return kernels.Candidates(
        classes,
        np.ones(classes.shape, np.float32),
        np.zeros(classes.shape, np.float32),
        np.array(counts, np.int32),
        np.zeros(size, np.float32),
    )


def expected(classes: NDArray[np.int32], count: int, target: int) -> int:
    places = np.flatnonzero(classes[:count] == target)
    return int(places[0]) if len(places) else -1


@pytest.mark.parametrize("count", range(10))
def test_places_among_shared_candidates(count: int) -> None:
    # What stands past the count is not set: here it would be found.
    classes = np.arange(1, 24, 2, dtype=np.int32)[np.newaxis]
    targets = np.arange(25, dtype=np.int32)
    hits = np.full(25, -7, np.int32)
    kernels.find_hits(candidates_of(classes, [count], 25), targets, hits)
    assert hits.tolist() == [expected(classes[0], count, int(target)) for target in targets]


def test_places_among_candidates_of_each_examples_own() -> None:
    rng = np.random.default_rng(1)
    size, width = 200, 9
    drawn = [np.sort(rng.choice(12, width, replace=False)) for _ in range(size)]
    classes = np.array(drawn, np.int32)
    counts = rng.integers(0, width + 1, size).tolist()
    targets, hits = rng.integers(0, 12, size).astype(np.int32), np.full(size, -7, np.int32)
    kernels.find_hits(candidates_of(classes, counts, size), targets, hits)
    rows = zip(classes, counts, targets, strict=True)
    assert hits.tolist() == [expected(row, count, int(target)) for row, count, target in rows]
