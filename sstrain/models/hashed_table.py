"""The weights of a hashed model, and what a step does to them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.errors import UserError
from sstrain.models.averaging import Tensor
from sstrain.models.base import Description, ForwardPass, Matching, Scores, StepContext
from sstrain.models.collisions import collisions, described
from sstrain.models.linear import LinearModel
from sstrain.models.parameters import Parameter

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.dataset import Dataset
    from sstrain.kernels import Candidates, ClassRuns, HashedTable, ListedCells
    from sstrain.models.hashed import Hashed
    from sstrain.optim.base import Optimizer

__all__ = ["HashedModel"]

#: Bits of a class's key that are its place in a line of the table.
_LINE_BITS = 4


class HashedModel(LinearModel):
    """The weights with their optimiser state, and what a step does to them (a `Layout`).

    Attributes
    ----------
    weight : array of shape [2^bits]
        As `Parameter.values` has it.
    bias : float32 array of shape [V]
        Never hashed.
    feature_keys : int64 array of shape [D]
    class_keys : int64 array of shape [V]
        What is hashed: the numbers of features and classes; after a warm start, those that they
        had in the first model.
    next_keys : int64 array of shape [2]
        The keys of features and of classes from these on have never been used.
    """

    def __init__(
        self,
        section: "Hashed",
        cells: int,
        num_features: int,
        num_classes: int,
        optimizer: "Optimizer",
    ) -> None:
        weight = Parameter((cells,), num_features, optimizer, section.dtype)
        weight.align()  # a line of 16 cells is one of the processor's cache
        super().__init__(section, weight, num_classes, optimizer)
        self.signed = section.signed
        self.feature_keys = np.arange(num_features, dtype=np.int64)
        self.class_keys = np.arange(num_classes, dtype=np.int64)
        self.next_keys = np.array([num_features, num_classes])

    def table(self, key: int = 0) -> "HashedTable":
        """Return the weights as kernels take them; ``key`` is that of a step's rounding."""
        values = self.parameters["weight"].flat
        return kernels.HashedTable(
            values,
            self.feature_keys,
            self.class_keys,
            np.uint64((len(values) >> _LINE_BITS) - 1),
            np.uint64(self.signed),
            np.uint64(key % 2**64),
        )

    def take_over(self, old: "HashedModel", matching: Matching) -> None:
        """Take the whole table from another model; what matches keeps its key there.

        Raises
        ------
        UserError
            If the tables differ in size, or only one of them has signs.
        """
        mine, theirs = self.parameters["weight"], old.parameters["weight"]
        for name, ours, olds in (
            ("bits", _bits(self.weight), _bits(old.weight)),
            ("signed", self.signed, old.signed),
        ):
            if ours != olds:
                raise UserError(
                    f"model.{name}: a hashed model goes on with a table of the same kind; "
                    f"got {ours}; expected {olds}, as in the run of model.from"
                )
        mine.tensor[...] = theirs.tensor
        self.next_keys[:] = old.next_keys
        _take_keys(self.feature_keys, old.feature_keys, matching.features, self.next_keys[:1])
        _take_keys(self.class_keys, old.class_keys, matching.classes, self.next_keys[1:])
        classes = np.flatnonzero(matching.classes >= 0)
        self.bias[classes] = old.bias[matching.classes[classes]]

    def update(
        self,
        batch: "Batch",
        candidates: "Candidates",
        hits: NDArray[np.int32],
        d_scores: Scores,
        context: StepContext,
    ) -> int:
        """Apply a score gradient of targets and candidates; return how much has gone bad."""
        if len(candidates.counts) == 1:
            bad, listed = self._list_shared(batch, candidates, hits, d_scores, context)
        else:
            bad, listed = self._list_each(batch, candidates, d_scores, context)
        entries = kernels.SortedCells(
            self.buffers.uint32("sorted_cells", len(listed.cells)),
            self.buffers.float32("sorted_gradients", len(listed.cells)),
            self.buffers.float32("sorted_rates", len(listed.cells)),
        )
        tables = self.tables(context)
        return bad + kernels.hashed_apply(
            tables.table, tables.rule, tables.average, batch.num_features, listed, entries
        )

    def _list_shared(
        self,
        batch: "Batch",
        candidates: "Candidates",
        hits: NDArray[np.int32],
        d_scores: Scores,
        context: StepContext,
    ) -> "tuple[int, ListedCells]":
        """List the cells that a step with shared candidates changes; update the bias."""
        tables = self.tables(context)
        touched = self.touched(batch, candidates, hits)
        count = int(candidates.counts[0])
        listed = self._listed(batch, batch.num_features * count + _entries(batch))
        bad = kernels.hashed_list_shared(
            tables.table,
            tables.bias,
            tables.rule,
            tables.bias_rule,
            tables.bias_average,
            batch.arrays,
            batch.num_features,
            touched,
            count,
            len(touched.classes),
            *d_scores,
            listed,
        )
        return bad, listed

    def _list_each(
        self, batch: "Batch", candidates: "Candidates", d_scores: Scores, context: StepContext
    ) -> "tuple[int, ListedCells]":
        """List the cells that a step changes whose examples have their own candidates."""
        tables = self.tables(context)
        listed = self._listed(batch, _entries(batch) * (candidates.classes.shape[1] + 1))
        scratch = self.row_scratch(batch.num_features)
        bad = kernels.hashed_list_each(
            tables.table,
            tables.bias,
            tables.rule,
            tables.bias_rule,
            tables.bias_average,
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
            listed,
        )
        return bad, listed

    def _listed(self, batch: "Batch", size: int) -> "ListedCells":
        return kernels.ListedCells(
            self.buffers.uint32("cells", size),
            self.buffers.float32("gradients", size),
            self.buffers.int64("starts", batch.num_features),
            self.buffers.int64("stops", batch.num_features),
            self.buffers.float32("rates", batch.num_features),
        )

    def write_exponentials(self, batch: "Batch", result: ForwardPass) -> None:
        """Score all classes for an exact step."""
        kernels.hashed_forward(
            self.table(),
            self.bias,
            batch.arrays,
            batch.num_features,
            self._runs(),
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
        tables = self.tables(context)
        rates = self.row_rates(tables, batch, d_scores)
        return kernels.hashed_update_all(
            *tables, batch.arrays, batch.num_features, self._runs(), d_scores, rates
        )

    def write_scores(self, batch: "Batch", averaged: bool, scores: NDArray[np.float32]) -> None:
        """Write the scores of all classes, float32 [B, V]."""
        kernels.hashed_score_all(
            self.table(),
            self.bias,
            self.parameters["weight"].kernel_average(averaged),
            self.parameters["bias"].kernel_average(averaged),
            batch.arrays,
            batch.num_features,
            self._runs(),
            scores,
        )

    def _runs(self) -> "ClassRuns":
        """Return the runs of neighbouring classes: found anew, for a checkpoint brings keys."""
        num_parts = -(-self.num_classes // kernels.PART)
        # As many runs as classes, if no two neighbours were neighbours in the first model.
        runs = kernels.ClassRuns(
            self.buffers.int32("run_classes", self.num_classes + 1),
            self.buffers.int32("run_of_part", num_parts + 1),
        )
        kernels.class_runs(self.class_keys, kernels.PART, runs)
        return runs

    def describe(self, dataset: "Dataset") -> Description:
        """Return how the pairs of a feature and a target in the data lie in the table."""
        return described(collisions(self, dataset))

    def _keys(self) -> dict[str, NDArray[np.int64]]:
        return {
            "feature_keys": self.feature_keys,
            "class_keys": self.class_keys,
            "next_keys": self.next_keys,
        }

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Return what a checkpoint keeps, by part: ``model`` and ``optimizer``.

        Where there is an average a run goes on from ``optimizer`` alone, which has the keys too.
        """
        parts = super().tensors()
        for part in ("model", "optimizer") if self.averaged_steps else ("model",):
            parts[part].update(self._keys())
        return parts

    def live_arrays(self, averaged_steps: int) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the arrays that a checkpoint is read into, by part and by the names it uses."""
        parts = super().live_arrays(averaged_steps)
        parts["optimizer" if averaged_steps else "model"].update(self._keys())
        return parts


def _entries(batch: "Batch") -> int:
    return int(batch.arrays.indptr[batch.size])


def _bits(table: NDArray[Any]) -> int:
    return len(table).bit_length() - 1


def _take_keys(
    mine: NDArray[np.int64], old: NDArray[np.int64], matching: NDArray[np.int64], unused: Any
) -> None:
    """Set the keys that matched ones had, and for the others those from ``unused[0]`` on."""
    new = matching < 0
    mine[~new] = old[matching[~new]]
    mine[new] = unused[0] + np.arange(np.count_nonzero(new))
    unused[0] += np.count_nonzero(new)
