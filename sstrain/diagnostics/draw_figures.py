"""Figures of the draws themselves and of the estimate of the partition function."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.diagnostics.figures import Figure
from sstrain.diagnostics.intervals import (
    GROUPS,
    examples_error,
    mean_estimate,
    standard_error_of_mean,
)

if TYPE_CHECKING:
    from sstrain.diagnostics.replicates import Replicate

__all__ = ["DrawSums", "draw_figures", "exact_figure"]

Float64 = NDArray[np.float64]

#: The log of Z~ / Z is cut here, so that squares of its variance stay finite.
_MAX_LOG = 150.0


class _Kind(NamedTuple):
    level: str
    aggregate: str
    positive: bool  # never negative and skewed
    of_examples: bool


_KINDS = {
    "log_partition_bias": _Kind("example", "mean over examples", False, True),
    "log_partition_variance": _Kind("example", "mean over examples", True, True),
    "partition_relative_variance": _Kind("example", "mean over examples of Var/Z^2", True, True),
    "effective_sample_size": _Kind("draws", "mean over examples", False, True),
    "accidental_hit_rate": _Kind("draws", "mean over examples, of K draws", False, True),
    "distinct_classes": _Kind("draws", "mean over groups of K draws", False, False),
    "nanoseconds_a_draw": _Kind("draws", "mean over draws", True, False),
}


class DrawSums:
    """Each group's figures of a batch's draws.

    Parameters
    ----------
    log_partitions : float64 array of shape [B]
        The exact log Z.
    replicates : int
        In each group.
    estimates_partition : bool
        Whether the objective has an estimate of Z.
    """

    def __init__(self, log_partitions: Float64, replicates: int, estimates_partition: bool) -> None:
        size = len(log_partitions)
        self._log_partitions = log_partitions
        self._replicates = replicates
        self._estimates_partition = estimates_partition
        self._log_ratios = np.empty((GROUPS, replicates, size))
        self._sums = {
            "effective_sample_size": np.zeros((size, GROUPS)),
            "accidental_hit_rate": np.zeros((size, GROUPS)),
            "distinct_classes": np.zeros((1, GROUPS)),
            "nanoseconds_a_draw": np.zeros((1, GROUPS)),
        }
        self._sizes = np.empty(size)

    def take(self, group: int, number: int, replicate: "Replicate") -> None:
        """Take in replicate ``number`` of a group."""
        candidates, hits, sums = replicate.candidates, replicate.hits, self._sums
        groups, num_samples = candidates.classes.shape
        self._log_ratios[group, number] = replicate.log_partitions - self._log_partitions
        kernels.effective_sample_sizes(replicate.scores, candidates, hits, self._sizes)
        sums["effective_sample_size"][:, group] += self._sizes
        hit = np.flatnonzero(hits >= 0)
        rows = hit if groups > 1 else 0
        drawn = candidates.multiplicity[rows, hits[hit]]
        sums["accidental_hit_rate"][hit, group] += drawn / num_samples
        sums["distinct_classes"][0, group] += candidates.counts.mean()
        drawn_in_all = groups * num_samples
        sums["nanoseconds_a_draw"][0, group] += 1e9 * replicate.seconds / drawn_in_all

    def values(self) -> dict[str, Float64]:
        """Return each quantity by example (or once), float64 [B or 1, G]."""
        found = {name: sums / self._replicates for name, sums in self._sums.items()}
        if not self._estimates_partition:
            return found
        ratios = np.exp(np.minimum(self._log_ratios, _MAX_LOG))
        # Variances inside the groups: the groups stay independent.
        return {
            "log_partition_bias": self._log_ratios.mean(axis=1).T,
            "log_partition_variance": self._log_ratios.var(axis=1, ddof=1).T,
            "partition_relative_variance": ratios.var(axis=1, ddof=1).T,
            **found,
        }


def draw_figures(
    batches: list[dict[str, Float64]], closed: Mapping[tuple[str, str, str, str], float]
) -> list[Figure]:
    """Return the figures of all batches together."""
    figures = []
    for quantity in batches[0]:
        kind = _KINDS[quantity]
        values = np.concatenate([batch[quantity] for batch in batches])
        estimate = mean_estimate(values.mean(axis=0), kind.positive)
        error = examples_error(lambda mean: mean, values.mean(axis=1)) if kind.of_examples else None
        exact = closed.get((quantity, kind.level, "", ""))
        figures.append(
            Figure(quantity, kind.level, "", "", kind.aggregate, *estimate, error, exact)
        )
    return figures


def exact_figure(quantity: str, values: Float64) -> Figure:
    """Return the mean over examples, float64 [N], of what needs no draws."""
    mean = float(values.mean())
    error = standard_error_of_mean(values) if len(values) > 1 else None
    return Figure(quantity, "draws", "", "", "mean over examples", mean, mean, mean, error, mean)
