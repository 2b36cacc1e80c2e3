"""Splitting fastText's lines and hashing n-grams, against plain code, on any bytes."""

import re

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sstrain import kernels

Row = tuple[int, list[bytes], list[bytes]]
PREFIX = b"_l_"

lines = st.lists(st.sampled_from([b"_l_", b"_l", b"a", b"bc", b" ", b"\t", b"\r", b"\v", b"\f"]))
texts = st.lists(lines.map(b"".join) | st.binary(max_size=8)).map(lambda rows: b"\n".join(rows))


def split(text: bytes, labelled: bool, one_label: bool) -> tuple[list[Row], int | None]:
    """Return the rows (line, words, labels), or the line of the first mistake, by the kernel."""
    num_lines, num_spaces = text.count(b"\n"), len(re.findall(rb"[ \t\n\v\f\r]", text))
    out = kernels.FasttextRows(
        lines=np.empty(num_lines, np.int64),
        first_words=np.empty(num_lines + 1, np.int64),
        first_labels=np.empty(num_lines + 1, np.int64),
        word_starts=np.empty(num_spaces, np.int64),
        word_ends=np.empty(num_spaces, np.int64),
        label_starts=np.empty(num_spaces, np.int64),
        label_ends=np.empty(num_spaces, np.int64),
    )
    prefix = np.frombuffer(PREFIX, np.uint8)
    result = kernels.split_fasttext(np.frombuffer(text, np.uint8), prefix, labelled, one_label, out)
    if result.error:
        return [], text.count(b"\n", 0, result.position)
    words = [text[i:j] for i, j in zip(out.word_starts, out.word_ends, strict=True)]
    labels = [text[i:j] for i, j in zip(out.label_starts, out.label_ends, strict=True)]
    return [
        (
            int(out.lines[row]),
            words[out.first_words[row] : out.first_words[row + 1]],
            labels[out.first_labels[row] : out.first_labels[row + 1]],
        )
        for row in range(result.num_rows)
    ], None


def plain_split(text: bytes, labelled: bool, one_label: bool) -> tuple[list[Row], int | None]:
    rows: list[Row] = []
    for number, line in enumerate(text.split(b"\n")[:-1]):
        tokens = [token for token in re.split(rb"[ \t\v\f\r]", line) if token]
        labels = [token[len(PREFIX) :] for token in tokens if token.startswith(PREFIX)]
        if labelled:
            if not tokens:
                continue
            if not labels or b"" in labels or (one_label and len(labels) > 1):
                return [], number
        rows.append((number, [t for t in tokens if not t.startswith(PREFIX)], labels))
    return rows, None


@settings(max_examples=400, deadline=None)
@given(texts, st.booleans(), st.booleans())
@example(b"", True, True)
@example(b"_l_a b\n\n \r\n_l_", True, True)
def test_lines_are_split_as_plain_code_does(text: bytes, labelled: bool, one_label: bool) -> None:
    text += b"\n"
    assert split(text, labelled, one_label) == plain_split(text, labelled, one_label)


def ngrams(rows: list[list[bytes]], *shape: int) -> list[list[int]]:
    """Return the keys of each row, where word ``i`` of all rows has the key ``i``."""
    words = [word for row in rows for word in row]
    ends = np.cumsum([len(word) + 1 for word in words], dtype=np.int64)
    starts = ends - np.array([len(word) + 1 for word in words], np.int64)
    ends -= 1
    text = np.frombuffer(b"".join(word + b" " for word in words) + b"\n", np.uint8)
    first_words = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    indptr = np.empty_like(first_words)
    sizes = kernels.NgramShape(*shape)
    kernels.count_ngrams(text, starts, ends, first_words, sizes, indptr)
    keys = np.empty(indptr[-1], np.int64)
    numbers = np.arange(len(words))
    kernels.add_ngrams(text, (starts, ends, numbers), first_words, sizes, indptr, keys)
    return [keys[indptr[i] : indptr[i + 1]].tolist() for i in range(len(rows))]


def plain_ngrams(row: list[bytes], most_words: int, shortest: int, longest: int) -> list[object]:
    """Return n-grams in the kernel's order; the marks are numbers, which no byte can be."""
    found: list[object] = []
    for place, word in enumerate(row):
        found.append(None)
        characters: list[object] = [0, *re.findall(rb"(?s).[\x80-\xbf]*", word), 1]
        for first in range(len(characters)):
            for end in range(first + 1, len(characters) + 1):
                is_mark = end == first + 1 and first in (0, len(characters) - 1)
                if max(shortest, 1) <= end - first <= longest and not is_mark:
                    found.append(("characters", *characters[first:end]))
        for size in range(2, most_words + 1):
            if place + size <= len(row):
                found.append(("words", *row[place : place + size]))
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.lists(
            st.text("abé<>-一", min_size=1, max_size=6).map(str.encode)
            | st.binary(min_size=1, max_size=5),
            max_size=6,
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 4),
    st.integers(0, 5),
    st.integers(0, 6),
)
@example([[b"<a", b"a"]], 2, 1, 6)
@example([[b"a", b"b"], [b"b", b"a"]], 2, 0, 0)
def test_equal_ngrams_and_only_they_have_equal_keys(
    rows: list[list[bytes]], most_words: int, shortest: int, longest: int
) -> None:
    found = ngrams(rows, most_words, shortest, longest, 2**30)
    names: dict[object, int] = {}
    word = 0
    for keys, expected in zip(
        found, (plain_ngrams(row, most_words, shortest, longest) for row in rows), strict=True
    ):
        assert len(keys) == len(expected)
        for key, name in zip(keys, expected, strict=True):
            if name is None:
                assert key == word
                word += 1
            else:
                assert key == names.setdefault(name, key)
                assert -(2**30) <= key < 0
    assert len(set(names.values())) == len(names)


def test_buckets_are_filled_evenly() -> None:
    words = [b"%d" % i for i in range(20_000)]
    for shape, number in (((2, 0, 0), 19_999), ((1, 7, 7), 10_000)):
        keys = np.array(ngrams([words], *shape, 10)[0])
        shares = np.bincount(-1 - keys[keys < 0], minlength=10) / number
        assert np.abs(shares - 0.1).max() < 5 * (0.09 / number) ** 0.5
