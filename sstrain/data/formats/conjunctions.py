"""The last two and the last three tokens together, as features of their own."""

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.numbering import Numbering

__all__ = ["Conjunctions"]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Conjunctions:
    """Ids of pairs and triples of tokens, in the order of first sight.

    A pair's key is the ids of its two tokens, or its hash; a triple's is below zero, the complement
    of its last two tokens' id as a pair and the id of the one before them, or of its hash.

    Parameters
    ----------
    longest : int
        3 for pairs and triples, 2 for pairs alone, 0 for none.
    bits : int or None
        Into how many buckets, 2^bits, pairs are hashed, and triples into as many; None: they are
        told apart.
    """

    def __init__(self, longest: int, bits: int | None) -> None:
        self._longest = longest
        self._bits = bits
        self._numbering = Numbering()
        self._hashes = np.empty(0, np.uint64)

    def __len__(self) -> int:
        return len(self._numbering.keys)

    def of_rows(
        self,
        tokens: NDArray[np.int32],
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
        names: list[str],
    ) -> NDArray[np.int64]:
        """Return the ids of what the stretches of tokens end with.

        Parameters
        ----------
        tokens : int32 array
        starts, ends : int64 arrays of shape [N]
        names : list of str
            The tokens by their ids; a hash depends on them alone.

        Returns
        -------
        int64 array of shape [N, C]
            The pair's and the triple's, as far as there are such; -1 where a stretch is too short.
        """
        ids = np.full((len(ends), max(self._longest - 1, 0)), -1, np.int64)
        if self._bits is not None:
            self._add_hashes(names)
        for place in range(ids.shape[1]):
            rows = np.flatnonzero(ends - starts >= place + 2)
            last = [tokens[ends[rows] - back].astype(np.int64) for back in range(1, place + 3)]
            keys = self._keys(last, ids[rows, 0])
            ids[rows, place] = self._numbering.ids(~keys if place else keys)
        return ids

    def _keys(self, last: list[NDArray[np.int64]], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return numbers from 0 for stretches of tokens, given from their last one backwards."""
        if self._bits is None:
            high, low = (pairs, last[2]) if len(last) == 3 else (last[1], last[0])
            return (high << 32) | low
        hashes = np.zeros(len(last[0]), np.uint64)
        for token in reversed(last):
            hashes = hashes * _MULTIPLIER + self._hashes[token]
        buckets = np.empty(len(hashes), np.int64)
        kernels.hash_numbers(hashes.view(np.int64), self._bits, buckets)
        return buckets

    def _add_hashes(self, names: list[str]) -> None:
        """Hash the tokens that are new."""
        new = [name.encode() for name in names[len(self._hashes) :]]
        ends = np.cumsum([0, *map(len, new)])
        hashes = np.empty(len(new), np.int64)
        text = np.frombuffer(b"".join(new), np.uint8)
        kernels.hash_names(text, ends[:-1], ends[1:], 64, hashes)
        self._hashes = np.concatenate([self._hashes, hashes.view(np.uint64)])

    def name(self, number: int, names: list[str]) -> str:
        """Return a conjunction's name: ``-2,-1:of the``, or ``pair#BUCKET``.

        A space or a backslash in a token has a backslash before it, so that no two conjunctions
        have the same name.
        """
        key = int(self._numbering.keys[number])
        if self._bits is not None:
            return f"pair#{key}" if key >= 0 else f"triple#{~key}"
        places = "-2,-1" if key >= 0 else "-3,-2,-1"
        return f"{places}:{' '.join(_escaped(names[token]) for token in self._tokens(key))}"

    def _tokens(self, key: int) -> list[int]:
        if key < 0:
            pair, first = divmod(~key, 1 << 32)
            return [first, *self._tokens(int(self._numbering.keys[pair]))]
        return list(divmod(key, 1 << 32))


def _escaped(token: str) -> str:
    return token.replace("\\", "\\\\").replace(" ", "\\ ")
