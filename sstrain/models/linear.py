"""What the layouts share that keep a weight for a feature and a class: ``z = W^T x + b``."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.models.base import ForwardPass, Model, Scores, StepContext, StepShape
from sstrain.models.parameters import Parameter, Parameters, item_bytes
from sstrain.models.parametric import Parametric

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.kernels import Candidates
    from sstrain.optim.base import Optimizer

__all__ = [
    "LINEAR_RATES",
    "LinearModel",
    "OwnedRows",
    "Tables",
    "linear_memory",
    "linear_step_bytes",
]

#: As tried with the dense layout on KJV.
LINEAR_RATES = {"sgd": 2.0, "adagrad": 0.35, "rowwise_adagrad": 3.0, "adam": 0.003}


def linear_memory(
    section: Model, rows: int, cells: int, num_classes: int, optimizer: "Optimizer"
) -> dict[str, int]:
    """Return the bytes of a table of weights and of the bias, which is a row of its own."""
    parts = {"weights": item_bytes(section.dtype) * cells + 4 * num_classes}
    state = optimizer.state_bytes(rows, cells) + optimizer.state_bytes(1, num_classes)
    if state:
        parts["optimizer"] = state
    if optimizer.average_from is not None:
        parts["averaging"] = 4 * (cells + num_classes)
    return parts


def linear_step_bytes(num_classes: int, shape: StepShape) -> int:
    """Return the bytes of a step's scratch arrays, as `LinearModel` has them."""
    batch, width = shape.batch_size, shape.num_samples
    if width is None:
        return 4 * batch * num_classes
    if shape.shared:
        return 4 * width * (shape.entries + 2 * batch)
    return 4 * width * 5 * batch + (12 * kernels.TILES + 4) * num_classes


class Tables(NamedTuple):
    """Weights, rule and average as the update kernels take them, the bias's beside each."""

    table: Any
    bias: NDArray[np.float32]
    rule: Any
    bias_rule: Any
    average: Any
    bias_average: Any


class RowScratch(NamedTuple):
    """What update kernels gather the gradients of rows in, where each example has its own draws."""

    classes: NDArray[np.int32]  # [V], all of them
    gradient: NDArray[np.float32]  # [TILES, V]
    places: NDArray[np.int32]  # [TILES, V]
    marks: NDArray[np.int32]  # [TILES, V]
    first_stamp: int


