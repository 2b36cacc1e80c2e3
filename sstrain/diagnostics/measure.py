"""Measuring what sampling does to the gradient, at a model's present weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.batches import BatchReader, epoch_order
from sstrain.diagnostics.batch_errors import TILE_BYTES, BatchErrors
from sstrain.diagnostics.closed_forms import closed_forms
from sstrain.diagnostics.draw_figures import DrawSums, draw_figures, exact_figure
from sstrain.diagnostics.exact import divergences, exact_gradient
from sstrain.diagnostics.forms import ErrorForm, gradient_figures
from sstrain.diagnostics.intervals import GROUPS
from sstrain.diagnostics.replicates import Replicates

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.dataset import Dataset
    from sstrain.diagnostics.figures import Figure
    from sstrain.evaluation.scorer import Scorer
    from sstrain.objectives.base import SampledObjective, State
    from sstrain.samplers import Sampler

__all__ = ["GradientError", "Measurement", "memory"]

#: Of the sample of examples, the same for every run and comparison.
_SAMPLE_SEED = 0x51A7E5
#: Of the draws, unless told otherwise.
_DRAW_SEED = 0x0D1A6D

Key = tuple[str, str, str, str]


class GradientError(NamedTuple):
    """How wrong a sampled gradient is, in few figures.

    Attributes
    ----------
    squared : float
        The mean squared error of the batch's gradient by the weights, relative to the exact
        gradient's square.
    target_bias : float
        The bias of the derivatives by the targets' scores, relative to their size. The derivatives
        by all scores of an example sum to 0, so that it is the bias of the sum of the others too.
    divergence : float
        KL(p || q), in nats.
    """

    squared: float
    target_bias: float
    divergence: float


def memory(batch_size: int, num_classes: int, examples: int) -> int:
    """Return about how many bytes a measurement holds at most.

    36 for each score of a batch while closed forms are computed, or 20 (the score, the exact
    gradient and a product of it) and two tiles of group sums while replicates are drawn; and the
    Gram matrices of every example's errors, in the forms that figures are of.
    """
    tiles = 2 * min(TILE_BYTES, 4 * batch_size * GROUPS * num_classes)
    grams = 8 * 8 * (GROUPS + 3) * GROUPS * max(examples, batch_size)
    return max(36 * batch_size * num_classes, 20 * batch_size * num_classes + tiles) + grams


@dataclass(frozen=True)
class _Measured:
    """One batch's errors and draws."""

    negatives: ErrorForm
    target: ErrorForm
    by_bias: ErrorForm
    by_weight: ErrorForm
    feature_squares: NDArray[np.float64]
    draws: dict[str, NDArray[np.float64]]
    kl: NDArray[np.float64]
    chi_square: NDArray[np.float64]
    closed: dict[Key, float]


