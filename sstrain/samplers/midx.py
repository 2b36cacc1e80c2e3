"""An inverted multi-index: the model's own scores, with class vectors quantised by k-means."""

from typing import TYPE_CHECKING, ClassVar, Literal, cast

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
from sstrain.samplers.fixed import alias_state
from sstrain.samplers.unigram import Unigram
from sstrain.section import Interval, Span

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.kernels import MidxProposal
    from sstrain.samplers.base import SamplerSection

__all__ = ["Midx"]

#: The purpose of the random stream that codewords start from.
_PURPOSE = 21
#: Rounds of k-means: before the first step, and at each refresh, which goes on from the last.
_FIRST_ROUNDS, _ROUNDS = 8, 2
#: The classes that k-means looks at, the most frequent ones, at most.
_FITTED = 1 << 16
#: Training examples whose vectors tell how long such vectors are.
_EXAMPLES = 256
_COLUMNS, _CELLS, _LOG_WEIGHTS = "codewords", "cells", "log_weights"


class Midx(Proposal):
    """``q(j | x) ~ exp(h . u_j + power b_j + s^2 |c_j - u_j|^2 / 2)``, u_j the quantised c_j.

    Chen et al. (2022), "Fast variational autoencoder with inverted multi-index for collaborative
    filtering": each half of a class vector is one of C codewords, which puts the classes in C x C
    cells, and a draw finds two codewords and then a class of their cell, where theirs has class
    weights of 1 or of popularity. The last term is for what quantisation leaves out: the
    logarithm of its mean over normal h, s^2 the mean square of their numbers. It is mixed with
    unigram^0.75, so that no class that was quantised badly is all but left out.
    """

    type: Literal["midx"] = "midx"
    #: C, for each half of a vector; at most as many as there are classes are used.
    codewords: int = Field(128, ge=2, le=1024)
    #: Of the exponential of the model's bias, in a class's weight.
    power: float = Field(0.75, ge=0, le=1)
    #: The share of draws from unigram^0.75.
    unigram_share: float = Field(0.05, gt=0, lt=1)
    #: How often the codewords follow the weights; at first also after 1, 2, 4, 8, ... steps.
    refresh: Interval = Span(200, "steps")

    sharing: ClassVar[SectionType] = EachSharing
    depends_on_example: ClassVar[bool] = True
    changes: ClassVar[bool] = True
    needs_class_vectors: ClassVar[bool] = True

    def check(self, setting: Setting) -> None:
        """Refuse classes without a count, of which the unigram draws none."""
        Unigram().check(setting)

    def num_codewords(self, num_classes: int) -> int:
        """Return the number of codewords for each half."""
        return min(self.codewords, num_classes)

    def memory_bytes(self, size: DataSize) -> int:
        """Return the bytes of the index, of the base, and of what k-means takes."""
        count = self.num_codewords(size.num_classes)
        index = 28 * size.num_classes + 4 * count * size.vector_size + 16 * count * count
        base, fitting = 20 * size.num_classes, 16 * size.num_classes + 8 * count * size.vector_size
        return index + base + fitting + 32 * kernels.TILES * (count + 1)

    def fit(self, setting: Setting) -> State:
        """Return an index of the class vectors as they are."""
        vectors, _ = setting.class_vectors.class_vectors(averaged=False)
        count = self.num_codewords(len(vectors))
        state: State = {
            _COLUMNS: vectors[_random_classes(setting, 0, count)].T.copy(),
            _CELLS: np.empty(len(vectors), np.int32),
            _LOG_WEIGHTS: np.empty(len(vectors)),
        }
        self.update(state, setting, 0, _FIRST_ROUNDS)
        return state

    def update(self, state: State, setting: Setting, step: int, rounds: int) -> None:
        """Go on with k-means from the codewords of a state, and index the classes anew."""
        vectors, bias = setting.class_vectors.class_vectors(averaged=False)
        columns, cells, residuals = state[_COLUMNS], state[_CELLS], np.empty(len(vectors))
        # The root of the counts: errors at frequent classes cost most, the others' still count.
        weights = np.sqrt(np.asarray(setting.vocabulary.class_counts, np.float64))
        part = slice(min(len(vectors), _FITTED))
        for number in range(rounds):
            kernels.nearest_codewords(vectors[part], columns, cells[part], residuals[part])
            moved = _random_classes(setting, step + number + 1, columns.shape[1])
            _move_codewords(vectors[part], weights[part], cells[part], columns, moved)
        kernels.nearest_codewords(vectors, columns, cells, residuals)
        log_weights = self.power * bias + 0.5 * _mean_square(setting) * residuals
        state[_LOG_WEIGHTS][:] = log_weights - log_weights.max()

    def sampler(self, state: State, setting: Setting) -> Sampler:
        """Return what draws by an index."""
        return MidxSampler(self, state, setting)


