"""Hashing n-grams of characters and of words, as fastText forms them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.borrowed import borrowed
from sstrain.kernels.names import hash_bytes

__all__ = ["NgramShape", "add_ngrams", "count_ngrams"]

# Hashes of n-grams begin with these: a word's characters by whether its two marks are among them,
# so that the mark < is another thing than a < in the text.
_PLAIN, _FIRST = np.uint64(0xE220A8397B1DCDAF), np.uint64(0x6E789E6AA1B965F4)
_LAST, _WHOLE = np.uint64(0x06C45D188009454F), np.uint64(0xF88BB8A8724C81EC)
_32 = np.uint64(32)


class NgramShape(NamedTuple):
    """Which n-grams there are."""

    words: int  # of up to so many words
    shortest: int  # of so many characters, the marks < and > included,
    longest: int  # to so many; 0 for none
    buckets: int


@inline
def _continues(byte: int) -> bool:
    """Return whether a byte of UTF-8 belongs to the character before it."""
    return (byte & 0xC0) == 0x80


@inline
def _after_character(text: NDArray[np.uint8], position: int, start: int, end: int) -> int:
    """Step over a character of ``<word>``; its marks stand at ``start - 1`` and ``end``."""
    position += 1
    while start < position < end and _continues(text[position]):
        position += 1
    return position


@inline
def _num_of_characters(text: NDArray[np.uint8], start: int, end: int, shape: NgramShape) -> int:
    """Return how many n-grams of characters a word has."""
    length = 3  # its first character and the marks
    for position in range(start + 1, end):
        length += not _continues(text[position])
    number = 0
    for size in range(max(shape.shortest, 1), min(shape.longest, length) + 1):
        number += length - size + 1 - (2 if size == 1 else 0)
    return number


@kernel
def count_ngrams(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    first_words: NDArray[np.int64],
    shape: NgramShape,
    indptr: NDArray[np.int64],
) -> None:
    """Write where each row begins once its n-grams are added.

    Parameters
    ----------
    text : uint8 array
    starts, ends : int64 arrays of shape [W]
        Where in the text each word stands; none is empty.
    first_words : int64 array of shape [R + 1]
    shape : NgramShape
    indptr : int64 array of shape [R + 1]
        Filled in place.
    """
    indptr[0] = 0
    for row in range(len(indptr) - 1):
        first, end = first_words[row], first_words[row + 1]
        number = 0
        for size in range(1, min(shape.words, end - first) + 1):
            number += end - first - size + 1
        for word in range(first, end):
            number += _num_of_characters(text, starts[word], ends[word], shape)
        indptr[row + 1] = indptr[row] + number


@inline
def _key(hashed: np.uint64, buckets: int) -> int:
    """Return ``-1 - bucket``, by the hash's highest 32 bits."""
    return -1 - np.int64(((hashed >> _32) * np.uint64(buckets)) >> _32)  # type: ignore[return-value]


@inline
def _add_characters(
    text: NDArray[np.uint8],
    start: int,
    end: int,
    shape: NgramShape,
    keys: NDArray[np.int64],
    entry: int,
) -> int:
    """Write the keys of a word's n-grams of characters, and return the next entry."""
    first = start - 1
    while first <= end:
        last, size = first, 0  # the position after the n-gram
        while last <= end and size < shape.longest:
            last = _after_character(text, last, start, end)
            size += 1
            has_start, has_end = first < start, last > end
            if size < shape.shortest or (size == 1 and (has_start or has_end)):
                continue
            seed = _PLAIN
            if has_start:
                seed = _WHOLE if has_end else _FIRST
            elif has_end:
                seed = _LAST
            hashed = hash_bytes(text, max(first, start), min(last, end), seed)
            keys[entry] = _key(hashed, shape.buckets)
            entry += 1
        first = _after_character(text, first, start, end)
    return entry


@kernel
def add_ngrams(
    text: NDArray[np.uint8],
    words: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    first_words: NDArray[np.int64],
    shape: NgramShape,
    indptr: NDArray[np.int64],
    keys: NDArray[np.int64],
) -> None:
    """Write the keys of each row's words, of their characters' n-grams and of the words' own.

    An n-gram of words is hashed by its words one after another, and its key is ``-1 - bucket``.

    Parameters
    ----------
    text : uint8 array
    words : tuple of int64 arrays of shape [W]
        The starts and ends of the words, and their keys.
    first_words : int64 array of shape [R + 1]
    shape : NgramShape
    indptr : int64 array of shape [R + 1]
        As `count_ngrams` writes it.
    keys : int64 array of shape [indptr[R]]
        Filled in place.
    """
    text = borrowed(text)
    starts, ends, word_keys = borrowed(words[0]), borrowed(words[1]), borrowed(words[2])
    keys = borrowed(keys)
    for row in range(len(indptr) - 1):
        entry, end = indptr[row], first_words[row + 1]
        for word in range(first_words[row], end):
            keys[entry] = word_keys[word]
            entry = _add_characters(text, starts[word], ends[word], shape, keys, entry + 1)
            if shape.words > 1:
                hashed = hash_bytes(text, starts[word], ends[word], np.uint64(0))
                for other in range(word + 1, min(word + shape.words, end)):
                    hashed = hash_bytes(text, starts[other], ends[other], hashed)
                    keys[entry] = _key(hashed, shape.buckets)
                    entry += 1
