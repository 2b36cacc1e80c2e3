"""``text`` files against scikit-learn's own counts of the same texts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.feature_extraction.text import CountVectorizer

from sstrain.data.bad_lines import BadLineError, BadLines
from sstrain.data.blocks import Block
from sstrain.data.formats.text import Text, TextReader
from sstrain.data.guessing import share_of
from sstrain.data.numbering import HashedNames
from sstrain.data.reader import Rows
from sstrain.data.reading import Reading
from sstrain.data.sample import Sample


def reader_of(labelled: bool = True, hash_bits: int | None = None, **keys: Any) -> TextReader:
    return Text(path=("x",), **keys).reader({"hash_bits": hash_bits}, labelled)


def block_of(text: str | bytes) -> Block:
    return Block(text.encode() if isinstance(text, str) else text, "x", 1)


def named(rows: Rows, reader: TextReader) -> list[dict[Any, float]]:
    """Return each example's features by name."""
    names = list(reader.feature_names)
    found = []
    for start, end in zip(rows.indptr[:-1], rows.indptr[1:], strict=True):
        ids = rows.features[start:end].tolist()
        assert len(set(ids)) == len(ids)
        keys = [names[i] for i in ids]
        found.append(dict(zip(keys, rows.values[start:end].tolist(), strict=True)))
    return found


def counted_by_sklearn(texts: list[str], **keys: Any) -> list[dict[str, float]]:
    # It refuses texts that have no feature at all.
    vectorizer = CountVectorizer(**keys)
    rows = vectorizer.fit_transform([*texts, "a few words"])[:-1]
    names = vectorizer.get_feature_names_out()
    return [dict(zip(names[row.indices].tolist(), row.data.tolist(), strict=True)) for row in rows]


texts = st.lists(
    st.text(st.sampled_from("aAbé É.,1_ 語\u3000ß\t\r\x85"), max_size=25), min_size=1, max_size=6
)
options = st.fixed_dictionaries(
    {
        "analyzer": st.sampled_from(["word", "char", "char_wb"]),
        "ngrams": st.tuples(st.integers(1, 3), st.integers(1, 3)).map(lambda n: tuple(sorted(n))),
        "lowercase": st.booleans(),
        "strip_accents": st.sampled_from(["none", "unicode"]),
        "values": st.sampled_from(["counts", "presence"]),
    }
)


@settings(max_examples=150, deadline=None)
@given(texts=texts, keys=options)
def test_counts_are_those_of_scikit_learn(texts: list[str], keys: dict[str, Any]) -> None:
    texts = [text.removesuffix("\r") for text in texts]
    reader = reader_of(**keys)
    lines = "".join(f"l{i % 2}\t{text}\r\n" for i, text in enumerate(texts))
    rows = reader.read(block_of(lines))
    assert named(rows, reader) == counted_by_sklearn(
        texts,
        analyzer=keys["analyzer"],
        ngram_range=keys["ngrams"],
        lowercase=keys["lowercase"],
        strip_accents=None if keys["strip_accents"] == "none" else "unicode",
        binary=keys["values"] == "presence",
        token_pattern=r"(?u)\b\w+\b" if keys["analyzer"] == "word" else None,
    )
    assert [reader.label_names[i] for i in rows.labels] == [f"l{i % 2}" for i in range(len(texts))]


def test_names_that_share_a_bucket_are_summed() -> None:
    text = "x\tone two three four five two\n"
    plain, hashed = reader_of(), reader_of(hash_bits=1)
    (features,) = named(plain.read(block_of(text)), plain)
    expected = [0.0, 0.0]
    buckets = HashedNames(1)
    for number, value in zip(buckets.ids_of(list(features)), features.values(), strict=True):
        expected[int(buckets.names[number])] += value
    (found,) = named(hashed.read(block_of(text)), hashed)
    assert [found.get(bucket, 0) for bucket in (0, 1)] == expected
    present = reader_of(hash_bits=1, values="presence")
    assert set(named(present.read(block_of(text)), present)[0].values()) == {1}


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (r"\w+", ["a", "don", "t", "x_1"]),
        (r"(?u)\b\w\w+\b", ["don", "x_1"]),
        ("whitespace", ["a", "don't", "x_1!"]),
        (r"(d|x)\w*", ["don", "x_1"]),
        (r"[a-z]*", ["a", "don", "t", "x"]),
    ],
)
def test_what_a_word_is(tokens: str, words: list[str]) -> None:
    reader = reader_of(tokens=tokens)
    (row,) = named(reader.read(block_of("label\tA don't x_1!\n")), reader)
    assert sorted(row) == words


def test_the_label_is_all_before_the_first_tab_and_blank_lines_are_no_rows() -> None:
    reader = reader_of()
    rows = reader.read(block_of("two words \ta\tb\n\n  \r\n3\t\nté\tx" + "\n"))
    assert [reader.label_names[i] for i in rows.labels] == ["two words ", "3", "té"]
    assert rows.lines.tolist() == [1, 4, 5]
    assert named(rows, reader) == [{"a": 1, "b": 1}, {}, {"x": 1}]


