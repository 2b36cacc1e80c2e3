"""A table of D x V weights, one row a feature."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.models.base import ForwardPass, Matching, Model, StepContext, StepShape
from sstrain.models.linear import LINEAR_RATES, OwnedRows, linear_memory, linear_step_bytes
from sstrain.models.parameters import Parameter
from sstrain.optim.base import Optimizer

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.kernels import DenseTable

__all__ = ["Dense", "DenseModel"]


class Dense(Model):
    """``z = W^T x + b`` with every weight kept."""

    type: Literal["dense"] = "dense"
    default_learning_rates: ClassVar[dict[str, float]] = LINEAR_RATES

    def allocate(self, num_features: int, num_classes: int, optimizer: Optimizer) -> "DenseModel":
        """Return the model with all weights 0."""
        return DenseModel(self, num_features, num_classes, optimizer)

    def memory_bytes(
        self, num_features: int, num_classes: int, optimizer: Optimizer
    ) -> dict[str, int]:
        """Return the bytes of each part that training holds."""
        return linear_memory(self, num_features, num_features * num_classes, num_classes, optimizer)

    def step_bytes(self, num_features: int, num_classes: int, shape: StepShape) -> int:
        """Return the bytes of a step's scratch arrays."""
        scratch = linear_step_bytes(num_classes, shape)
        if shape.num_samples is None:  # the rows of one block, on each thread
            rows = min(shape.entries, num_features) * shape.threads
            scratch += 4 * kernels.BLOCK * (shape.batch_size + rows)
        return scratch


class DenseModel(OwnedRows):
    """The weights with their optimiser state, and what a step does to them (a `Layout`).

    Attributes
    ----------
    weight : array of shape [D, V]
        As `Parameter.values` has it.
    bias : float32 array of shape [V]
    """

    def __init__(
        self, section: Dense, num_features: int, num_classes: int, optimizer: Optimizer
    ) -> None:
        shape = (num_features, num_classes)
        weight = Parameter(shape, num_features, optimizer, section.dtype)
        super().__init__(section, weight, num_classes, optimizer)

    def table(self, key: int = 0) -> "DenseTable":
        """Return the weights as kernels take them; ``key`` is that of a step's rounding."""
        values = self.parameters["weight"].flat
        return kernels.DenseTable(values, self.num_classes, np.uint64(key % 2**64))

    def take_over(self, old: "DenseModel", matching: Matching) -> None:
        """Take the weights of matching features and classes from another model."""
        classes = np.flatnonzero(matching.classes >= 0)
        from_classes = matching.classes[classes]
        mine, theirs = self.parameters["weight"].tensor, old.parameters["weight"].tensor
        for row in np.flatnonzero(matching.features >= 0):
            mine[row, classes] = theirs[matching.features[row], from_classes]
        self.bias[classes] = old.bias[from_classes]

    def exponentials_shape(self, size: int) -> tuple[int, ...]:
        """Return the shape of an exact step's exponentials for so many examples."""
        return self.num_blocks, kernels.BLOCK * size

    def _gathered(self, batch: "Batch") -> NDArray[np.float32]:
        """Return scratch for the batch's rows of a block of weights, for each thread."""
        shape = kernels.num_threads(), kernels.BLOCK * batch.num_features
        return self.buffers.float32("gathered", *shape)

    def write_exponentials(self, batch: "Batch", result: ForwardPass) -> None:
        """Score all classes for an exact step."""
        kernels.dense_forward(
            self.table(),
            self.bias,
            batch.arrays,
            batch.num_features,
            batch.targets,
            self._gathered(batch),
            result.exponentials,
            result.target_scores,
            result.partials,
        )

    def update_all(
        self,
        batch: "Batch",
        forward: ForwardPass,
        log_partitions: NDArray[np.float64],
        context: StepContext,
    ) -> int:
        """Apply the exact gradient; the pass's exponentials are used up."""
        return kernels.dense_update_all(
            *self.tables(context),
            batch.arrays,
            batch.num_features,
            batch.targets,
            batch.weights,
            log_partitions,
            forward.partials,
            forward.exponentials,
            self.buffers.float32("rates", batch.num_features + 1),
        )

    def write_scores(self, batch: "Batch", averaged: bool, scores: NDArray[np.float32]) -> None:
        """Write the scores of all classes, float32 [B, V]."""
        kernels.dense_score_all(
            self.table(),
            self.bias,
            self.parameters["weight"].kernel_average(averaged),
            self.parameters["bias"].kernel_average(averaged),
            batch.arrays,
            batch.num_features,
            self._gathered(batch),
            scores,
        )