class Measurement:
    """Compares the sampled gradient of a fixed sample of training examples with the exact one.

    Memory is about 36 bytes x B x V, or 20 and at most 256 MB beside it; see `memory`.

    Parameters
    ----------
    objective : SampledObjective
    sampler : Sampler
    dataset : Dataset
        The training split.
    num_features : int
        D.
    batch_size : int
        Of training; at most all examples are taken.
    examples : int
        How many, rounded up to whole batches as far as there are examples for them.
    draws : int
        Replicates of the sampled gradient, rounded up to whole groups (at least two replicates
        in each of 16).
    seed : int, optional
        Of the draws.
    """

    def __init__(
        self,
        objective: "SampledObjective",
        sampler: "Sampler",
        dataset: "Dataset",
        num_features: int,
        batch_size: int,
        examples: int,
        draws: int,
        seed: int = _DRAW_SEED,
    ) -> None:
        self.objective = objective
        self.sampler = sampler
        self.replicates = max(2, math.ceil(draws / GROUPS))
        self._reader = BatchReader(dataset, num_features)
        size = min(batch_size, dataset.num_examples)
        count = size * max(1, min(-(-examples // size), dataset.num_examples // size))
        ids = epoch_order(_SAMPLE_SEED, 0, dataset.num_examples, 0, count, dataset.shuffle_block)
        self.example_ids = ids.reshape(-1, size)
        self._source = Replicates(objective, sampler, seed)
        self._fresh = objective.state(dataset.num_examples)

    def figures(self, scorer: "Scorer", state: "State | None" = None) -> "list[Figure]":
        """Return every figure at the live weights of a model, which stay as they are.

        Parameters
        ----------
        scorer : Scorer
            Gives the scores whose softmax the model's probabilities are.
        state : dict, optional
            What the objective remembers of each training example; by default, as of none seen.
        """
        if state is None:
            state = self._fresh
        from threadpoolctl import threadpool_limits

        # One thread, so that sums have the same bits on any machine's number of cores.
        with threadpool_limits(1, "blas"):
            batches = [self._measure(scorer, state, step) for step in range(len(self.example_ids))]
        closed = _mean_of_common([batch.closed for batch in batches])
        return [
            *_gradient_figures(batches, closed),
            *draw_figures([batch.draws for batch in batches], closed),
            exact_figure("kl_divergence", np.concatenate([batch.kl for batch in batches])),
            exact_figure("chi_square", np.concatenate([batch.chi_square for batch in batches])),
        ]

    def gradient_error(self, scorer: "Scorer", state: "State | None" = None) -> GradientError:
        """Return the batches' mean errors.

        These alone take a small part of the time of `figures`: what tells the whole gradient's bias
        from its variance are the errors of all classes. Parameters are those of `figures`.
        """
        if state is None:
            state = self._fresh
        found = [self._gradient_error(scorer, state, step) for step in range(len(self.example_ids))]
        return GradientError(*np.mean(found, axis=0).tolist())

    def _gradient_error(self, scorer: "Scorer", state: "State", step: int) -> GradientError:
        batch = self._reader.take(self.example_ids[step])
        scores = scorer.score_all(batch, averaged=False)
        exact = exact_gradient(scores, batch)
        errors = BatchErrors(batch, exact, self.replicates)
        remembered = {name: array[batch.example_ids] for name, array in state.items()}
        taught = self._taught(scores, batch)
        for number in range(GROUPS * self.replicates):
            replicate = self._source.take(batch, taught, remembered, step, number)
            errors.take(number // self.replicates, replicate.sampled)
        divergence = divergences(exact, self.sampler.log_prob(batch))[0].mean()
        return GradientError(
            errors.relative_squared_error(), errors.relative_target_bias(), float(divergence)
        )

    def _measure(self, scorer: "Scorer", state: "State", step: int) -> _Measured:
        batch = self._reader.take(self.example_ids[step])
        scores = scorer.score_all(batch, averaged=False)
        # Before anything else of the size of the scores is held.
        closed = self._closed_forms(scores, batch)
        exact = exact_gradient(scores, batch)
        errors = BatchErrors(batch, exact, self.replicates)
        draws = DrawSums(
            exact.log_partitions,
            self.replicates,
            self.objective.estimates_partition,
        )
        remembered = {name: array[batch.example_ids] for name, array in state.items()}
        self._draw(batch, step, self._taught(scores, batch), remembered, errors, draws)
        return _Measured(
            *errors.example_forms(),
            *errors.batch_forms(),
            exact.feature_squares,
            draws.values(),
            *divergences(exact, self.sampler.log_prob(batch)),
            closed,
        )

    def _taught(self, scores: NDArray[np.float32], batch: "Batch") -> NDArray[np.float32]:
        """Return the scores that the objective sees at such probabilities."""
        if not self.objective.shifts_by_log_q:
            return scores
        return np.asarray(scores - self.sampler.log_prob(batch), np.float32)

    def _draw(
        self,
        batch: "Batch",
        step: int,
        scores: NDArray[np.float32],
        state: "State",
        errors: BatchErrors,
        draws: DrawSums,
    ) -> None:
        """Draw all replicates, once more for each tile of classes."""
        self._source.take(batch, scores, state, step, 0)  # the clock of the draws starts warm
        for start in range(0, errors.num_classes, errors.tile):
            width = min(errors.tile, errors.num_classes - start)
            sums = np.zeros((batch.size, GROUPS, width), np.float32)
            for number in range(GROUPS * self.replicates):
                group, within = divmod(number, self.replicates)
                replicate = self._source.take(batch, scores, state, step, number)
                if start == 0:
                    errors.take(group, replicate.sampled)
                    draws.take(group, within, replicate)
                kernels.add_negatives(replicate.sampled, start, group, sums)
            errors.take_tile(start, sums)

    def _closed_forms(self, scores: NDArray[np.float32], batch: "Batch") -> dict[Key, float]:
        section = self.sampler.section
        assert section.replacement is not None
        found = closed_forms(
            self.objective,
            scores,
            batch,
            self.sampler.log_prob(batch),
            section.num_samples,
            section.replacement,
            section.share,
        )
        return {} if found is None else found


def _mean_of_common(batches: list[dict[Key, float]]) -> dict[Key, float]:
    """Return the mean over batches of what all of them have."""
    keys = [key for key in batches[0] if all(key in batch for batch in batches)]
    return {key: float(np.mean([batch[key] for batch in batches])) for key in keys}


def _gradient_figures(batches: list[_Measured], closed: Mapping[Key, float]) -> "list[Figure]":
    negatives = ErrorForm.joined([batch.negatives for batch in batches])
    target = ErrorForm.joined([batch.target for batch in batches])
    squares = np.concatenate([batch.feature_squares for batch in batches])
    forms: dict[tuple[str, str, str], ErrorForm] = {}
    for part, form in {"all": negatives + target, "target": target, "negatives": negatives}.items():
        forms["example", "score", part] = form
        forms["example", "weight", part] = form.times(squares)
    forms["batch", "score", "all"] = ErrorForm.joined([batch.by_bias for batch in batches])
    forms["batch", "weight", "all"] = ErrorForm.joined([batch.by_weight for batch in batches])
    figures = []
    for place, form in forms.items():
        known = {key[0]: value for key, value in closed.items() if key[1:] == place}
        figures += gradient_figures(form, *place, known)
    return figures
