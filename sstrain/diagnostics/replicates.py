"""Sampled gradients of one batch at fixed scores, drawn again and again."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.buffers import Buffers
from sstrain.objectives.base import Examples, State

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.kernels import Candidates, SampledGradients
    from sstrain.objectives.base import SampledObjective
    from sstrain.samplers import Sampler

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
    sampler : Sampler
    seed : int
    """

    def __init__(self, objective: "SampledObjective", sampler: "Sampler", seed: int) -> None:
        self.objective = objective
        self.sampler = sampler.for_replicates()
        self.seed = seed
        self._buffers = Buffers()

    def take(
        self,
        batch: "Batch",
        all_scores: NDArray[np.float32],
        state: State,
        step: int,
        number: int,
    ) -> Replicate:
        """Return replicate ``number`` of batch ``step``, at the scores of all classes [B, V].

        ``state`` is what the objective remembers of the batch's examples, and stays as it is.
        """
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
        examples = self._examples(batch)
        remembered = {name: array.copy() for name, array in state.items()}
        self.objective.gradient(
            target_scores,
            scores,
            candidates,
            hits,
            examples,
            remembered,
            losses,
            d_targets,
            d_scores,
        )
        kernels.merge_hits(hits, d_targets, d_scores)
        sampled = kernels.SampledGradients(
            candidates.classes, candidates.counts, batch.targets, d_targets, d_scores
        )
        return Replicate(sampled, candidates, hits, scores, losses + target_scores, seconds)

    def _examples(self, batch: "Batch") -> Examples:
        size = batch.size
        squared_norms = self._buffers.float32("squared_norms", size)
        kernels.squared_norms(batch.arrays, squared_norms)
        # A rate of 0: of an implicit step, the gradient at the weights that it starts from.
        return Examples(np.full(size, size, np.float32), np.arange(size), squared_norms, 0.0)
