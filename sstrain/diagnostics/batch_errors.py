"""The errors of a batch's sampled gradients, gathered over groups of replicates."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.diagnostics.forms import ErrorForm
from sstrain.diagnostics.intervals import GROUPS

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.diagnostics.exact import ExactGradient
    from sstrain.kernels import SampledGradients

__all__ = ["TILE_BYTES", "BatchErrors"]

#: Of the groups' dense sums over one tile of classes; a product of the same size stands beside it.
TILE_BYTES = 1 << 27

Float64 = NDArray[np.float64]


class BatchErrors:
    """Sums over replicates, as four quadratic forms of the error need them.

    Each replicate's own squares need its drawn classes alone. The mean errors of a group are dense;
    they are held for one tile of classes at a time, and the replicates drawn again for each tile.

    Parameters
    ----------
    batch : Batch
    exact : ExactGradient
    replicates : int
        In each group.
    """

    def __init__(self, batch: "Batch", exact: "ExactGradient", replicates: int) -> None:
        self.batch = batch
        self.exact = exact
        self.replicates = replicates
        size, self.num_classes = exact.scores.shape
        self.tile = min(self.num_classes, max(1, TILE_BYTES // (4 * size * GROUPS)))
        self._squares = np.zeros((2, size, GROUPS))
        self._products = np.zeros((2, size, GROUPS))
        self._target_errors = np.zeros((size, GROUPS))
        self._grams = np.zeros((size, GROUPS, GROUPS))
        self._batch_squares = np.zeros((2, GROUPS))
        self._batch_products = np.zeros((2, GROUPS))
        self._batch_grams = np.zeros((2, GROUPS, GROUPS))
        self._scratch = np.zeros(self.num_classes)
        self._ones = np.ones(size)
        self._target_gradient = exact.gradient[np.arange(size), batch.targets]

    def take(self, group: int, sampled: "SampledGradients") -> None:
        """Take in a replicate's squares; once for each replicate."""
        exact, share = self.exact, 1 / self.replicates
        kernels.add_error_squares(
            sampled, exact.gradient, exact.norms, group, self._squares, self._products
        )
        self._target_errors[:, group] += share * (sampled.d_targets - self._target_gradient)
        squares = (
            kernels.squared_norm_of_mean(sampled, exact.shares, self._scratch),
            kernels.squared_norm_of_mean_by_feature(
                sampled, self.batch.arrays, self.batch.num_features, exact.shares, self._scratch
            ),
        )
        products = (
            kernels.projected_product(sampled, exact.shares, exact.mean),
            kernels.projected_product(sampled, self._ones, exact.projected),
        )
        for form, norm in enumerate(exact.batch_norms):
            self._batch_squares[form, group] += share * (squares[form] - 2 * products[form] + norm)
            self._batch_products[form, group] += share * (products[form] - norm)

    def take_tile(self, start: int, sums: NDArray[np.float32]) -> None:
        """Take in the groups' sums over a tile of classes, float32 [B, G, T]; ``sums`` is used up.

        Target's derivatives are not among them.
        """
        exact, (size, groups, width) = self.exact, sums.shape
        targets = self.batch.targets
        rows = np.flatnonzero((targets >= start) & (targets < start + width))
        columns = targets[rows] - start
        block = exact.gradient[:, start : start + width].astype(np.float32)
        block[rows, columns] = 0
        sums *= np.float32(1 / self.replicates)
        sums -= block[:, np.newaxis]
        self._grams += np.matmul(sums, sums.transpose(0, 2, 1))
        sums[rows, :, columns] = self._target_errors[rows]
        flat = sums.reshape(size, groups * width)
        mean = (exact.shares.astype(np.float32) @ flat).reshape(groups, width)
        self._batch_grams[0] += mean @ mean.T
        projected = (exact.products.astype(np.float32) @ flat).reshape(sums.shape)
        self._batch_grams[1] += np.matmul(sums, projected.transpose(0, 2, 1)).sum(axis=0)

    def relative_squared_error(self) -> float:
        """Return the mean squared error of the batch's gradient by the weights over its square.

        It is 0 where that gradient is 0: no example has a feature.
        """
        norm = self.exact.batch_norms[1]
        return float(self._batch_squares[1].mean() / norm) if norm > 0 else 0.0

    def relative_target_bias(self) -> float:
        """Return the norm of the bias of the derivatives by the targets' scores over their norm.

        Groups are independent, so that a product of two groups' errors has the square of the bias
        for its mean. It is 0 where noise makes that square negative, or the derivatives are 0.
        """
        errors = self._target_errors
        products = errors.sum(axis=1) ** 2 - (errors**2).sum(axis=1)
        square = products.sum() / (GROUPS * (GROUPS - 1))
        norm = (self._target_gradient**2).sum()
        return math.sqrt(max(square, 0.0) / norm) if norm > 0 else 0.0

    def example_forms(self) -> tuple[ErrorForm, ErrorForm]:
        """Return the errors of each example's negatives and of its target."""
        grams = (
            self._grams,
            self._target_errors[:, :, np.newaxis] * self._target_errors[:, np.newaxis],
        )
        negatives, target = (
            ErrorForm(
                self._squares[part] / self.replicates,
                grams[part],
                self._products[part] / self.replicates,
                self.exact.norms[part],
            )
            for part in range(2)
        )
        return negatives, target

    def batch_forms(self) -> tuple[ErrorForm, ErrorForm]:
        """Return the errors of the batch's gradient by the bias and by the weights."""
        by_bias, by_weight = (
            ErrorForm(
                self._batch_squares[form][np.newaxis],
                (self._batch_grams[form] + self._batch_grams[form].T)[np.newaxis] / 2,
                self._batch_products[form][np.newaxis],
                np.array([norm]),
            )
            for form, norm in enumerate(self.exact.batch_norms)
        )
        return by_bias, by_weight
