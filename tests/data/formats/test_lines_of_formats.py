"""What holds for the lines of every format: how they end, and how long they may be."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from read_rows import rows_of, source_of
from sources import written

from sstrain.data.base import Source
from sstrain.data.formats.fasttext import Fasttext
from sstrain.data.formats.sequence import Sequence
from sstrain.data.formats.svmlight import Svmlight
from sstrain.data.formats.table import Table
from sstrain.data.formats.text import Text
from sstrain.data.formats.vw import Vw
from sstrain.data.formats.xc import Xc
from sstrain.errors import UserError

TEXTS: list[tuple[type[Source], str, dict[str, Any]]] = [
    (Svmlight, "1 1:2 3:1\n\n2\n3 2:.5 # so\n1 2:4\n", {}),
    (Xc, "3 4 5\n1,2 1:2 3:1\n 2:.5\n0 3:4\n", {"multilabel": "split"}),
    (Fasttext, "__label__a word\n\nthe word __label__b\n__label__a\n", {"word_ngrams": 2}),
    (Vw, "1 2 'tag|ns:2 a b:3\n\nred |f a\n2 |f b\n2 | \n", {}),
    (Text, "a\tsome words\n\nb\tmore\nb\twords, words\n", {"ngrams": [1, 2]}),
    (Sequence, "one two\n\nthree one two\n", {"eos": True}),
    (Sequence, "one, two\n\nthree one\n", {"tokens": r"\S+"}),
    (Table, 'y,a,t\nk,1,some words\n\nl,2,"more, words"\n', {"target": "y", "text": ["t"]}),
    (Table, "y;a\nk;1\nl;x\n", {"target": "y"}),
]


@pytest.mark.parametrize(("kind", "text", "keys"), TEXTS)
def test_lines_end_as_they_like(
    kind: type[Source], text: str, keys: dict[str, Any], tmp_path: Path
) -> None:
    expected = rows_of(source_of(kind, written(tmp_path, text), **keys))
    assert len(expected) > 1
    first, rest = text.split("\n", 1)
    returned = text.replace("\n", "\r\n")
    for other in (text[:-1], returned, returned[:-1], f"{first}\r\n{rest}", f"{text}\r\n\n"):
        assert rows_of(source_of(kind, written(tmp_path, other), **keys)) == expected


@pytest.mark.parametrize(
    ("kind", "start", "place", "problem"),
    [
        (Svmlight, b"1 ", "1:3", "a feature without a colon"),
        (Svmlight, b"", "1:1", "the label is too large"),
        (Xc, b"9 9 9\n1 ", "2:3", "a feature without a colon"),
        (Vw, b"1 |a b:", "1:8", "the value is no finite number, or too large"),
        (Fasttext, b"", "1:1", "no label"),
        (Text, b"", "1:1", "no TAB"),
    ],
)
def test_a_line_of_100_megabytes_that_is_bad(
    kind: type[Source], start: bytes, place: str, problem: str, tmp_path: Path
) -> None:
    """It is said in a short message."""
    path = written(tmp_path, start + b"7" * 100_000_000)
    with pytest.raises(UserError) as error:
        rows_of(source_of(kind, path))
    assert str(error.value).startswith(f"{path}:{place}: {problem}; found '{'7' * 60}'; expected ")
    assert len(str(error.value)) < len(str(path)) + 200
    path.unlink()  # which would be kept


@pytest.mark.parametrize("start", [b"1 ", b"1" + b",2" * 4_000_000])
def test_the_message_of_a_long_line_takes_little_memory(start: bytes, tmp_path: Path) -> None:
    """A hundred bytes for each of the line's would be what a careless pattern needs."""
    path = written(tmp_path, start + b"x" * 8_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(UserError):
            rows_of(source_of(Svmlight, path))
        assert tracemalloc.get_traced_memory()[1] < 30 * path.stat().st_size
    finally:
        tracemalloc.stop()
