"""One sequence of tokens a line: a verse, a sentence, a session. Every token is a target."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator

from sstrain import kernels
from sstrain.data.base import Fitting, Source
from sstrain.data.files import Block
from sstrain.data.numbering import NameNumbering
from sstrain.data.reader import Reader, Rows
from sstrain.errors import UserError

__all__ = ["Sequence", "SequenceFitting", "SequenceReader"]

_WHITESPACE = "whitespace"


class Sequence(Source):
    """Next-token prediction from the tokens before it in the line."""

    predicts_tokens: ClassVar[bool] = True

    format: Literal["sequence"] = "sequence"
    #: A regular expression that matches one token, or ``whitespace``.
    tokens: str = r"[\w']+"
    lowercase: bool = True
    #: How many of the previous tokens make up the bag.
    context: int = Field(10, ge=0, le=10_000)
    #: What a token's value in the bag is: 1, or how often it stands there.
    bag: Literal["presence", "counts"] = "presence"
    #: How many of the previous tokens are features of their own at each position.
    positions: int = Field(3, ge=0, le=1_000)

    @field_validator("tokens")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"no regular expression ({error})") from None
        return pattern

    @field_validator("positions")
    @classmethod
    def _leaves_features(cls, positions: int, values: ValidationInfo) -> int:
        if positions == 0 and values.data.get("context") == 0:
            raise ValueError("context and positions are both 0, which leaves no features")
        return positions

    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "SequenceReader":
        """Return a reader; a line without a label is a context, for what follows it."""
        return SequenceReader(self, labelled)


class SequenceFitting(Fitting):
    """What a sequence file fits to the training lines alone."""

    #: Tokens that training lines hold fewer times are no classes, but still features.
    min_count: int = Field(1, ge=1)

    @property
    def smallest_class(self) -> int:
        """The training examples that a token needs to be a class."""
        return self.min_count


class SequenceReader(Reader):
    """Makes each token an example: the bag of those before it, and the last by their position."""

    def __init__(self, source: Sequence, labelled: bool) -> None:
        self._source = source
        self._labelled = labelled
        self._tokenize = _tokenizer(source.tokens)
        self._ids = NameNumbering()
        self._num_characters = 0
        self._num_words = 0
        self._num_tokens = 0
        self._num_in_tokens = 0

    def read(self, block: Block) -> Rows:
        """Return an example for each token, or, without labels, a context for each line."""
        tokens, line_starts = self._tokens(_decoded(block))
        num_lines = len(line_starts) - 1
        lines = np.arange(block.first_line, block.first_line + num_lines)
        if self._labelled:
            lengths = np.diff(line_starts)
            starts, ends = np.repeat(line_starts[:-1], lengths), np.arange(len(tokens))
            return self._rows(tokens, starts, ends, tokens, np.repeat(lines, lengths))
        no_labels = np.full(num_lines, -1, np.int32)
        return self._rows(tokens, line_starts[:-1], line_starts[1:], no_labels, lines)

    def _tokens(self, text: str) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the ids of all tokens, and where each line's begin and the last line's end."""
        if self._source.lowercase:
            text = text.lower()
        tokens: list[str] = []
        line_starts = [0]
        for line in text.removesuffix("\n").split("\n"):
            tokens += self._tokenize(line.removesuffix("\r"))
            line_starts.append(len(tokens))
        self._num_characters += sum(map(len, text.split()))
        self._num_in_tokens += sum(map(len, tokens))
        self._num_words += len(text.split())
        self._num_tokens += len(tokens)
        ids = np.fromiter(map(self._ids.__getitem__, tokens), np.int32, len(tokens))
        if len(self._ids) * (self._source.positions + 1) >= 2**31:
            raise UserError("too many distinct tokens for their features to be numbered")
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
        lengths = ends - starts
        num_entries = int((np.minimum(lengths, context) + np.minimum(lengths, positions)).sum())
        indptr = np.empty(len(ends) + 1, np.int64)
        features, values = np.empty(num_entries, np.int32), np.empty(num_entries, np.float32)
        shape = (context, positions, len(self._ids))
        counted = self._source.bag == "counts"
        kernels.context_rows(tokens, starts, ends, shape, counted, indptr, features, values)
        # Tokens that a bag holds twice leave the arrays' ends free.
        num_entries = int(indptr[-1])
        features.resize(num_entries, refcheck=False)
        values.resize(num_entries, refcheck=False)
        return Rows(indptr, features, values, labels, lines)

    @property
    def label_names(self) -> list[str]:
        """The tokens."""
        return list(self._ids)

    @property
    def feature_names(self) -> list[str]:
        """``bag:TOKEN``, ``-1:TOKEN``, ``-2:TOKEN``, ... for each token."""
        places = ["bag", *(f"-{p}" for p in range(1, self._source.positions + 1))]
        return [f"{place}:{token}" for token in self._ids for place in places]

    def absence(self) -> str:
        """Return what was found where no token was."""
        pattern = self._source.tokens
        if self._num_characters == 0:
            return "found no text; expected lines of tokens"
        if pattern == _WHITESPACE:
            return "found no token; expected lines of tokens between white space"
        case = " in lower case" if self._source.lowercase else ""
        return f"no text{case} matches {pattern!r}; did you mean tokens: {_WHITESPACE}?"

    def notes(self) -> list[str]:
        """Return a note if the pattern leaves out most of the text, or takes words apart."""
        left_out = self._num_characters - self._num_in_tokens
        if left_out <= 0.5 * self._num_characters or self._num_in_tokens == 0:
            return self._note_of_parts()
        share = left_out / self._num_characters
        return [
            f"tokens: {self._source.tokens!r} leaves out {share:.0%} of the characters that are "
            f"no white space; tokens: {_WHITESPACE} would take them all"
        ]

    def _note_of_parts(self) -> list[str]:
        if self._num_tokens <= 1.2 * self._num_words:
            return []
        return [
            f"tokens: {self._source.tokens!r} finds {self._num_tokens:,} tokens in "
            f"{self._num_words:,} words; tokens: {_WHITESPACE} takes no word (no item id) apart"
        ]


def _tokenizer(pattern: str) -> Callable[[str], list[str]]:
    if pattern == _WHITESPACE:
        return str.split
    compiled = re.compile(pattern)
    if compiled.groups == 0 and not compiled.match(""):
        return compiled.findall
    return lambda line: [match[0] for match in compiled.finditer(line) if match[0]]


def _decoded(block: Block) -> str:
    try:
        return block.data.decode()
    except UnicodeDecodeError as error:
        raise UserError(
            f"{block.place(error.start)}: not UTF-8; found the byte "
            f"0x{block.data[error.start]:02x}; expected text in UTF-8"
        ) from None
