"""One training step: draw, score, objective, update."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.buffers import Buffers
from sstrain.models.base import Layout, Scores, StepContext
from sstrain.objectives.base import SampledObjective
from sstrain.objectives.exact import Exact

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.samplers.fixed import FixedSampler

__all__ = ["ExactStep", "Outcome", "SampledStep", "Step"]


class Outcome(NamedTuple):
    """What a step did."""

    losses: NDArray[np.float64]  # [B], unweighted
    bad_losses: int
    bad_weights: int
    candidates_scored: int


class Step(Protocol):
    """Takes one step on a batch."""

    def __call__(self, batch: "Batch", epoch: int, number: int, context: StepContext) -> Outcome:
        """Take step ``number`` of an epoch; weights stay as they are if a loss is not finite."""


class SampledStep:
    """A step with the gradient of a sampled objective."""

    def __init__(
        self, model: Layout, objective: SampledObjective, sampler: "FixedSampler", seed: int
    ) -> None:
        self.model = model
        self.objective = objective
        self.sampler = sampler
        self.seed = seed
        self._buffers = Buffers()

    def __call__(self, batch: "Batch", epoch: int, number: int, context: StepContext) -> Outcome:
        """Take step ``number`` of an epoch."""
        buffers = self._buffers
        candidates = self.sampler.draw(batch, self.seed, epoch, number)
        hits = buffers.int32("hits", batch.size)
        kernels.find_hits(candidates, batch.targets, hits)
        scores = self.model.score(batch, candidates, hits, context)
        losses = buffers.float64("losses", batch.size)
        gradient = Scores(
            buffers.float32("d_targets", batch.size),
            buffers.float32("d_scores", *scores.candidates.shape),
        )
        bad_losses = self.objective.gradient(
            *scores, candidates, hits, batch.weights, losses, *gradient
        )
        bad_weights = 0
        if not bad_losses:
            bad_weights = self.model.update(batch, candidates, hits, gradient, context)
        scored = int(candidates.counts.sum()) * (batch.size // len(candidates.counts))
        return Outcome(losses, bad_losses, bad_weights, scored + batch.size)


class ExactStep:
    """A step with the exact gradient."""

    def __init__(self, model: Layout, objective: Exact, num_classes: int) -> None:
        self.model = model
        self.objective = objective
        self.num_classes = num_classes
        self._buffers = Buffers()

    def __call__(self, batch: "Batch", epoch: int, number: int, context: StepContext) -> Outcome:
        """Take a step; the epoch and the number do not matter to it."""
        losses = self._buffers.float64("losses", batch.size)
        log_partitions = self._buffers.float64("log_partitions", batch.size)
        forward = self.model.forward(batch, context)
        self.objective.log_partition(forward.partials, log_partitions)
        bad_losses = self.objective.losses(forward.target_scores, log_partitions, losses)
        bad_weights = 0
        if not bad_losses:
            bad_weights = self.model.update_all(batch, forward, log_partitions, context)
        return Outcome(losses, bad_losses, bad_weights, self.num_classes * batch.size)