def _random_classes(setting: Setting, number: int, count: int) -> NDArray[np.int64]:
    """Return so many distinct classes of those that k-means looks at."""
    key = kernels.stream_key(setting.seed, _PURPOSE, number, 0)
    found = np.empty(count, np.int64)
    kernels.permuted(key, min(setting.vocabulary.num_classes, _FITTED), 0, count, found)
    return found


def _move_codewords(
    vectors: NDArray[np.float32],
    weights: NDArray[np.float64],
    cells: NDArray[np.int32],
    columns: NDArray[np.float32],
    moved: NDArray[np.int64],
) -> None:
    """Move each codeword to the mean of its classes, or to a random class if it has none."""
    rank, count = columns.shape
    sums, totals = np.empty((count, rank)), np.empty((2, count))
    kernels.codeword_sums(vectors, weights, cells, sums, totals)
    half = rank // 2
    for rows, total in ((slice(half), totals[0]), (slice(half, rank), totals[1])):
        used = total > 0
        columns[rows, used] = (sums[used, rows] / total[used, None]).T
        columns[rows, ~used] = vectors[moved[~used], rows].T


def _mean_square(setting: Setting) -> float:
    """Return the mean square of the numbers in the vectors of some training examples."""
    from sstrain.data.batches import BatchReader

    dataset = setting.dataset
    assert dataset is not None
    count = min(_EXAMPLES, dataset.num_examples)
    ids = np.arange(count) * dataset.num_examples // count
    batch = BatchReader(dataset, setting.vocabulary.num_features).take(ids)
    pooled = setting.class_vectors.pooled(batch, averaged=False)
    return float(np.mean(pooled.astype(np.float64) ** 2))


class MidxSampler(DrawnSampler):
    """Draws candidates by an index of a snapshot of the class vectors.

    Parameters
    ----------
    section : Midx section of a config
    state : dict
        ``codewords`` float32 [r, C], as columns; ``cells`` int32 [V]; ``log_weights`` float64 [V].
    setting : Setting
    """

    def __init__(self, section: Midx, state: State, setting: Setting) -> None:
        super().__init__(cast("SamplerSection", section), setting)
        self._midx = section
        self._state = state
        self._interval = setting.in_steps(section.refresh)
        self._index = self._empty_index()
        self._fill()

    def _empty_index(self) -> "MidxProposal":
        """Return the index before its cells are filled."""
        rank, count = self._state[_COLUMNS].shape
        num_classes, tiles = len(self._state[_CELLS]), kernels.TILES
        base = alias_state(Unigram().log_q(self.setting.vocabulary))
        return kernels.MidxProposal(
            pooled=np.empty((0, rank), np.float32),
            columns=self._state[_COLUMNS],
            cells=self._state[_CELLS],
            log_weights=self._state[_LOG_WEIGHTS],
            cell_weights=np.empty((count, count)),
            starts=np.empty(count * count + 1, np.int64),
            members=np.empty(num_classes, np.int32),
            cumulative=np.empty(num_classes),
            threshold=base["threshold"],
            alias=base["alias"],
            log_base=base["log_q"],
            base_share=self._midx.unigram_share,
            products=np.empty((tiles, 2, count), np.float32),
            second=np.empty((tiles, count)),
            masses=np.empty((tiles, count)),
            marginal=np.empty((tiles, count)),
            log_mass=np.empty(tiles),
            share=np.empty(tiles),
        )

    def _fill(self) -> None:
        index = self._index
        kernels.fill_cells(
            index.cells,
            index.log_weights,
            index.cell_weights,
            index.starts,
            index.members,
            index.cumulative,
        )

    def refresh(self, step: int) -> None:
        """Follow the weights every so many steps, and at first after 1, 2, 4, 8, ..."""
        # Weights change most in the first steps, which begin with vectors of random numbers.
        early = step < self._interval and step & (step - 1) == 0
        if step and (early or step % self._interval == 0):
            self._midx.update(self._state, self.setting, step, _ROUNDS)
            self._fill()

    def proposal(self, batch: "Batch") -> "MidxProposal":
        """Return the index with the vectors of a batch's examples, without dropout or averaging."""
        pooled = self.setting.class_vectors.pooled(batch, averaged=False)
        return self._index._replace(pooled=pooled)

    def tensors(self) -> State:
        """Return the snapshot; the cells follow from it."""
        return self._state
