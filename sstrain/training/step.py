"""One training step: draw, score, objective, update."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.buffers import Buffers
from sstrain.models.base import Layout, Scores, StepContext
from sstrain.objectives.base import Examples, SampledObjective, State
from sstrain.objectives.exact import Exact

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.kernels import Candidates
    from sstrain.samplers import Sampler

__all__ = ["ExactStep", "Outcome", "SampledStep", "Step"]


class Outcome(NamedTuple):
    """What a step did."""

    losses: NDArray[np.float64]  # [B], unweighted
    bad_losses: int
    bad_weights: int
    candidates_scored: int
    bad_class: int | None = None  # one whose log q is not finite


class Step(Protocol):
    """Takes one step on a batch."""

    def __call__(self, batch: "Batch", epoch: int, number: int, context: StepContext) -> Outcome:
        """Take step ``number`` of an epoch; weights stay as they are if a loss is not finite."""


class SampledStep:
    """A step with the gradient of a sampled objective.

    Parameters
    ----------
    model : Layout
    objective : SampledObjective
    state : dict
        What the objective remembers of each training example.
    sampler : Sampler
    seed : int
        Of the run.
    """

    def __init__(
        self,
        model: Layout,
        objective: SampledObjective,
        state: State,
        sampler: "Sampler",
        seed: int,
    ) -> None:
        self.model = model
        self.objective = objective
        self.state = state
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
        examples = self._examples(batch, context.rate)
        bad_losses = self.objective.gradient(
            *scores, candidates, hits, examples, self.state, losses, *gradient
        )
        bad_weights = 0
        if not bad_losses:
            bad_weights = self.model.update(batch, candidates, hits, gradient, context)
            self.sampler.observe(batch)
        scored = sum(candidates.counts.tolist()) * (batch.size // len(candidates.counts))
        bad_class = _bad_class(candidates, batch.targets) if bad_losses else None
        return Outcome(losses, bad_losses, bad_weights, scored + batch.size, bad_class)

    def _examples(self, batch: "Batch", rate: float) -> Examples:
        squared_norms = self._buffers.float32("squared_norms", 0)
        if self.objective.needs_squared_norms:
            squared_norms = self._buffers.float32("squared_norms", batch.size)
            kernels.squared_norms(batch.arrays, squared_norms)
        return Examples(batch.weights, batch.example_ids, squared_norms, rate)


def _bad_class(candidates: "Candidates", targets: NDArray[np.int32]) -> int | None:
    """Return the first candidate, or else target, whose log q is not finite, if there is one."""
    for group, count in enumerate(candidates.counts):
        bad = np.flatnonzero(~np.isfinite(candidates.log_expected_count[group, :count]))
        if len(bad):
            return int(candidates.classes[group, bad[0]])
    bad = np.flatnonzero(~np.isfinite(candidates.target_log_expected_count[: len(targets)]))
    return int(targets[bad[0]]) if len(bad) else None


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
