"""``label TAB text`` lines: words or character n-grams, as scikit-learn's analysers make them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from sstrain.data.base import Source
from sstrain.data.blocks import Block
from sstrain.data.formats.tokens import checked_pattern, decoded, tokenizer
from sstrain.data.numbering import NameTable, name_ids
from sstrain.data.reader import FeatureNames, LineReader, Rows, summed_repeats
from sstrain.data.sample import Sample

__all__ = ["Text", "TextReader"]

_WORDS = r"\w+"
#: Where more lines are a label, a TAB and pairs, the file is svmlight.
_MOST_PAIRS = 0.9
#: So many n-grams are looked up together: a list of more would be large.
_TOGETHER = 1 << 17


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_Length = Annotated[int, Field(ge=1, le=100)]


class Text(Source):
    """``label TAB text`` lines.

    The label is all that stands before the first TAB. A feature is an n-gram of the text's words,
    with a space between them, or of its characters.
    """

    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    format: Literal["text"] = "text"
    #: Of what the n-grams are: ``word``; ``char``; or ``char_wb``, the characters of each word with
    #: a space at both of its ends.
    analyzer: Literal["word", "char", "char_wb"] = "word"
    #: The lengths of the shortest and the longest n-grams.
    ngrams: Annotated[tuple[_Length, _Length], BeforeValidator(_as_tuple)] = (1, 1)
    lowercase: bool = True
    #: A regular expression that matches one word, or ``whitespace``.
    tokens: str = _WORDS
    #: ``unicode`` takes the marks off letters: é is e.
    strip_accents: Literal["none", "unicode"] = "none"
    #: What an n-gram's value is: how often it stands in the text, or 1.
    values: Literal["counts", "presence"] = "counts"

    @field_validator("ngrams")
    @classmethod
    def _rises(cls, lengths: tuple[int, int]) -> tuple[int, int]:
        if lengths[0] > lengths[1]:
            raise ValueError("the shortest n-gram is longer than the longest")
        return lengths

    @field_validator("tokens")
    @classmethod
    def _makes_words(cls, pattern: str, values: ValidationInfo) -> str:
        if pattern != _WORDS and values.data.get("analyzer") in ("char", "char_wb"):
            raise ValueError("tokens says what a word is, and the analyzer takes characters")
        return checked_pattern(pattern)

    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "TextReader":
        """Return a reader; where lines need no label, one without a TAB is all text."""
        return TextReader(self, labelled, fitted.get("hash_bits"))

    @classmethod
    def fitting_lines(cls, sample: Sample) -> dict[int, bool]:
        """Return which lines have one TAB, between a label and a text that is words somewhere."""
        lines = sample.tried(_is_labelled) if sample.is_text else {}
        labelled = [sample.lines[line - 1] for line, fits in lines.items() if fits]
        num_of_pairs = sum(map(_is_of_pairs, labelled))
        return lines if num_of_pairs < _MOST_PAIRS * len(labelled) else {}


def _is_labelled(line: bytes) -> bool:
    label, _, text = line.partition(b"\t")
    # The labels of fastText, and the namespaces of Vowpal Wabbit, may have a TAB behind or before.
    foreign = label.startswith(b"__label__") or text.lstrip().startswith(b"|")
    return line.count(b"\t") == 1 and all((label.strip(), text.strip())) and not foreign


def _is_of_pairs(line: bytes) -> bool:
    """Whether it reads as svmlight, with a TAB behind the label."""
    return all(pair.split(b":")[0].isdigit() for pair in line.partition(b"\t")[2].split())


class TextReader(LineReader):
    """Counts each text's n-grams.

    Parameters
    ----------
    source : Text
    labelled : bool
        False where a line need not have a label, and is a row whatever it holds.
    hash_bits : int, optional
        N-grams are hashed into 2^bits buckets.
    """

    def __init__(self, source: Text, labelled: bool, hash_bits: int | None = None) -> None:
        self._labelled = labelled
        self._counted = source.values == "counts"
        self._analyze = _analyzer(source)
        self._labels = NameTable()
        self._ngrams = name_ids(hash_bits)

    def read(self, block: Block) -> Rows:
        """Return an example for each line, but for blank ones where they need a label."""
        text, mistake = decoded(block)
        lines = text.removesuffix("\n").split("\n")
        numbers = [i for i, line in enumerate(lines) if _is_row(line) or not self._labelled]
        labels, texts = self._parts(block, lines, numbers)
        if mistake is not None:
            raise mistake
        return Rows(
            *self._rows(texts, block.name),
            labels=self._labels.ids_of(labels) if labels else np.full(len(texts), -1, np.int32),
            lines=np.array(numbers, np.int64) + block.first_line,
        )

    def _parts(
        self, block: Block, lines: list[str], numbers: list[int]
    ) -> tuple[list[str], list[str]]:
        """Return the labels, none where none are needed, and the texts of some lines."""
        labels: list[str] = []
        texts = []
        for number in numbers:
            label, tab, text = lines[number].removesuffix("\r").partition("\t")
            if self._labelled:
                if not tab or not label.strip():
                    start = sum(len(line.encode()) + 1 for line in lines[:number])
                    problem = "no label" if tab else "no TAB"
                    raise block.bad(start, problem, lines[number].rstrip("\r"), "label TAB text")
                labels.append(label)
            texts.append(text if tab else label)
        return labels, texts

    def _rows(
        self, texts: list[str], name: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Return the texts' n-grams as CSR; the file is named in messages."""
        indptr = np.zeros(len(texts) + 1, np.int64)
        parts: list[NDArray[np.int32]] = []
        ngrams: list[str] = []
        for row, text in enumerate(texts, 1):
            found = self._analyze(text)
            indptr[row] = indptr[row - 1] + len(found)
            ngrams += found
            if len(ngrams) >= _TOGETHER:
                parts += self._ids(ngrams)
                ngrams.clear()
        features = np.concatenate([*parts, *self._ids(ngrams)])
        indptr, features, values = summed_repeats(
            indptr, features, np.ones(len(features), np.float32), name
        )
        return indptr, features, values if self._counted else np.ones_like(values)

    def _ids(self, ngrams: list[str]) -> list[NDArray[np.int32]]:
        starts = range(0, max(len(ngrams), 1), _TOGETHER)
        return [self._ngrams.ids_of(ngrams[start : start + _TOGETHER]) for start in starts]

    @property
    def label_names(self) -> list[str]:
        """What stands before the TABs."""
        return self._labels.names

    @property
    def feature_names(self) -> FeatureNames:
        """The n-grams."""
        return self._ngrams.names

    def absence(self) -> str:
        """Return what was found where no example was."""
        return "found no line with a label; expected lines of label TAB text"


def _is_row(line: str) -> bool:
    return "\t" in line or not (line == "" or line.isspace())


def _analyzer(source: Text) -> Callable[[str], list[str]]:
    # It takes a second to import: for this format alone, and not to check a config.
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(
        analyzer=source.analyzer,
        ngram_range=source.ngrams,
        lowercase=source.lowercase,
        strip_accents=None if source.strip_accents == "none" else source.strip_accents,
        tokenizer=tokenizer(source.tokens),
        token_pattern=None,
    )
    return cast(Callable[[str], list[str]], vectorizer.build_analyzer())
