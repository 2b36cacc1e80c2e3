"""The part of a table of D x V weights that pruning left, row by row (CSR)."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, create_model

from sstrain import kernels
from sstrain.errors import UserError
from sstrain.models.averaging import Tensor
from sstrain.models.base import ForwardPass, Matching, Model, StepContext, StepShape
from sstrain.models.dense import DenseModel
from sstrain.models.linear import LINEAR_RATES, OwnedRows, linear_memory, linear_step_bytes
from sstrain.models.parameters import Parameter
from sstrain.optim.base import Optimizer
from sstrain.section import FilePath

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.kernels import SparseTable

__all__ = ["Sparse", "SparseModel"]

_HALVES = 1 << 16

if TYPE_CHECKING:
    _WithSource = Model
else:
    # "from" is no name that a class body can give.
    _WithSource = create_model("_WithSource", __base__=Model, **{"from": (FilePath, Field(...))})


class Sparse(_WithSource):
    """``z = W^T x + b`` with the weights of largest magnitude; all others are 0, and stay 0.

    Which are kept is decided by the model of another run (key ``from``), dense or sparse.
    """

    type: Literal["sparse"] = "sparse"
    #: The share of all D x V weights that is kept.
    keep: float = Field(0.05, gt=0, le=1)

    default_learning_rates: ClassVar[dict[str, float]] = LINEAR_RATES
    sources: ClassVar[tuple[str, ...]] = ("dense",)

    def num_kept(self, num_features: int, num_classes: int) -> int:
        """Return the number of weights that are kept, which the share alone decides."""
        return round(self.keep * num_features * num_classes)

    def check(self, num_features: int, num_classes: int) -> None:
        """Refuse a share of less than one weight.

        Raises
        ------
        UserError
        """
        if self.num_kept(num_features, num_classes) == 0:
            raise UserError(
                f"model.keep: {self.keep:g} of {num_features:,} x {num_classes:,} weights is less "
                "than one weight; give a larger share"
            )

    def allocate(self, num_features: int, num_classes: int, optimizer: Optimizer) -> "SparseModel":
        """Return the model with all weights 0, and no place for any until it takes some over."""
        return SparseModel(self, num_features, num_classes, optimizer)

    def memory_bytes(
        self, num_features: int, num_classes: int, optimizer: Optimizer
    ) -> dict[str, int]:
        """Return the bytes of each part that training holds."""
        kept = self.num_kept(num_features, num_classes)
        parts = linear_memory(self, num_features, kept, num_classes, optimizer)
        parts["weights"] += 8 * (num_features + 1) + 4 * kept
        return parts

    def step_bytes(self, num_features: int, num_classes: int, shape: StepShape) -> int:
        """Return the bytes of a step's scratch arrays."""
        rows = 4 * kernels.TILES * num_classes if shape.num_samples is None else 0
        return linear_step_bytes(num_classes, shape) + rows


