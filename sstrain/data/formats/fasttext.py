"""Lines of words in which fastText's labels stand: ``__label__sport the cup final ...``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator

from sstrain import kernels
from sstrain.data.bad_lines import BadLineError
from sstrain.data.base import MultiLabelSource
from sstrain.data.blocks import Block
from sstrain.data.formats.bad_bytes import raise_first, unreadable
from sstrain.data.numbering import NameTable, Numbering, name_ids
from sstrain.data.reader import FeatureNames, LineReader, Rows, each_once, summed_repeats
from sstrain.data.sample import Sample

if TYPE_CHECKING:
    from sstrain.kernels import FasttextResult, FasttextRows, NgramShape

__all__ = ["Fasttext", "FasttextReader"]

_SPACES = " \t\n\v\f\r"
_PREFIX = "__label__"


class Fasttext(MultiLabelSource):
    """fastText's lines: words, and labels among them that are told by their prefix.

    A feature is a word, named as it stands, or one of the buckets that n-grams are hashed to, named
    ``# 123``, which no word can be called; its value is how often it occurs in the line.
    """

    format: Literal["fasttext"] = "fasttext"
    #: What a label begins with; the name of its class is what follows.
    label_prefix: str = Field(_PREFIX, min_length=1)
    #: Sequences of two to so many words are features too.
    word_ngrams: int = Field(1, ge=1, le=20)
    #: Sequences of ``minn`` to ``maxn`` characters of ``<word>``, its marks included, are features
    #: too; with ``maxn: 0`` none.
    minn: int = Field(0, ge=0, le=20)
    maxn: int = Field(0, ge=0, le=20, validate_default=True)
    #: How many buckets n-grams are hashed to.
    buckets: int = Field(1 << 21, ge=1, le=1 << 30)

    @field_validator("label_prefix")
    @classmethod
    def _is_no_space(cls, prefix: str) -> str:
        if any(character in prefix for character in _SPACES + "\0"):
            raise ValueError("white space in it; expected a part of a word")
        return prefix

    @field_validator("maxn")
    @classmethod
    def _is_range(cls, maxn: int, values: ValidationInfo) -> int:
        minn = values.data.get("minn", 0)
        if minn > maxn:
            raise ValueError(f"expected a number from minn on, {minn}")
        return maxn

    @property
    def has_ngrams(self) -> bool:
        """Whether there are other features than words."""
        return self.word_ngrams > 1 or self.maxn > 0

    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "FasttextReader":
        """Return a reader."""
        return FasttextReader(self, fitted.get("hash_bits"), labelled)

    @classmethod
    def fitting_lines(cls, sample: Sample) -> dict[int, bool]:
        """Return which lines have a label with fastText's own prefix."""
        return sample.tried(_has_label) if sample.is_text else {}


def _has_label(line: bytes) -> bool:
    return any(word.startswith(_PREFIX.encode()) for word in line.split())


