"""``sequence`` with conjunctions, line ends and hashing, against a plain reading."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sstrain.data.bad_lines import BadLineError
from sstrain.data.blocks import Block
from sstrain.data.formats.sequence import Sequence, SequenceReader
from sstrain.data.numbering import HashedNames
from sstrain.data.reader import Rows

Row = tuple[str | None, dict[str, float]]


def reader_of(labelled: bool = True, hash_bits: int | None = None, **keys: Any) -> SequenceReader:
    return Sequence(path=("x",), **keys).reader({"hash_bits": hash_bits}, labelled)


def named(rows: list[Rows], reader: SequenceReader) -> list[Row]:
    """Return each example as its label and its features by name."""
    labels, names = reader.label_names, list(reader.feature_names)
    found: list[Row] = []
    for part in rows:
        for i, label in enumerate(part.labels.tolist()):
            entries = slice(part.indptr[i], part.indptr[i + 1])
            ids = part.features[entries].tolist()
            assert len(set(ids)) == len(ids)
            values = dict(zip([names[j] for j in ids], part.values[entries].tolist(), strict=True))
            found.append((labels[label] if label >= 0 else None, values))
    return found


def block_of(lines: list[list[str]], first: int = 1) -> Block:
    data = "".join(" ".join(line) + "\n" for line in lines).encode()
    return Block(data, "x", first)


def plain_features(before: list[str], source: Sequence) -> dict[str, float]:
    bag = Counter(f"bag:{token}" for token in (before[-source.context :] if source.context else []))
    places = {f"-{p}:{before[-p]}" for p in range(1, source.positions + 1) if p <= len(before)}
    joined = set()
    if source.conjunctions >= 2 and len(before) >= 2:
        joined.add("-2,-1:" + " ".join(before[-2:]))
    if source.conjunctions == 3 and len(before) >= 3:
        joined.add("-3,-2,-1:" + " ".join(before[-3:]))
    counted = bag if source.bag == "counts" else dict.fromkeys(bag, 1)
    return {**counted, **dict.fromkeys(places | joined, 1)}


def plain_rows(lines: list[list[str]], source: Sequence) -> list[Row]:
    ended = [[*line, "</s>"] if source.eos and line else line for line in lines]
    return [
        (token, plain_features(line[:i], source)) for line in ended for i, token in enumerate(line)
    ]


token_lines = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "dé", "it's"]), max_size=10), min_size=1, max_size=8
)
sources = st.builds(
    Sequence,
    path=st.just(("x",)),
    context=st.integers(0, 5),
    positions=st.integers(1, 3),
    conjunctions=st.sampled_from([0, 2, 3]),
    eos=st.booleans(),
    bag=st.sampled_from(["presence", "counts"]),
)


@settings(max_examples=150, deadline=None)
@given(lines=token_lines, more=token_lines, source=sources)
def test_rows_are_those_of_a_plain_reading(
    lines: list[list[str]], more: list[list[str]], source: Sequence
) -> None:
    reader = source.reader({})
    parts = [reader.read(block_of(lines)), reader.read(block_of(more, len(lines) + 1))]
    assert named(parts, reader) == plain_rows(lines + more, source)
    contexts = source.reader({}, labelled=False)
    rows = contexts.read(block_of(lines))
    assert named([rows], contexts) == [(None, plain_features(line, source)) for line in lines]
    assert rows.lines.tolist() == list(range(1, len(lines) + 1))


@settings(max_examples=60, deadline=None)
@given(lines=token_lines, source=sources)
def test_no_two_features_have_one_name(lines: list[list[str]], source: Sequence) -> None:
    reader = source.reader({})
    rows = reader.read(block_of(lines))
    names = reader.feature_names
    assert len(set(names)) == len(names)
    if source.conjunctions:
        assert set(rows.features.tolist()) == set(range(len(names)))


@settings(max_examples=60, deadline=None)
@given(lines=token_lines, more=token_lines, source=sources, bits=st.integers(1, 8))
def test_hashed_features_are_the_sums_of_those_whose_names_share_a_bucket(
    lines: list[list[str]], more: list[list[str]], source: Sequence, bits: int
) -> None:
    reader = source.reader({"hash_bits": bits})
    parts = [reader.read(block_of(lines)), reader.read(block_of(more))]
    expected = []
    for label, features in plain_rows(lines + more, source):
        hashed = HashedNames(bits)
        buckets = hashed.ids_of(list(features))
        sums: Counter[int] = Counter()
        for number, value in zip(buckets.tolist(), features.values(), strict=True):
            sums[int(hashed.names[number])] += value  # type: ignore[assignment]
        expected.append((label, sums))
    assert named(parts, reader) == expected  # type: ignore[comparison-overlap]
    assert all(0 <= int(name) < 2**bits for name in reader.feature_names)


@settings(max_examples=60, deadline=None)
@given(lines=token_lines, other=token_lines, bits=st.integers(1, 26))
def test_a_conjunction_has_its_bucket_whatever_stands_before_it(
    lines: list[list[str]], other: list[list[str]], bits: int
) -> None:
    keys: dict[str, Any] = {"conjunctions": 3, "conjunction_bits": bits, "context": 0}
    reader, later = reader_of(**keys), reader_of(**keys)
    later.read(block_of(other))
    found = named([reader.read(block_of(lines))], reader)
    assert named([later.read(block_of(lines))], later) == found
    plain = reader_of(conjunctions=3, context=0)
    by_name: dict[str, set[str]] = {}
    for (_, row), (_, exact) in zip(
        found, named([plain.read(block_of(lines))], plain), strict=True
    ):
        assert len(row) == len(exact)
        for kind, places in (("pair#", "-2,-1:"), ("triple#", "-3,-2,-1:")):
            hashed = [name for name in row if name.startswith(kind)]
            names = [name for name in exact if name.startswith(places)]
            assert len(hashed) == len(names) <= 1
            for name, bucket in zip(names, hashed, strict=True):
                by_name.setdefault(name, set()).add(bucket)
                assert 0 <= int(bucket.removeprefix(kind)) < 2**bits
    assert all(len(buckets) == 1 for buckets in by_name.values())


def test_buckets_spread_and_the_order_of_the_tokens_counts() -> None:
    words = [f"w{i}" for i in range(60)]
    lines = [[first, second, "x"] for first in words for second in words]
    reader = reader_of(conjunctions=3, conjunction_bits=20, context=0, positions=1)
    rows = named([reader.read(block_of(lines))], reader)
    pairs = [name for _, row in rows for name in row if name.startswith("pair#")]
    assert len(pairs) == len(lines)
    # 3600 balls in 2^20 urns: 6.2 collisions expected.
    assert len(pairs) - len(set(pairs)) < 25


def test_tokens_with_spaces_keep_conjunctions_apart() -> None:
    reader = reader_of(conjunctions=2, tokens="[^,]+", positions=1, context=0)
    rows = named([reader.read(Block(b"a b,c,x\na,b c,x\na\\,b,x\na\\ b,c,x\n", "x", 1))], reader)
    assert [name for label, row in rows if label == "x" for name in row if "," in name] == [
        "-2,-1:a\\ b c",
        "-2,-1:a b\\ c",
        "-2,-1:a\\\\ b",
        "-2,-1:a\\\\\\ b c",
    ]


def test_the_end_is_a_class_of_its_own_and_no_token_of_the_note() -> None:
    reader = reader_of(eos=True, positions=1, context=0)
    rows = named([reader.read(Block(b"a b\r\n\n...\nc\n", "x", 1))], reader)
    ends = [row for label, row in rows if label == "</s>"]
    assert ends == [{"-1:b": 1}, {"-1:c": 1}]
    assert reader.notes() == []


def test_an_end_inside_of_a_line_is_refused_before_anything_is_taken_in() -> None:
    reader = reader_of(eos=True, tokens="whitespace")
    with pytest.raises(BadLineError) as error:
        reader.read(Block(b"fine\nwith an </S> inside\n", "x", 3))
    assert str(error.value) == (
        "x:4:9: an end inside of a line; found '</s>'; expected eos: false, or other tokens"
    )
    assert error.value.line == 1
    assert reader.label_names == []
    with pytest.raises(BadLineError, match="x:1:1: an end inside"):
        reader.read(Block(b"</s>\n\xff\n", "x", 1))
    for other in (reader_of(tokens="whitespace"), reader_of(False, tokens="whitespace", eos=True)):
        rows = other.read(Block(b"an </s> inside\nand</s>more\n", "x", 1))
        assert "bag:</s>" in {name for _, row in named([rows], other) for name in row}


def test_a_bad_line_that_is_left_out_leaves_the_rest() -> None:
    reader = reader_of(conjunctions=2, positions=0, context=0)
    block = Block(b"a b c\nb\xff\nc a b\n", "x", 1)
    with pytest.raises(BadLineError) as error:
        reader.read(block)
    assert reader.label_names == []
    before, after = block.around(error.value.line)
    rows = [reader.read(before), reader.read(after)]
    assert named(rows, reader) == plain_rows(
        [["a", "b", "c"], ["c", "a", "b"]],
        Sequence(path=("x",), conjunctions=2, positions=0, context=0),
    )
    assert np.concatenate([part.lines for part in rows]).tolist() == [1, 1, 1, 3, 3, 3]


def test_mistakes_in_the_keys() -> None:
    with pytest.raises(ValidationError, match="nothing to be hashed"):
        reader_of(conjunction_bits=4)
    with pytest.raises(ValidationError, match="leaves no features"):
        reader_of(context=0, positions=0)
    with pytest.raises(ValidationError, match="less than or equal to 26"):
        reader_of(conjunctions=2, conjunction_bits=27)
    assert reader_of(context=0, positions=0, conjunctions=2).feature_names == []