def test_without_labels_every_line_is_a_row() -> None:
    reader = reader_of(labelled=False)
    rows = reader.read(block_of("no label here\nlabel\tsome text\r\n\n\t\n \t a\n"))
    assert rows.labels.tolist() == [-1] * 5
    assert rows.lines.tolist() == [1, 2, 3, 4, 5]
    words = [["no", "label", "here"], ["some", "text"], [], [], ["a"]]
    assert named(rows, reader) == [dict.fromkeys(line, 1) for line in words]
    assert reader.label_names == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"no tab", "1: no TAB; found 'no tab'; expected label TAB text"),
        (b"\ttext", "1: no label; found '\\ttext'; expected label TAB text"),
        (b" \t", "1: no label; found ' \\t'; expected label TAB text"),
        (b"\xc3\xa9l\ta \xff", "6: not UTF-8; found 'the byte 0xff'; expected text in UTF-8"),
        (b"\xc3\xa9l\ta\0", "5: a NUL character; found '\\x00'; expected text in UTF-8"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_bad_lines_are_told_and_take_nothing_in(line: bytes, message: str, end: bytes) -> None:
    reader = reader_of()
    with pytest.raises(BadLineError) as error:
        reader.read(Block(b"l\xc3\xa9\tfine" + end + line + end + b"m\tfine" + end, "x", 6))
    assert str(error.value) == f"x:7:{message}"
    assert error.value.line == 1
    assert reader.label_names == list(reader.feature_names) == []


def test_of_several_bad_lines_the_first_is_told() -> None:
    for content in (b"bad\na\tb\0\nc\td\xff\n", b"bad\nc\td\xff\na\tb\0\n"):
        with pytest.raises(BadLineError, match="x:1:1: no TAB"):
            reader_of().read(block_of(content))
        with pytest.raises(BadLineError, match="x:2:4: "):
            reader_of().read(block_of(content.replace(b"bad", b"a\tb")))


def test_bad_lines_that_are_skipped_leave_the_others(tmp_path: Path) -> None:
    path = tmp_path / "some.tsv"
    path.write_bytes(b"a\tone\nbad\nb\ttwo\xff\n\nb\tthree")
    reader = reader_of()
    bad = BadLines(skip=True)
    chunks = list(reader.chunks(Reading([str(path)], bad_lines=bad)))
    assert bad.count == 2
    assert np.concatenate([rows.lines for rows in chunks]).tolist() == [1, 5]
    assert reader.feature_names == ["one", "three"]
    assert [reader.label_names[i] for rows in chunks for i in rows.labels] == ["a", "b"]


def test_n_grams_of_many_lines_are_those_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"l\tw{i % 7} w{i % 5} w{i % 3}\n" for i in range(40))
    at_once, in_parts = reader_of(), reader_of()
    expected = named(at_once.read(block_of(text)), at_once)
    monkeypatch.setattr("sstrain.data.formats.text._TOGETHER", 8)
    assert named(in_parts.read(block_of(text)), in_parts) == expected
    assert in_parts.feature_names == at_once.feature_names


def fits(text: str | bytes) -> bool:
    start = text.encode() if isinstance(text, str) else text
    return share_of(Text, Sample("x", start, whole=True)) >= 0.9


@pytest.mark.parametrize(
    "text", ["ham\thello, you\nspam\tcall 09:30\r\n\n", "12\tتخت قیصر\n", "3\t1 a:2\n"]
)
def test_what_looks_like_it(text: str) -> None:
    assert fits(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "some words\n",
        "a\tb\tc\n",
        "a\tb\nc\n",
        "a\t\n",
        "\tb\n",
        "1\t1:2 3:4\n0\t2:1\n",
        "__label__a\tsome text\n",
        "1\t|f some words\n",
        b"a\tb\0\n",
        b"a\tb\xff\n",
    ],
)
def test_what_does_not(text: str | bytes) -> None:
    assert not fits(text)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"ngrams": [2, 1]}, "longer than the longest"),
        ({"ngrams": [0, 1]}, "greater than or equal to 1"),
        ({"ngrams": [1]}, "Field required"),
        ({"ngrams": 2}, "valid tuple"),
        ({"tokens": "[a"}, "no regular expression"),
        ({"tokens": "[a]", "analyzer": "char"}, "the analyzer takes characters"),
    ],
)
def test_mistakes_in_the_keys(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        reader_of(**keys)


def test_the_resolved_keys_are_read_again() -> None:
    source = Text.model_validate({"path": "x", "analyzer": "char", "ngrams": [2, 3]})
    assert Text.model_validate_json(source.model_dump_json()) == source
