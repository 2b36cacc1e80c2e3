"""One sequence of tokens a line: a verse, a sentence, a session. Every token is a target."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator

from sstrain import kernels
from sstrain.data.bad_lines import BadLineError
from sstrain.data.base import Fitting, Source
from sstrain.data.blocks import Block
from sstrain.data.formats.conjunctions import Conjunctions
from sstrain.data.formats.tokens import WHITESPACE, checked_pattern, decoded, tokenizer
from sstrain.data.numbering import HashedNames, NameNumbering, Numbering
from sstrain.data.reader import FeatureNames, LineReader, Rows, summed_repeats
from sstrain.errors import UserError

__all__ = ["Sequence", "SequenceFitting", "SequenceReader"]

#: The class of a line's end.
_END = "</s>"


class Sequence(Source):
    """Next-token prediction from the tokens before it in the line."""

    format: Literal["sequence"] = "sequence"
    #: A regular expression that matches one token, or ``whitespace``.
    tokens: str = r"[\w']+"
    lowercase: bool = True
    #: How many of the previous tokens make up the bag.
    context: int = Field(10, ge=0, le=10_000)
    #: What a token's value in the bag is: 1, or how often it stands there.
    bag: Literal["presence", "counts"] = "presence"
    #: Whether the last two tokens together (2), and the last three too (3), are features; 0: no.
    conjunctions: Literal[0, 2, 3] = 0
    #: Conjunctions are hashed into 2^bits buckets for each length; None: each is a feature.
    conjunction_bits: int | None = Field(None, ge=1, le=26)
    #: How many of the previous tokens are features of their own at each position.
    positions: int = Field(3, ge=0, le=1_000)
    #: Whether the end of a line that has tokens is predicted too, as the class ``</s>``.
    eos: bool = False

    @field_validator("tokens")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        return checked_pattern(pattern)

    @field_validator("conjunction_bits")
    @classmethod
    def _hashes_conjunctions(cls, bits: int | None, values: ValidationInfo) -> int | None:
        if bits is not None and values.data.get("conjunctions") == 0:
            raise ValueError("conjunctions is 0, which leaves nothing to be hashed")
        return bits

    @field_validator("positions")
    @classmethod
    def _leaves_features(cls, positions: int, values: ValidationInfo) -> int:
        if positions == values.data.get("context") == values.data.get("conjunctions") == 0:
            raise ValueError("context and positions are both 0, which leaves no features")
        return positions

    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "SequenceReader":
        """Return a reader; a line without a label is a context, for what follows it."""
        return SequenceReader(self, labelled, fitted.get("hash_bits"))


class SequenceFitting(Fitting):
    """What a sequence file fits to the training lines alone."""

    #: Tokens that training lines hold fewer times are no classes, but still features.
    min_count: int = Field(1, ge=1)

    @property
    def smallest_class(self) -> int:
        """The training examples that a token needs to be a class."""
        return self.min_count


class SequenceReader(LineReader):
    """Makes each token an example: the bag of those before it, and the last by their position.

    Token t has the features from ``t * (positions + 1)``. Where there are conjunctions these are
    doubled, conjunctions are odd, so that both can grow, and those that occur are numbered.
    With ``hash_bits`` such numbers hold for a block alone, and their names are hashed.
    """

    predicts_tokens = True

    def __init__(self, source: Sequence, labelled: bool, hash_bits: int | None = None) -> None:
        self._source = source
        self._labelled = labelled
        self._tokenize = tokenizer(source.tokens)
        self._ids = NameNumbering()
        self._conjunctions = self._no_conjunctions()
        self._features = Numbering()
        self._buckets = None if hash_bits is None else HashedNames(hash_bits)
        self._num_characters = 0
        self._num_words = 0
        self._num_tokens = 0
        self._num_in_tokens = 0

    def _no_conjunctions(self) -> Conjunctions:
        return Conjunctions(self._source.conjunctions, self._source.conjunction_bits)

    def read(self, block: Block) -> Rows:
        """Return an example for each token, or, without labels, a context for each line."""
        tokens, line_starts = self._tokens(block)
        num_lines = len(line_starts) - 1
        lines = np.arange(block.first_line, block.first_line + num_lines)
        if self._labelled:
            lengths = np.diff(line_starts)
            starts, ends = np.repeat(line_starts[:-1], lengths), np.arange(len(tokens))
            rows = self._rows(tokens, starts, ends, tokens, np.repeat(lines, lengths))
        else:
            no_labels = np.full(num_lines, -1, np.int32)
            rows = self._rows(tokens, line_starts[:-1], line_starts[1:], no_labels, lines)
        if self._buckets is not None:
            return self._hashed(rows, self._buckets, block.name)
        if self._source.conjunctions:
            return replace(rows, features=self._features.ids(rows.features.astype(np.int64)))
        return rows

    def _tokens(self, block: Block) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the ids of all tokens, and where each line's begin and the last line's end."""
        text, mistake = decoded(block)
        if self._source.lowercase:
            text = text.lower()
        has_ends = self._source.eos and self._labelled
        may_hold_ends = has_ends and _END in text
        tokens: list[str] = []
        line_starts = [0]
        num_ends = 0
        for line in text.removesuffix("\n").split("\n"):
            found = self._tokenize(line.removesuffix("\r"))
            if may_hold_ends and _END in found:
                raise _early_end(block, len(line_starts) - 1)
            tokens += found
            if has_ends and found:
                tokens.append(_END)
                num_ends += 1
            line_starts.append(len(tokens))
        if mistake is not None:
            raise mistake
        words = text.split()
        self._num_characters += sum(map(len, words))
        self._num_in_tokens += sum(map(len, tokens)) - num_ends * len(_END)
        self._num_words += len(words)
        self._num_tokens += len(tokens) - num_ends
        ids = np.fromiter(map(self._ids.__getitem__, tokens), np.int32, len(tokens))
        return ids, np.array(line_starts)

    def _rows(
        self,
        tokens: NDArray[np.int32],
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
        labels: NDArray[np.int32],
        lines: NDArray[np.int64],
    ) -> Rows:
        context, positions = self._source.context, self._source.positions
        more = self._conjunction_features(tokens, starts, ends)
        lengths = ends - starts
        num_entries = int((np.minimum(lengths, context) + np.minimum(lengths, positions)).sum())
        num_entries += int(np.count_nonzero(more >= 0))
        indptr = np.empty(len(ends) + 1, np.int64)
        features, values = np.empty(num_entries, np.int32), np.empty(num_entries, np.float32)
        shape = (context, positions, len(self._ids))
        counted = self._source.bag == "counts"
        kernels.context_rows(tokens, starts, ends, shape, counted, more, indptr, features, values)
        # Tokens that a bag holds twice leave the arrays' ends free.
        num_entries = int(indptr[-1])
        features.resize(num_entries, refcheck=False)
        values.resize(num_entries, refcheck=False)
        return Rows(indptr, features, values, labels, lines)

    def _conjunction_features(
        self, tokens: NDArray[np.int32], starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """Return the conjunctions' feature ids, of shape [N, C]; -1 for none."""
        num_features = len(self._ids) * (self._source.positions + 1)
        ids = np.empty((len(ends), 0), np.int64)
        if self._source.conjunctions:
            if self._buckets is not None:
                self._conjunctions = self._no_conjunctions()
            ids = self._conjunctions.of_rows(tokens, starts, ends, list(self._ids))
            num_features = 2 * max(num_features, len(self._conjunctions))
        if num_features >= 2**31:
            raise UserError("too many distinct tokens for their features to be numbered")
        return (2 * ids + 1).astype(np.int32)  # which leaves -1 what it is

    def _hashed(self, rows: Rows, buckets: HashedNames, name: str) -> Rows:
        """Return rows over the buckets of the features' names; the file is named in messages."""
        used, places = np.unique(rows.features, return_inverse=True)
        tokens = list(self._ids)
        ids = buckets.ids_of([self._feature_name(feature, tokens) for feature in used.tolist()])
        summed = summed_repeats(rows.indptr, ids[places], rows.values, name)
        return Rows(*summed, labels=rows.labels, lines=rows.lines)

    def _feature_name(self, feature: int, tokens: list[str]) -> str:
        if self._source.conjunctions:
            feature, is_conjunction = divmod(feature, 2)
            if is_conjunction:
                return self._conjunctions.name(feature, tokens)
        token, place = divmod(feature, self._source.positions + 1)
        return f"{-place if place else 'bag'}:{tokens[token]}"

    @property
    def label_names(self) -> list[str]:
        """The tokens, ``</s>`` among them if line ends are predicted."""
        return list(self._ids)

    @property
    def feature_names(self) -> FeatureNames:
        """``bag:TOKEN``, ``-1:TOKEN``, ``-2:TOKEN``, ... for each token; conjunctions' among them.

        With ``hash_bits`` numbers of buckets.
        """
        if self._buckets is not None:
            return self._buckets.names
        tokens = list(self._ids)
        if self._source.conjunctions:
            return [self._feature_name(key, tokens) for key in self._features.keys.tolist()]
        places = ["bag", *(f"-{p}" for p in range(1, self._source.positions + 1))]
        return [f"{place}:{token}" for token in tokens for place in places]

    def absence(self) -> str:
        """Return what was found where no token was."""
        pattern = self._source.tokens
        if self._num_characters == 0:
            return "found no text; expected lines of tokens"
        if pattern == WHITESPACE:
            return "found no token; expected lines of tokens between white space"
        case = " in lower case" if self._source.lowercase else ""
        return f"no text{case} matches {pattern!r}; did you mean tokens: {WHITESPACE}?"

    def notes(self) -> list[str]:
        """Return a note if the pattern leaves out most of the text, or takes words apart."""
        left_out = self._num_characters - self._num_in_tokens
        if left_out <= 0.5 * self._num_characters or self._num_in_tokens == 0:
            return self._note_of_parts()
        share = left_out / self._num_characters
        return [
            f"tokens: {self._source.tokens!r} leaves out {share:.0%} of the characters that are "
            f"no white space; tokens: {WHITESPACE} would take them all"
        ]

    def _note_of_parts(self) -> list[str]:
        if self._num_tokens <= 1.2 * self._num_words:
            return []
        return [
            f"tokens: {self._source.tokens!r} finds {self._num_tokens:,} tokens in "
            f"{self._num_words:,} words; tokens: {WHITESPACE} takes no word (no item id) apart"
        ]


def _early_end(block: Block, line: int) -> BadLineError:
    lines = block.data.split(b"\n")
    start = sum(len(before) + 1 for before in lines[:line])
    place = re.search(re.escape(_END.encode()), lines[line], re.IGNORECASE)
    position = start + (place.start() if place else 0)
    return block.bad(position, "an end inside of a line", _END, "eos: false, or other tokens")
