"""The steps of a low-rank model under a sampled gradient."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.models.base import Scores, StepContext
from sstrain.models.low_rank_factors import Factors, Sides

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.kernels import Candidates, ClassColumns

__all__ = ["SampledFactors"]


class _Gradient(NamedTuple):
    """The gradient of a sampled step, as far as both sides share it."""

    classes: NDArray[np.int32]  # [P], those that the step changes
    columns: "ClassColumns"
    d_scores: NDArray[np.float32]  # [B, K], of the first K classes, or [B, 0]
    d_pooled: NDArray[np.float32]  # [B, r], of each example's sum of features


class SampledFactors(Factors):
    """Factors that are trained by matrix products, or by gathers where examples share nothing."""

    def score(
        self,
        batch: "Batch",
        candidates: "Candidates",
        hits: NDArray[np.int32],
        context: StepContext,
    ) -> Scores:
        """Score targets and candidates; ``hits`` are the targets' places among them, or -1.

        Where the batch shares them the scores have as many columns as there are distinct ones.
        """
        sides = self.sides(context)
        pooled = self.pool("step_pooled", batch, sides)
        shared = len(candidates.counts) == 1
        width = int(candidates.counts[0]) if shared else candidates.classes.shape[1]
        scores = Scores(
            self.buffers.float32("target_scores", batch.size),
            self.buffers.float32("scores", batch.size, width),
        )
        if shared:
            touched = self.touched(batch, candidates, hits)
            rank = self.section.rank
            rows = self.buffers.float32("rows", len(touched.classes), rank)
            panels = self.buffers.float32("panels", *kernels.panels_shape(width, rank))
            kernels.low_rank_score_shared(
                sides.classes, self.bias, pooled, touched, rows, panels, *scores
            )
        else:
            kernels.low_rank_score_each(
                sides.classes, self.bias, pooled, batch.targets, candidates, *scores
            )
        return scores

    def update(
        self,
        batch: "Batch",
        candidates: "Candidates",
        hits: NDArray[np.int32],
        d_scores: Scores,
        context: StepContext,
    ) -> int:
        """Apply a score gradient of targets and candidates; return the number of bad rows."""
        sides = self.sides(context)
        if len(candidates.counts) == 1:
            gradient = self._backward_shared(batch, candidates, hits, d_scores, sides)
        else:
            gradient = self._backward_each(batch, candidates, d_scores, sides)
        bad = self._update_classes(batch, sides, gradient, context)
        return bad + self.update_features(batch, sides, gradient.d_pooled, context)

    def _backward_shared(
        self,
        batch: "Batch",
        candidates: "Candidates",
        hits: NDArray[np.int32],
        d_scores: Scores,
        sides: Sides,
    ) -> _Gradient:
        buffers, rank = self.buffers, self.section.rank
        touched = self.touched(batch, candidates, hits)
        gradient = _Gradient(
            touched.classes,
            self._columns(
                touched.target_places,
                np.arange(batch.size, dtype=np.int32),
                d_scores.targets,
                len(touched.classes),
            ),
            d_scores.candidates,
            buffers.float32("d_pooled", batch.size, rank),
        )
        kernels.low_rank_backward_shared(
            sides.pooling,
            batch.arrays,
            batch.example_ids,
            buffers.float32("rows", len(touched.classes), rank),
            touched.target_places,
            *d_scores,
            gradient.d_pooled,
        )
        return gradient

    def _backward_each(
        self, batch: "Batch", candidates: "Candidates", d_scores: Scores, sides: Sides
    ) -> _Gradient:
        buffers, rank = self.buffers, self.section.rank
        most = batch.size * (candidates.classes.shape[1] + 1)
        classes = buffers.int32("placed", most)  # not what `touched` remembers
        places, examples = buffers.int32("places", most), buffers.int32("examples", most)
        values = buffers.float32("values", most)
        number, entries = kernels.place_candidates(
            candidates,
            batch.targets,
            *d_scores,
            self.place_of_class,
            classes,
            places,
            examples,
            values,
        )
        columns = self._columns(places[:entries], examples[:entries], values[:entries], number)
        d_pooled = buffers.float32("d_pooled", batch.size, rank)
        kernels.low_rank_backward_each(
            sides.classes,
            sides.pooling,
            batch.arrays,
            batch.example_ids,
            batch.targets,
            candidates,
            *d_scores,
            d_pooled,
        )
        none = np.empty((batch.size, 0), np.float32)
        return _Gradient(classes[:number], columns, none, d_pooled)

    def _columns(
        self,
        places: NDArray[np.int32],
        examples: NDArray[np.int32],
        values: NDArray[np.float32],
        number: int,
    ) -> "ClassColumns":
        columns = kernels.ClassColumns(
            self.buffers.int32("column_starts", number + 1),
            self.buffers.int32("column_examples", len(places)),
            self.buffers.float32("column_values", len(places)),
        )
        kernels.class_columns(places, examples, values, columns)
        return columns

    def _update_classes(
        self, batch: "Batch", sides: Sides, gradient: _Gradient, context: StepContext
    ) -> int:
        factors, bias = self.parameters["class_factors"], self.parameters["bias"]
        return kernels.low_rank_update_classes(
            sides.classes,
            self.bias,
            factors.rule(context.rate),
            bias.rule(context.rate),
            factors.kernel_average(),
            bias.kernel_average(),
            gradient.classes,
            gradient.columns,
            self.buffers.float32("step_pooled", batch.size, self.section.rank),
            gradient.d_scores,
            self.buffers.float32("bias_gradient", len(gradient.classes)),
        )