class FasttextReader(LineReader):
    """Splits lines into words and labels, and forms n-grams.

    Parameters
    ----------
    source : Fasttext
    hash_bits : int or None
        Words and n-grams are hashed to 2^bits buckets; None: words are kept, and n-grams have the
        source's buckets.
    labelled : bool
        False where a line, with or without labels, is a row without.
    """

    def __init__(self, source: Fasttext, hash_bits: int | None, labelled: bool) -> None:
        self._source = source
        self._hash_bits = hash_bits
        self._labelled = labelled
        self._prefix = np.frombuffer(source.label_prefix.encode(), np.uint8)
        self._labels = NameTable()
        self._words = name_ids(hash_bits)
        self._features = Numbering()  # of words' ids and n-grams, where there are n-grams
        self._num_left_out = 0

    def read(self, block: Block) -> Rows:
        """Return the block's examples."""
        text = np.frombuffer(block.data, np.uint8)
        parsed = _room(block.num_lines, int(np.count_nonzero(text <= ord(" "))))
        one_label = self._source.multilabel == "error"
        result = kernels.split_fasttext(text, self._prefix, self._labelled, one_label, parsed)
        mistake = self._mistake(block, result) if result.error else None
        raise_first(unreadable(block), mistake)
        indptr, features = self._entries(text, parsed, result)
        values = np.ones(len(features), np.float32)
        labels, label_indptr = self._label_ids(text, parsed, result)
        return Rows(
            *summed_repeats(indptr, features, values, block.name),
            labels=labels,
            lines=parsed.lines[: result.num_rows] + block.first_line,
            label_indptr=label_indptr,
        )

    def _entries(
        self, text: NDArray[np.uint8], parsed: "FasttextRows", result: "FasttextResult"
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return where each row's features begin, and their ids."""
        starts = parsed.word_starts[: result.num_words]
        ends = parsed.word_ends[: result.num_words]
        first_words = parsed.first_words[: result.num_rows + 1].copy()
        if not self._source.has_ngrams:
            return first_words, self._words.ids_in(text, starts, ends)
        shape = self._shape()
        indptr = np.empty_like(first_words)
        kernels.count_ngrams(text, starts, ends, first_words, shape, indptr)
        keys = np.empty(indptr[-1], np.int64)
        words = (starts, ends, self._word_keys(text, starts, ends))
        kernels.add_ngrams(text, words, first_words, shape, indptr, keys)
        if self._hash_bits is not None:
            is_ngram = keys < 0
            buckets = -1 - keys[is_ngram]
            kernels.hash_numbers(buckets, self._hash_bits, buckets)
            keys[is_ngram] = buckets
        return indptr, self._features.ids(keys)

    def _shape(self) -> "NgramShape":
        source = self._source
        return kernels.NgramShape(source.word_ngrams, source.minn, source.maxn, source.buckets)

    def _word_keys(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return numbers for words, at least 0: their ids, or their buckets."""
        if self._hash_bits is None:
            return self._words.ids_in(text, starts, ends).astype(np.int64)
        buckets = np.empty(len(starts), np.int64)
        kernels.hash_names(text, starts, ends, self._hash_bits, buckets)
        return buckets

    def _label_ids(
        self, text: NDArray[np.uint8], parsed: "FasttextRows", result: "FasttextResult"
    ) -> tuple[NDArray[np.int32], NDArray[np.int64] | None]:
        """Return the labels, and where each row's begin if it may have several."""
        indptr = parsed.first_labels[: result.num_rows + 1]
        starts = parsed.label_starts[: result.num_labels]
        ends = parsed.label_ends[: result.num_labels]
        if not self._labelled:
            return np.full(result.num_rows, -1, np.int32), None
        if self._source.multilabel == "split":
            return each_once(self._labels.ids_in(text, starts, ends), indptr.copy())
        self._num_left_out += result.num_labels - result.num_rows
        first = indptr[:-1]
        return self._labels.ids_in(text, starts[first], ends[first]), None

    def _mistake(self, block: Block, result: "FasttextResult") -> BadLineError:
        prefix = self._source.label_prefix
        position = result.position
        if result.error.name == "MISSING_LABEL":
            return block.bad(
                position, "no label", _word(block.data, position), f"a word {prefix}NAME in it"
            )
        position -= len(prefix.encode())
        found = _word(block.data, position)
        if result.error.name == "EMPTY_LABEL":
            return block.bad(position, "a label without a name", found, f"{prefix}NAME")
        expected = "one label a line; or multilabel: first, or split"
        return block.bad(position, "several labels", found, expected)

    @property
    def label_names(self) -> list[str]:
        """The labels, without their prefix."""
        return self._labels.names

    @property
    def feature_names(self) -> FeatureNames:
        """Words, and ``# BUCKET`` for n-grams; or the buckets of both where all are hashed."""
        names = self._words.names
        if not self._source.has_ngrams:
            return names
        keys = self._features.keys
        if self._hash_bits is not None:
            return keys
        return [str(names[key]) if key >= 0 else f"# {-1 - key}" for key in keys.tolist()]

    def absence(self) -> str:
        """Return what was found where no example was."""
        return f"found no words; expected lines of {self._source.label_prefix}NAME word ..."

    def notes(self) -> list[str]:
        """Return a note if labels are left out."""
        if self._num_left_out == 0:
            return []
        return [f"multilabel: first leaves out {self._num_left_out:,} labels after a line's first"]


def _room(num_lines: int, num_spaces: int) -> "FasttextRows":
    """Return arrays for the most rows and words that a text can hold."""
    return kernels.FasttextRows(
        lines=np.empty(num_lines, np.int64),
        first_words=np.empty(num_lines + 1, np.int64),
        first_labels=np.empty(num_lines + 1, np.int64),
        word_starts=np.empty(num_spaces, np.int64),
        word_ends=np.empty(num_spaces, np.int64),
        label_starts=np.empty(num_spaces, np.int64),
        label_ends=np.empty(num_spaces, np.int64),
    )


def _word(data: bytes, position: int) -> bytes:
    """Return the word that begins at a position."""
    return data[position : data.index(b"\n", position)].split(None, 1)[0]
