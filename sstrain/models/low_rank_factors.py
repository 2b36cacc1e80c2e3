"""The two tables of factors of a low-rank model, and what a model does with them but its steps."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.errors import UserError
from sstrain.models.averaging import AveragedTensor
from sstrain.models.base import Matching, StepContext
from sstrain.models.parameters import Parameter, Parameters
from sstrain.models.parametric import Parametric
from sstrain.optim.base import Optimizer

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.kernels import DenseTable, Pooling
    from sstrain.models.low_rank import LowRank

__all__ = ["Factors", "Sides"]

#: The purpose of the random streams that fill the factors.
_FILL = 6
#: Rows that are copied at a time.
_ROWS = 1 << 12
#: Tells apart, in the key of a step's rounding, what stands at the same place in both tables.
_CLASS_SIDE = 0x9E3779B97F4A7C15


class Sides(NamedTuple):
    """Both tables of factors as the kernels take them at one step."""

    features: "DenseTable"
    classes: "DenseTable"
    pooling: "Pooling"


class Factors(Parametric):
    """The factors and the bias with their optimiser state.

    Attributes
    ----------
    parameters : Parameters
        ``feature_factors`` [D, r], ``class_factors`` [V, r], ``bias`` [V].
    """

    def __init__(
        self, section: "LowRank", num_features: int, num_classes: int, optimizer: Optimizer
    ) -> None:
        rank, dtype = section.rank, section.dtype
        super().__init__(
            Parameters(
                feature_factors=Parameter((num_features, rank), num_features, optimizer, dtype),
                class_factors=Parameter((num_classes, rank), num_classes, optimizer, dtype),
                bias=Parameter((num_classes,), 1, optimizer),
            )
        )
        self.section = section

    def sides(self, context: StepContext | None = None) -> Sides:
        """Return what kernels take: of a training step, or outside of any."""
        key = 0 if context is None else context.key % 2**64
        dropout = 0.0 if context is None else self.section.dropout
        rank = self.section.rank
        features = self.parameters["feature_factors"].flat
        classes = self.parameters["class_factors"].flat
        return Sides(
            kernels.DenseTable(features, rank, np.uint64(key)),
            kernels.DenseTable(classes, rank, np.uint64(key ^ _CLASS_SIDE)),
            kernels.Pooling(self.section.pooling == "mean", np.float32(dropout), np.uint64(key)),
        )

    def initialise(self, vocabulary: "Vocabulary", seed: int) -> None:
        """Set the bias, and fill both tables with numbers uniform on +-1 / sqrt(r)."""
        scale = self.section.rank**-0.5
        for side, name in enumerate(("feature_factors", "class_factors")):
            key = kernels.stream_key(seed, _FILL, side, 0)
            kernels.low_rank_fill(self.parameters[name].flat, key, scale)
        if self.section.bias_init == "log_prior":
            self.bias[:] = vocabulary.log_prior()

    def take_over(self, old: "Factors", matching: Matching) -> None:
        """Take the vectors and biases of matching features and classes from another model.

        Raises
        ------
        UserError
            If its rank or its pooling is another.
        """
        for key in ("rank", "pooling"):
            mine, theirs = getattr(self.section, key), getattr(old.section, key)
            if mine != theirs:
                raise UserError(
                    f"model.{key}: is another than that of the run in model.from; got {mine}; "
                    f"expected {theirs}"
                )
        for name, places in (
            ("feature_factors", matching.features),
            ("class_factors", matching.classes),
            ("bias", matching.classes),
        ):
            mine, theirs = self.parameters[name].tensor, old.parameters[name].tensor
            # A few rows at a time: no copy of the table.
            for start in range(0, len(places), _ROWS):
                found = start + np.flatnonzero(places[start : start + _ROWS] >= 0)
                mine[found] = theirs[places[found]]

    def weights(
        self, features: NDArray[np.int64], classes: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return what each feature alone, of value 1, adds to the score of a class."""
        rows = np.asarray(self.parameters["feature_factors"].tensor[features], np.float32)
        columns = np.asarray(self.parameters["class_factors"].tensor[classes], np.float32)
        products: NDArray[np.float32] = np.einsum("ij,ij->i", rows, columns)
        return products

    def class_vectors(
        self, averaged: bool = True
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the class factors [V, r] and the bias [V].

        They are by the average if there is one and it is not declined. Views of the live weights,
        where they are float32 and no average is asked for.
        """
        found = []
        for name in ("class_factors", "bias"):
            one = self.parameters[name]
            if not averaged or one.average is None or not one.average.steps:
                found.append(one.as_float32())
            else:
                found.append(AveragedTensor(one.tensor, one.average).whole().astype(np.float32))
        return found[0], found[1]

    def pooled(self, batch: "Batch", averaged: bool = True) -> NDArray[np.float32]:
        """Return the vectors h that scores are made of, without dropout: float32 [B, r].

        They are by the average if there is one and it is not declined. Valid until the next call.
        """
        return self.pool("pooled", batch, self.sides(), averaged)

    def pool(
        self, name: str, batch: "Batch", sides: Sides, averaged: bool = False
    ) -> NDArray[np.float32]:
        """Return the pooled vectors of a batch, float32 [B, r], in the named buffer."""
        pooled = self.buffers.float32(name, batch.size, self.section.rank)
        average = self.parameters["feature_factors"].kernel_average(averaged)
        kernels.low_rank_pool(
            sides.features, average, sides.pooling, batch.arrays, batch.example_ids, pooled
        )
        return pooled

    def update_features(
        self,
        batch: "Batch",
        sides: Sides,
        d_pooled: NDArray[np.float32],
        context: StepContext,
    ) -> int:
        """Take the gradient of each example's sum of vectors to its features; return bad rows."""
        factors = self.parameters["feature_factors"]
        return kernels.low_rank_update_features(
            sides.features,
            factors.rule(context.rate),
            factors.kernel_average(),
            batch.arrays,
            batch.num_features,
            d_pooled,
        )

    def score_all(self, batch: "Batch", averaged: bool = True) -> NDArray[np.float32]:
        """Return the scores of all classes, float32 [B, V], by the average if there is one.

        With ``averaged=False`` they are those of the live weights, which steps work on.
        """
        scores = self.buffers.float32("all_scores", batch.size, self.num_classes)
        kernels.low_rank_score_all(
            self.sides().classes,
            self.bias,
            self.parameters["class_factors"].kernel_average(averaged),
            self.parameters["bias"].kernel_average(averaged),
            self.pooled(batch, averaged),
            scores,
        )
        return scores
