"""Weights as a product of two thin tables: a vector of r numbers for each feature and class."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain import kernels
from sstrain.errors import UserError
from sstrain.models.base import ForwardPass, Model, StepContext, StepShape
from sstrain.models.low_rank_sampled import SampledFactors
from sstrain.models.parameters import item_bytes
from sstrain.optim.base import Optimizer

if TYPE_CHECKING:
    from sstrain.data.batches import Batch

__all__ = ["LowRank", "LowRankModel"]


class LowRank(Model):
    """``z_c = h . C_c + b_c``, with h the sum or the mean of the vectors of an example's features.

    Both tables start from small random numbers. At 0 neither would ever move, since each one's
    gradient has the other as a factor. With the class factors alone at 0 training works, but a rare
    feature spends its first gradients on class vectors that have learned nothing: on sessions of
    clicks, most of whose features are rare, that cost a hundredth of the hit rate at 20.
    """

    type: Literal["low_rank"] = "low_rank"
    #: r, the numbers in a vector; at most the number of features and that of classes.
    rank: int = Field(100, ge=1, le=1024)
    #: What an example makes of its features' vectors, each times its value.
    pooling: Literal["sum", "mean"] = "sum"
    #: The share of the pooled vector's dimensions that a training step leaves out.
    dropout: float = Field(0.0, ge=0, lt=1)
    default_learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 3.0,
        "adagrad": 0.1,
        "rowwise_adagrad": 1.0,
        "adam": 0.01,
    }
    sizes: ClassVar[dict[str, tuple[int, ...]]] = {
        "rank": (1024, 512, 300, 200, 128, 100, 64, 32, 16, 8)
    }

    @property
    def class_vector_size(self) -> int:
        """The rank."""
        return self.rank

    def default_accumulator(self, batch_size: int) -> float:
        """Return the ``initial_accumulator`` where the config gives none: 1 / (2 batch_size)^2.

        Gradients of a vector are those of a score times numbers of about 1/2. Far below their
        squares the first steps of each number would be as large as the learning rate, whatever
        the gradient; far above them nothing would move.
        """
        return 0.25 * super().default_accumulator(batch_size)

    def check(self, num_features: int, num_classes: int) -> None:
        """Refuse a rank above the number of features or of classes.

        Raises
        ------
        UserError
        """
        if self.rank > min(num_features, num_classes):
            raise UserError(
                f"model.rank: larger than the data have features or classes; got {self.rank}; "
                f"with {num_features:,} features and {num_classes:,} classes at most "
                f"{min(num_features, num_classes)} is allowed"
            )

    def allocate(self, num_features: int, num_classes: int, optimizer: Optimizer) -> "LowRankModel":
        """Return the model with all weights 0."""
        return LowRankModel(self, num_features, num_classes, optimizer)

    def memory_bytes(
        self, num_features: int, num_classes: int, optimizer: Optimizer
    ) -> dict[str, int]:
        """Return the bytes of each part that training holds."""
        tables = (num_features, num_classes)
        cells = self.rank * sum(tables)
        parts = {"weights": item_bytes(self.dtype) * cells + 4 * num_classes}
        state = sum(optimizer.state_bytes(rows, rows * self.rank) for rows in tables)
        if state := state + optimizer.state_bytes(1, num_classes):
            parts["optimizer"] = state
        if optimizer.average_from is not None:
            parts["averaging"] = 4 * (cells + num_classes)
        return parts

    def step_bytes(self, num_features: int, num_classes: int, shape: StepShape) -> int:
        """Return the bytes of a step's scratch arrays."""
        batch, width = shape.batch_size, shape.num_samples
        pooled = 2 * batch * self.rank
        if width is None:
            tiles = kernels.TILES * self.rank * (kernels.BLOCK + 2 * batch)
            panels = batch * self.rank
            return 4 * (batch * num_classes + pooled + panels + tiles + num_classes)
        if not shape.shared:
            return 4 * (2 * batch * width + pooled + 7 * batch * (width + 1) + num_classes)
        return 4 * (2 * batch * width + pooled + (2 * width + batch) * self.rank)


class LowRankModel(SampledFactors):
    """The factors with their optimiser state, and what a step does to them (a `Layout`)."""

    def forward(self, batch: "Batch", context: StepContext) -> ForwardPass:
        """Score all classes for an exact step; its exponentials are [V, B]."""
        sides, buffers = self.sides(context), self.buffers
        pooled = self.pool("step_pooled", batch, sides)
        result = self.forward_pass(batch.size, self.num_classes, batch.size)
        kernels.low_rank_forward(
            sides.classes,
            self.bias,
            pooled,
            batch.targets,
            result.exponentials,
            result.target_scores,
            result.partials,
            buffers.float32("panels", *kernels.panels_shape(batch.size, self.section.rank)),
            buffers.float32("block", kernels.TILES, kernels.BLOCK, self.section.rank),
        )
        return result

    def update_all(
        self,
        batch: "Batch",
        forward: ForwardPass,
        log_partitions: NDArray[np.float64],
        context: StepContext,
    ) -> int:
        """Apply the exact gradient; the pass's exponentials are used up."""
        sides, buffers, rank = self.sides(context), self.buffers, self.section.rank
        factors, bias = self.parameters["class_factors"], self.parameters["bias"]
        parts = buffers.float32("parts", kernels.TILES, batch.size, rank)
        bad = kernels.low_rank_update_all(
            sides.classes,
            self.bias,
            factors.rule(context.rate),
            bias.rule(context.rate),
            factors.kernel_average(),
            bias.kernel_average(),
            buffers.float32("step_pooled", batch.size, rank),
            batch.targets,
            batch.weights,
            forward.exponentials,
            log_partitions,
            forward.partials.highest,
            buffers.float32("block", kernels.TILES, kernels.BLOCK, rank),
            buffers.float32("block_products", kernels.TILES, batch.size, rank),
            parts,
            buffers.float32("bias_gradient", self.num_classes),
        )
        kernels.low_rank_backward_all(sides.pooling, batch.arrays, batch.example_ids, parts)
        return bad + self.update_features(batch, sides, parts[0], context)
