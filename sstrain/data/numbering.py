"""Dense ids for labels and features, in the order of first sight."""

import secrets
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.errors import UserError

if TYPE_CHECKING:
    from sstrain.data.reader import FeatureNames

__all__ = [
    "NameNumbering",
    "NameTable",
    "Numbering",
    "buckets_of",
    "name_ids",
    "number_ids",
]


#: Of the tables' hashes, so that nobody can write a file that makes them slow; ids, which follow
#: first sight, do not depend on it.
_SEED = secrets.randbits(63)

_Array = TypeVar("_Array", bound=NDArray[Any])


class NameNumbering(dict[str, int]):
    """Ids of names: looking up a new one gives it the next."""

    def __missing__(self, name: str) -> int:
        number = self[name] = len(self)
        return number


class Numbering:
    """Ids of 64-bit numbers, in about 24 bytes for each distinct one."""

    def __init__(self) -> None:
        self._keys = np.empty(1 << 10, np.int64)
        self._num_keys = 0
        self._table = np.full(1 << 11, -1, np.int32)

    @property
    def keys(self) -> NDArray[np.int64]:
        """The numbers by their ids, int64 of shape [how many distinct ones]."""
        return self._keys[: self._num_keys]

    names = keys

    def ids(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the id of each number, int32 of the same shape; new ones get the next ids."""
        ids = np.empty(len(keys), np.int32)
        position = 0
        while True:
            position, self._num_keys = kernels.number_keys(
                keys, position, self._keys, self._num_keys, self._table, _SEED, ids
            )
            if position == len(keys):
                return ids
            self._grow()

    def _grow(self) -> None:
        self._keys = np.concatenate([self._keys, np.empty_like(self._keys)])
        self._table = np.full(2 * len(self._table), -1, np.int32)
        kernels.renumber(self._keys, self._num_keys, self._table, _SEED)


class HashedNumbers(Numbering):
    """Ids of the buckets, 2^bits of them, that numbers are hashed to."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self._bits = bits

    def ids(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the id of each number's bucket; two numbers may share one."""
        buckets = np.empty(len(keys), np.int64)
        kernels.hash_numbers(keys, self._bits, buckets)
        return super().ids(buckets)


class NameIds(Protocol):
    """Ids of names that stand in a text or a list."""

    def ids_in(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """Return the id of each stretch of a text: int32 of the shape of starts, ends."""

    def ids_of(self, names: Sequence[str]) -> NDArray[np.int32]:
        """Return the id of each name of a list: int32 of shape [N]."""

    @property
    def names(self) -> "FeatureNames":
        """The names by their ids."""


class _Listed:
    """Names of a list, as stretches of a text."""

    def ids_of(self: NameIds, names: Sequence[str]) -> NDArray[np.int32]:
        """Return the id of each name of a list: int32 of shape [N]."""
        encoded = [name.encode(errors="surrogateescape") for name in names]
        ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
        starts = np.concatenate([np.zeros(1, np.int64), ends])[: len(ends)]
        return self.ids_in(np.frombuffer(b"".join(encoded), np.uint8), starts, ends)


class NameTable(_Listed):
    """Ids of names, in about 30 bytes and the name's own for each distinct one."""

    def __init__(self) -> None:
        self._num_names = 0
        self._arrays = kernels.NameArrays(
            text=np.empty(1 << 14, np.uint8),
            ends=np.zeros((1 << 10) + 1, np.int64),
            hashes=np.empty(1 << 10, np.uint64),
            table=np.full(1 << 11, -1, np.int32),
            seed=_SEED,
        )

    def __len__(self) -> int:
        return self._num_names

    @property
    def names(self) -> list[str]:
        """The names by their ids."""
        ends = self._arrays.ends[: self._num_names + 1].tolist()
        text = self._arrays.text[: ends[-1]].tobytes()
        return [text[start:end].decode(errors="surrogateescape") for start, end in pairwise(ends)]

    def ids_in(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """Return the id of each stretch of a text; new names get the next ids."""
        ids = np.empty(len(starts), np.int32)
        position = 0
        while True:
            position, self._num_names = kernels.number_names(
                text, starts, ends, position, self._arrays, self._num_names, ids
            )
            if position == len(starts):
                return ids
            self._grow(int(ends[position] - starts[position]))

    def _grow(self, needed: int) -> None:
        text, ends, hashes, table, seed = self._arrays
        used = int(ends[self._num_names])
        if used + needed > len(text):
            text = _enlarged(text, 2 * len(text) + needed)
        if self._num_names == len(hashes):
            if self._num_names >= 1 << 30:
                raise UserError(
                    "too many distinct features to be numbered; found 2^30; lower them by hash_bits"
                )
            ends, hashes = _enlarged(ends, 2 * len(hashes) + 1), _enlarged(hashes, 2 * len(hashes))
            table = np.full(2 * len(table), -1, np.int32)
            kernels.renumber_names(hashes, self._num_names, table)
        self._arrays = kernels.NameArrays(text, ends, hashes, table, seed)


class HashedNames(_Listed):
    """Ids of the buckets, 2^bits of them, that names are hashed to: the names are not kept."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._buckets = Numbering()

    @property
    def names(self) -> NDArray[np.int64]:
        """The buckets by their ids."""
        return self._buckets.keys

    def ids_in(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """Return the id of each stretch's bucket; two names may share one."""
        buckets = np.empty(len(starts), np.int64)
        kernels.hash_names(text, starts, ends, self._bits, buckets)
        return self._buckets.ids(buckets)


def name_ids(hash_bits: int | None) -> NameTable | HashedNames:
    """Return ids for names, or for their buckets where features are hashed."""
    return NameTable() if hash_bits is None else HashedNames(hash_bits)


def number_ids(hash_bits: int | None) -> Numbering:
    """Return ids for numbers, or for their buckets where features are hashed."""
    return Numbering() if hash_bits is None else HashedNumbers(hash_bits)


def _enlarged(array: _Array, size: int) -> _Array:
    larger = np.empty(size, array.dtype)
    larger[: len(array)] = array
    return larger  # type: ignore[return-value]


def buckets_of(names: "FeatureNames", hash_bits: int) -> NDArray[np.int64]:
    """Return the bucket of each name or number, as features are hashed when they are read."""
    if isinstance(names, np.ndarray):
        numbers = HashedNumbers(hash_bits)
        ids = numbers.ids(names)
        return numbers.keys[ids]
    hashed = HashedNames(hash_bits)
    ids = hashed.ids_of(names)
    return hashed.names[ids]
