"""``sequence`` files against a plain reading of them."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sources import DataKeys, named_rows, train_source, written

from sstrain.data.cache import load
from sstrain.data.contexts import read_contexts
from sstrain.data.loading import read_held_out
from sstrain.data.storage import InMemory
from sstrain.errors import UserError

Features = dict[str, float]


def plain_features(
    before: list[str], context: int, positions: int, counted: bool = False
) -> Features:
    bag = Counter(f"bag:{token}" for token in (before[-context:] if context else []))
    places = {f"-{p}:{before[-p]}": 1 for p in range(1, positions + 1) if p <= len(before)}
    return {**(bag if counted else dict.fromkeys(bag, 1)), **places}


def plain_rows(
    lines: list[list[str]], context: int, positions: int, counted: bool = False
) -> list[tuple[str, Features]]:
    return [
        (token, plain_features(line[:i], context, positions, counted))
        for line in lines
        for i, token in enumerate(line)
    ]


def kept(rows: list[tuple[str, Features]], min_count: int, min_features: int) -> Any:
    """Return the classes, the features and the rows that are left."""
    labels = Counter(label for label, _ in rows)
    classes = {label for label, count in labels.items() if count >= min_count}
    rows = [row for row in rows if row[0] in classes]
    counts = Counter(name for _, features in rows for name in features)
    names = {name for name, count in counts.items() if count >= min_features}
    order = sorted(classes, key=lambda label: (-labels[label], label))
    names_order = sorted(names, key=lambda name: (-counts[name], name))
    left = [(label, {n: v for n, v in row.items() if n in names}) for label, row in rows]
    return order, [labels[c] for c in order], names_order, [counts[n] for n in names_order], left


token_lines = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "Dé", "it's", "x1"]), max_size=12),
    min_size=1,
    max_size=8,
).filter(lambda lines: any(lines))


@settings(max_examples=120, deadline=None)
@given(
    lines=token_lines,
    context=st.integers(0, 6),
    positions=st.integers(0, 4),
    min_count=st.integers(1, 3),
    min_features=st.integers(1, 3),
    counted=st.booleans(),
)
def test_examples_are_those_of_a_plain_reading(
    lines: list[list[str]],
    context: int,
    positions: int,
    min_count: int,
    min_features: int,
    counted: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    if context == positions == 0:
        context = 1
    lowered = [[t.lower() for t in line] for line in lines]
    rows = plain_rows(lowered, context, positions, counted)
    order, counts, names, name_counts, left = kept(rows, min_count, min_features)
    text = "\r\n".join("  ".join(line) + "." for line in lines)
    source = train_source(
        written(tmp_path_factory.mktemp("sequence"), text),
        format="sequence",
        context=context,
        positions=positions,
        min_count=min_count,
        min_feature_count=min_features,
        bag="counts" if counted else "presence",
    )
    if not order:
        with pytest.raises(UserError, match="no class"):
            load(DataKeys(source), lambda note: None)
        return
    splits = load(DataKeys(source), lambda note: None)
    vocabulary = splits.vocabulary
    assert vocabulary.classes == order
    assert vocabulary.class_counts.tolist() == counts
    assert vocabulary.features == names
    assert vocabulary.feature_counts.tolist() == name_counts
    assert named_rows(splits.train, vocabulary) == left
    assert splits.train.num_skipped == len(rows) - len(left)
    contexts = read_contexts(source, vocabulary, text.encode().split(b"\n"), "in")
    following = [plain_features(line, context, positions, counted) for line in lowered]
    assert named_rows(contexts, vocabulary) == [
        (None, {name: value for name, value in features.items() if name in names})
        for features in following
    ]


def test_indices_rise_and_lines_are_told(tmp_path: Path) -> None:
    source = train_source(written(tmp_path, "a b\n\nb a b\n"), format="sequence")
    train = load(DataKeys(source), lambda note: None).train
    assert train.lines.tolist() == [1, 1, 3, 3, 3]
    for start, end in zip(train.indptr[:-1], train.indptr[1:], strict=True):
        assert (np.diff(train.indices[start:end]) > 0).all()


@pytest.mark.parametrize(
    ("keys", "classes"),
    [
        ({}, ["don't", "über", "x_1"]),
        ({"lowercase": False}, ["Don't", "x_1", "Über"]),
        ({"tokens": "whitespace"}, ["don't,", "x_1-", "über"]),
        ({"tokens": "(a|[b-z])"}, list("dnotxber")),
        ({"tokens": "[a-z]*"}, ["don", "t", "x", "ber"]),
        ({"tokens": r"\b|\d"}, ["1"]),
        ({"tokens": "[A-Z]", "lowercase": False}, ["D"]),
    ],
)
def test_what_a_token_is(keys: dict[str, Any], classes: list[str], tmp_path: Path) -> None:
    source = train_source(written(tmp_path, "Don't, \tx_1-\x0bÜber"), format="sequence", **keys)
    found = load(DataKeys(source), lambda note: None).vocabulary.classes
    assert sorted(found) == sorted(classes)


def test_line_ends_of_unicode_end_no_line(tmp_path: Path) -> None:
    text = "a b\x85c\u2028d\x0ce\n"
    source = train_source(written(tmp_path, text), format="sequence", context=9, positions=0)
    train = load(DataKeys(source), lambda note: None).train
    assert train.indptr.tolist() == [0, 0, 1, 3, 6, 10]


def test_tokens_of_no_class_are_skipped_in_every_split_and_still_features(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"format": "sequence", "min_count": 2, "context": 2, "positions": 0}
    source = train_source(written(tmp_path, "a a rare a\n"), **keys)
    splits = load(DataKeys(source), lambda note: None)
    assert splits.vocabulary.classes == ["a"]
    assert splits.train.num_skipped == 1
    assert "bag:rare" in splits.vocabulary.features
    other = written(tmp_path, "new a new\nrare a\n", "other")
    notes: list[str] = []
    held_out = read_held_out(source, splits.vocabulary, notes.append, InMemory(), [str(other)])
    assert (held_out.num_examples, held_out.num_skipped) == (2, 3)
    assert (held_out.num_unknown_labels, held_out.num_unknown_features) == (0, 1)
    assert named_rows(held_out, splits.vocabulary) == [("a", {}), ("a", {"bag:rare": 1.0})]
    assert notes == [
        f"{other}: 3 positions skipped, whose tokens are no classes",
        f"{other}: 1 features ignored that the model does not have",
    ]
    nothing = written(tmp_path, "new words only\n", "nothing")
    with pytest.raises(UserError) as error:
        read_held_out(source, splits.vocabulary, notes.append, InMemory(), [str(nothing)])
    assert str(error.value) == (
        f"{nothing}: no examples; found 3 positions, none with a token that is a class; "
        "expected at least one"
    )


@pytest.mark.parametrize(
    ("content", "keys", "expected"),
    [
        (b"", {}, "no examples; found no text; expected lines of tokens"),
        (b" \n\t\n", {}, "no examples; found no text; expected lines of tokens"),
        (
            b"some words\n",
            {"tokens": "[0-9]+"},
            "no examples; no text in lower case matches '[0-9]+'; did you mean tokens: whitespace?",
        ),
        (
            b"some words\n",
            {"tokens": "[0-9]+", "lowercase": False},
            "no examples; no text matches '[0-9]+'; did you mean tokens: whitespace?",
        ),
    ],
)
def test_a_file_without_tokens_is_refused(
    content: bytes, keys: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UserError) as error:
        load(DataKeys(train_source(path, format="sequence", **keys)), lambda note: None)
    assert str(error.value) == f"{path}: {expected}"


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    path = written(tmp_path, b"fine\nfine\nbad \xff byte\n")
    with pytest.raises(UserError) as error:
        load(DataKeys(train_source(path, format="sequence")), lambda note: None)
    expected = f"{path}:3:5: not UTF-8; found 'the byte 0xff'; expected text in UTF-8"
    assert str(error.value) == expected


def test_nul_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, b"fine\n\0\n\xff\n")
    with pytest.raises(UserError, match=r":2:1: a NUL character; found '\\x00'; expected text"):
        load(DataKeys(train_source(path, format="sequence")), lambda note: None)


def test_a_pattern_that_leaves_out_most_of_the_text_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, "12 ab 345 678 c\n")
    notes: list[str] = []
    load(DataKeys(train_source(path, format="sequence", tokens="[a-z]+")), notes.append)
    assert (
        f"{path}: tokens: '[a-z]+' leaves out 73% of the characters that are no white space; "
        "tokens: whitespace would take them all"
    ) in notes


def test_mistakes_in_the_keys() -> None:
    with pytest.raises(ValidationError, match=r"no regular expression \(unterminated"):
        train_source(["x"], format="sequence", tokens="[a")
    with pytest.raises(ValidationError, match="leaves no features"):
        train_source(["x"], format="sequence", context=0, positions=0)


def test_the_king_james_bible() -> None:
    path = Path(__file__).parents[3] / "data" / "kjv" / "kjv.txt.gz"
    keys: dict[str, Any] = {"tokens": "[a-z']+", "min_count": 2, "min_feature_count": 5}
    source = train_source(path, format="sequence", **keys)
    splits = load(DataKeys(source, test=0.1), lambda note: None)
    assert splits.test is not None
    assert 8_250 < splits.vocabulary.num_classes < 8_450
    assert splits.vocabulary.classes[:3] == ["the", "and", "of"]
    skipped = splits.train.num_skipped + splits.test.num_skipped
    total = splits.train.num_examples + splits.test.num_examples + skipped
    assert total == 789_684
    lines = set(splits.train.lines.tolist()) | set(splits.test.lines.tolist())
    assert 31_090 < len(lines) <= 31_102
    assert not set(splits.train.lines.tolist()) & set(splits.test.lines.tolist())
    assert all(re.fullmatch("[a-z']+", label) for label in splits.vocabulary.classes)
