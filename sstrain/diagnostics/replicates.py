"""Sampled gradients of one batch at fixed scores, drawn again and again."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.buffers import Buffers

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.kernels import Candidates, SampledGradients
    from sstrain.objectives.base import SampledObjective
    from sstrain.samplers.fixed import FixedSampler

__all__ = ["Replicate", "Replicates"]


@dataclass(frozen=True)
class Replicate:
    """One draw for a batch and the gradient by it; valid until the next one.

    Attributes
    ----------
    sampled : SampledGradients
    candidates : Candidates
    hits : int32 array of shape [B]
    scores : float32 array of shape [B, K]
    log_partitions : float64 array of shape [B]
        Loss and target's score together: log Z~ where the objective estimates Z.
    seconds : float
        Taken by the draw.
    """

    sampled: "SampledGradients"
    candidates: "Candidates"
    hits: NDArray[np.int32]
    scores: NDArray[np.float32]
    log_partitions: NDArray[np.float64]
    seconds: float


class Replicates:
    """Draws replicates, each a pure function of the seed, its number and the batch's.

    Parameters
    ----------
    objective : SampledObjective
    sampler : FixedSampler
    seed : int
    """

    def __init__(self, objective: "SampledObjective", sampler: "FixedSampler", seed: int) -> None:
        self.objective = objective
        self.sampler = sampler
        self.seed = seed
        self._buffers = Buffers()

    def take(
        self, batch: "Batch", all_scores: NDArray[np.float32], step: int, number: int
    ) -> Replicate:
        """Return replicate ``number`` of batch ``step``, at the scores of all classes [B, V]."""
        buffers, size = self._buffers, batch.size
        start = time.perf_counter()
        candidates = self.sampler.draw(batch, self.seed, number, step)
        seconds = time.perf_counter() - start
        num_samples = candidates.classes.shape[1]
        hits = buffers.int32("hits", size)
        kernels.find_hits(candidates, batch.targets, hits)
        target_scores = buffers.float32("target_scores", size)
        scores = buffers.float32("scores", size, num_samples)
        kernels.gather_scores(all_scores, candidates, batch.targets, target_scores, scores)
        losses = buffers.float64("losses", size)
        d_targets = buffers.float32("d_targets", size)
        d_scores = buffers.float32("d_scores", size, num_samples)
        # The objective's gradient is of the mean over the batch: with weights of B, it is each
        # example's own.
        weights = np.full(size, size, np.float32)
        self.objective.gradient(
            target_scores, scores, candidates, hits, weights, losses, d_targets, d_scores
        )
        kernels.merge_hits(hits, d_targets, d_scores)
        sampled = kernels.SampledGradients(
            candidates.classes, candidates.counts, batch.targets, d_targets, d_scores
        )
        return Replicate(sampled, candidates, hits, scores, losses + target_scores, seconds)
