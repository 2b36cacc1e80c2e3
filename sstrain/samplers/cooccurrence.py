"""Classes that occur with the example's features in training."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain import kernels
from sstrain.samplers.base import (
    DataSize,
    EachSharing,
    Proposal,
    Sampler,
    SectionType,
    Setting,
    State,
)
from sstrain.samplers.drawn import DrawnSampler
from sstrain.samplers.fixed import alias_state, check_every_class
from sstrain.samplers.unigram import Unigram

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.samplers.base import SamplerSection


class Cooccurrence(Proposal):
    """``q(j|x) = l0 base(j) + (1 - l0) sum_f a_f(x) p(j|f)``, base = unigram^power.

    ``p(j|f)`` is the share of class j among the training examples that hold feature f, and
    ``a_f ~ |x_f| (n_f / (n_f + shrinkage) KL(p(.|f) || unigram))^2``, or 0 where that is less than
    a twentieth of the example's highest. n_f is the number of those examples whose class is kept.
    """

    type: Literal["cooccurrence"] = "cooccurrence"
    #: Of the unigram counts of the base.
    power: float = Field(0.75, ge=0, le=100)
    #: The base's share of q; all of it where no feature of the example is known.
    base_share: float = Field(0.1, ge=1e-6, le=1)
    #: The most frequent classes that are kept of each feature.
    classes_per_feature: int = Field(1024, ge=1, le=1 << 16)
    #: Taken off each count of a feature and a class; pairs that have no more are left out.
    discount: int = Field(2, ge=0)
    #: The count at which a feature's divergence from the unigram is halved.
    shrinkage: float = Field(300.0, ge=0)

    sharing: ClassVar[SectionType] = EachSharing
    depends_on_example: ClassVar[bool] = True

    def check(self, setting: Setting) -> None:
        """Refuse a base that leaves a class out."""
        log_base = Unigram(power=self.power).log_q(setting.vocabulary)
        check_every_class(self.type, log_base, setting.vocabulary)

    def memory_bytes(self, size: DataSize) -> int:
        """Return the bytes of the pairs, their tables and the base, and of counting them."""
        most = size.num_features * min(self.classes_per_feature, size.num_classes)
        pairs = min(most, size.num_entries)
        fitting = 12 * size.num_entries + 24 * size.num_examples
        tables = 42 * pairs + 104 * size.num_features  # a line of the cache a feature, at least
        return tables + 20 * size.num_classes + fitting

    def fit(self, setting: Setting) -> State:
        """Return the counted pairs: ``indptr`` [D + 1], ``classes`` and ``counts`` [pairs]."""
        data, vocabulary = setting.dataset, setting.vocabulary
        assert data is not None
        rows = np.arange(data.num_examples) if data.rows is None else np.asarray(data.rows)
        repeats = np.bincount(rows, minlength=data.num_rows)
        sizes = np.zeros(vocabulary.num_features, np.int64)
        per_entry = np.repeat(repeats, np.diff(data.indptr))
        sizes += np.bincount(data.indices, per_entry, len(sizes)).astype(np.int64)
        ends = np.cumsum(sizes)
        starts, total = ends - sizes, int(sizes.sum())
        listed = np.empty(total, np.int32)
        order = np.argsort(data.targets, kind="stable")
        kernels.list_pairs(order, rows, data.targets, data.indptr, data.indices, starts, listed)
        indptr = np.empty(len(sizes) + 1, np.int64)
        classes, counts = np.empty(total, np.int32), np.empty(total, np.int32)
        kernels.prune_pairs(
            ends, listed, self.classes_per_feature, self.discount, indptr, classes, counts
        )
        kept = indptr[-1]
        return {"indptr": indptr, "classes": classes[:kept].copy(), "counts": counts[:kept].copy()}

    def sampler(self, state: State, setting: Setting) -> Sampler:
        """Return what draws, from the counted pairs."""
        return CooccurrenceSampler(cast("SamplerSection", self), state, setting)


class CooccurrenceSampler(DrawnSampler):
    """Draws by an alias table a feature."""

    def __init__(self, section: "SamplerSection", state: State, setting: Setting) -> None:
        super().__init__(section, setting)
        self._state = state
        own = cast(Cooccurrence, section)
        base = alias_state(Unigram(power=own.power).log_q(setting.vocabulary))
        self._base = (base["threshold"], base["alias"], np.exp(base["log_q"]))
        self._share = float(own.base_share)
        self._weights = self._informativeness(own.shrinkage)
        self._tables = self._feature_tables()
        self._parts = np.empty((kernels.TILES, 0), np.int32)
        self._cumulative = np.empty((kernels.TILES, 0))
        self._num_parts = np.zeros(kernels.TILES, np.int64)

    def _informativeness(self, shrinkage: float) -> Any:
        """Return the square of each feature's shrunken divergence from the unigram, [D]."""
        indptr, classes, counts = (self._state[name] for name in ("indptr", "classes", "counts"))
        unigram = self.setting.vocabulary.class_counts / self.setting.vocabulary.class_counts.sum()
        feature = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        totals = np.bincount(feature, counts, len(indptr) - 1)
        p = counts / totals[feature]
        terms = p * np.log(p / unigram[classes])
        divergence = np.maximum(np.bincount(feature, terms, len(indptr) - 1), 0)
        return (divergence * totals / np.maximum(totals + shrinkage, 1)) ** 2

    def _feature_tables(self) -> tuple[Any, ...]:
        indptr, classes, counts = (self._state[name] for name in ("indptr", "classes", "counts"))
        bucket_indptr, seeds = np.empty_like(indptr), np.empty(len(indptr) - 1, np.int32)
        kernels.lay_out_buckets(indptr, classes, bucket_indptr, seeds)
        columns = np.empty((len(classes), 3), np.int32)
        buckets = _aligned(int(bucket_indptr[-1]), 16)
        tables = (
            *(columns, columns.view(np.float32)),
            *(bucket_indptr, buckets, buckets.view(np.float32), seeds),
        )
        kernels.build_feature_tables(indptr, classes, counts, *tables)
        return indptr, *tables

    def proposal(self, batch: "Batch") -> Any:
        """Return q at a batch."""
        arrays = batch.arrays
        longest = int(np.diff(arrays.indptr[: batch.size + 1]).max(initial=0))
        if longest > self._parts.shape[1]:
            self._parts = np.empty((kernels.TILES, longest), np.int32)
            self._cumulative = np.empty((kernels.TILES, longest))
        return kernels.Cooccurrence(  # type: ignore[call-arg]
            *self._base,
            self._share,
            self._weights,
            *self._tables,
            arrays.indptr,
            arrays.slots,
            arrays.values,
            arrays.features,
            self._parts,
            self._cumulative,
            self._num_parts,
        )

    def tensors(self) -> State:
        """Return the counted pairs."""
        return self._state


def _aligned(rows: int, columns: int) -> NDArray[np.int32]:
    """Return an int32 array [rows, columns] that begins with a line of the cache."""
    line = 64
    memory = np.empty(4 * rows * columns + line, np.uint8)
    start = -memory.ctypes.data % line
    return memory[start : start + 4 * rows * columns].view(np.int32).reshape(rows, columns)