class LinearModel(Parametric):
    """Weights and bias with their optimiser state, and what every layout of them does.

    Parameters
    ----------
    section : Model
    weight : Parameter
    num_classes : int
    optimizer : Optimizer
    """

    def __init__(
        self, section: Model, weight: Parameter, num_classes: int, optimizer: "Optimizer"
    ) -> None:
        bias = Parameter((num_classes,), 1, optimizer)
        super().__init__(Parameters(weight=weight, bias=bias))
        self.section = section
        self._classes = np.arange(0, dtype=np.int32)
        self._next_stamp = 1

    @property
    def weight(self) -> NDArray[Any]:
        """The table of weights."""
        return self.parameters["weight"].values

    @abstractmethod
    def table(self, key: int = 0) -> Any:
        """Return the weights as kernels take them; ``key`` is that of a step's rounding."""

    def initialise(self, vocabulary: "Vocabulary", seed: int) -> None:
        """Set the bias; all weights are 0 before the first step."""
        if self.section.bias_init == "log_prior":
            self.bias[:] = vocabulary.log_prior()

    def weights(
        self, features: NDArray[np.int64], classes: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the weight of each pair of a feature and a class, as scores add it."""
        found = np.empty(len(features), np.float32)
        kernels.weights_at(self.table(), features, classes, found)
        return found

    def score(
        self,
        batch: "Batch",
        candidates: "Candidates",
        hits: NDArray[np.int32],
        context: StepContext,
    ) -> Scores:
        """Score targets and candidates; ``hits`` are the targets' places among them, or -1."""
        num_samples = candidates.classes.shape[1]
        scores = Scores(
            self.buffers.float32("target_scores", batch.size),
            self.buffers.float32("scores", batch.size, num_samples),
        )
        if len(candidates.counts) == 1:
            block = self.buffers.float32("block", batch.num_features, num_samples)
            kernels.linear_score_shared(
                self.table(),
                self.bias,
                batch.arrays,
                batch.num_features,
                batch.targets,
                hits,
                candidates,
                block,
                *scores,
            )
        else:
            kernels.linear_score_each(
                self.table(), self.bias, batch.arrays, batch.targets, candidates, *scores
            )
        return scores

    def row_scratch(self, num_features: int) -> RowScratch:
        """Return scratch for a step's rows, and the first row's stamp.

        Stamps rise from step to step, so that no step need clear V marks for each tile.
        """
        if not len(self._classes):
            self._classes = np.arange(self.num_classes, dtype=np.int32)
        shape = (kernels.TILES, self.num_classes)
        marks, first = self.buffers.int32("marks", *shape), self._next_stamp
        if first + num_features >= np.iinfo(np.int32).max:
            marks[:] = 0
            first = 1
        self._next_stamp = first + num_features + 1  # the bias has the last
        return RowScratch(
            self._classes,
            self.buffers.float32("gradient", *shape),
            self.buffers.int32("places", *shape),
            marks,
            first,
        )

    @abstractmethod
    def write_exponentials(self, batch: "Batch", result: ForwardPass) -> None:
        """Score all classes for an exact step."""

    @abstractmethod
    def write_scores(self, batch: "Batch", averaged: bool, scores: NDArray[np.float32]) -> None:
        """Write the scores of all classes, float32 [B, V]."""

    def exponentials_shape(self, size: int) -> tuple[int, ...]:
        """Return the shape of an exact step's exponentials for so many examples."""
        return size, self.num_classes

    def forward(self, batch: "Batch", context: StepContext) -> ForwardPass:
        """Score all classes for an exact step."""
        result = self.forward_pass(batch.size, *self.exponentials_shape(batch.size))
        self.write_exponentials(batch, result)
        return result

    @abstractmethod
    def update_all(
        self,
        batch: "Batch",
        forward: ForwardPass,
        log_partitions: NDArray[np.float64],
        context: StepContext,
    ) -> int:
        """Apply the exact gradient; the pass's exponentials are used up."""

    def score_gradients(
        self, batch: "Batch", forward: ForwardPass, log_partitions: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Return the gradients by scores, float32 [B, V], in the place of such exponentials."""
        kernels.probabilities_to_gradients(
            forward.exponentials, batch.targets, batch.weights, log_partitions, forward.partials
        )
        return forward.exponentials

    def row_rates(
        self, tables: Tables, batch: "Batch", d_scores: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the rate of each of the batch's rows, the bias last: float32 [F + 1]."""
        rates = self.buffers.float32("rates", batch.num_features + 1)
        kernels.linear_row_rates(
            tables.rule, tables.bias_rule, batch.arrays, batch.num_features, d_scores, rates
        )
        return rates

    def score_all(self, batch: "Batch", averaged: bool = True) -> NDArray[np.float32]:
        """Return the scores of all classes, float32 [B, V], by the average if there is one.

        With ``averaged=False`` they are those of the live weights, which steps work on.
        """
        scores = self.buffers.float32("all_scores", batch.size, self.num_classes)
        self.write_scores(batch, averaged, scores)
        return scores

    def tables(self, context: StepContext) -> Tables:
        """Return what update kernels take for one step."""
        weight, bias = self.parameters["weight"], self.parameters["bias"]
        return Tables(
            self.table(context.key),
            self.bias,
            weight.rule(context.rate),
            bias.rule(context.rate),
            weight.kernel_average(),
            bias.kernel_average(),
        )


class OwnedRows(LinearModel):
    """A layout in which each feature has cells of its own, so that one thread updates a row."""

    def update(
        self,
        batch: "Batch",
        candidates: "Candidates",
        hits: NDArray[np.int32],
        d_scores: Scores,
        context: StepContext,
    ) -> int:
        """Apply a score gradient of targets and candidates; return the number of bad rows."""
        tables = self.tables(context)
        if len(candidates.counts) == 1:
            touched = self.touched(batch, candidates, hits)
            return kernels.linear_update_shared(
                *tables,
                batch.arrays,
                batch.num_features,
                touched,
                int(candidates.counts[0]),
                len(touched.classes),
                *d_scores,
            )
        scratch = self.row_scratch(batch.num_features)
        return kernels.linear_update_each(
            *tables,
            batch.arrays,
            batch.num_features,
            batch.targets,
            candidates,
            *d_scores,
            scratch.classes,
            scratch.gradient,
            scratch.places,
            scratch.marks,
            scratch.first_stamp,
        )