class SparseModel(OwnedRows):
    """The weights with their optimiser state, and what a step does to them (a `Layout`).

    Attributes
    ----------
    weight : array of shape [nnz]
        As `Parameter.values` has it; the weights of row f are those from ``indptr[f]`` on.
    bias : float32 array of shape [V]
        Never pruned.
    indptr : int64 array of shape [D + 1]
    indices : int32 array of shape [nnz]
        The classes of the weights, rising in a row.
    """

    section: Sparse

    def __init__(
        self, section: Sparse, num_features: int, num_classes: int, optimizer: Optimizer
    ) -> None:
        kept = section.num_kept(num_features, num_classes)
        weight = Parameter((kept,), num_features, optimizer, section.dtype)
        super().__init__(section, weight, num_classes, optimizer)
        self.indptr = np.zeros(num_features + 1, np.int64)
        self.indices = np.zeros(kept, np.int32)

    def table(self, key: int = 0) -> "SparseTable":
        """Return the weights as kernels take them; ``key`` is that of a step's rounding."""
        values = self.parameters["weight"].flat
        return kernels.SparseTable(values, self.indptr, self.indices, np.uint64(key % 2**64))

    def take_over(self, old: "DenseModel | SparseModel", matching: Matching) -> None:
        """Keep the largest weights of another model, of matching features and classes.

        Of weights of the same magnitude the first cells are kept; weights of 0 too, if there are
        no others left.

        Raises
        ------
        UserError
            If a larger share is to be kept than the other model has.
        """
        if isinstance(old, SparseModel) and self.section.keep > old.section.keep:
            raise UserError(
                f"model.keep: the run that weights are taken from is pruned already; "
                f"got {self.section.keep:g}; expected at most {old.section.keep:g}, as it keeps"
            )
        pruned = _Pruned(old.table(), old.num_classes, *matching)
        threshold, ties = _threshold(pruned, len(self.indices))
        values = self.parameters["weight"].as_float32()
        kernels.keep_largest(*pruned, threshold, ties, self.indptr, self.indices, values)
        self.parameters["weight"].assign(values)
        classes = np.flatnonzero(matching.classes >= 0)
        self.bias[classes] = old.bias[matching.classes[classes]]

    def write_exponentials(self, batch: "Batch", result: ForwardPass) -> None:
        """Score all classes for an exact step."""
        kernels.sparse_forward(
            self.table(),
            self.bias,
            batch.arrays,
            batch.targets,
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
        d_scores = self.score_gradients(batch, forward, log_partitions)
        gradients = self.buffers.float32("gradients", kernels.TILES, self.num_classes)
        return kernels.sparse_update_all(
            *self.tables(context), batch.arrays, batch.num_features, d_scores, gradients
        )

    def write_scores(self, batch: "Batch", averaged: bool, scores: NDArray[np.float32]) -> None:
        """Write the scores of all classes, float32 [B, V]."""
        kernels.sparse_score_all(
            self.table(),
            self.bias,
            self.parameters["weight"].kernel_average(averaged),
            self.parameters["bias"].kernel_average(averaged),
            batch.arrays,
            scores,
        )

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Return what a checkpoint keeps, by part: ``model`` and ``optimizer``.

        Where there is an average a run goes on from ``optimizer`` alone, which then has the places
        of the weights too.
        """
        parts = super().tensors()
        parts["model"]["values"] = parts["model"].pop("weight")
        for part in ("model", "optimizer") if self.averaged_steps else ("model",):
            parts[part].update(self._places())
        return parts

    def live_arrays(self, averaged_steps: int) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the arrays that a checkpoint is read into, by part and by the names it uses."""
        parts = super().live_arrays(averaged_steps)
        if "weight" in parts.get("model", {}):
            parts["model"]["values"] = parts["model"].pop("weight")
        parts["optimizer" if averaged_steps else "model"].update(self._places())
        return parts

    def _places(self) -> dict[str, NDArray[Any]]:
        return {"indptr": self.indptr, "indices": self.indices}


class _Pruned(NamedTuple):
    """What weights are kept of, as `kernels.count_magnitudes` takes it."""

    table: Any
    width: int
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def _threshold(pruned: _Pruned, kept: int) -> tuple[int, int]:
    """Return the bits of the least magnitude that is kept, and how many of just that are.

    Two passes over the weights, by the upper and by the lower half of the float32 numbers, take no
    memory but for the counts.
    """
    upper, kept = _bin(pruned, -1, kept)
    lower, kept = _bin(pruned, upper, kept)
    return upper * _HALVES + lower, kept


def _bin(pruned: _Pruned, prefix: int, kept: int) -> tuple[int, int]:
    """Return in which half-number the last of the largest falls, and how many in it are kept."""
    counts = np.zeros((kernels.TILES, _HALVES), np.int64)
    kernels.count_magnitudes(*pruned, prefix, counts)
    above = np.cumsum(counts.sum(axis=0)[::-1])[::-1]
    found = int(np.flatnonzero(above >= kept)[-1])
    return found, kept - (int(above[found + 1]) if found + 1 < _HALVES else 0)
