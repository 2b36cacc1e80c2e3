"""``fasttext`` files: words, labels and n-grams as fastText has them, and every mistake."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sources import written

from sstrain.data.bad_lines import BadLineError, BadLines
from sstrain.data.blocks import Block
from sstrain.data.formats.fasttext import Fasttext, FasttextReader
from sstrain.data.guessing import share_of
from sstrain.data.reader import Rows
from sstrain.data.reading import Reading
from sstrain.data.sample import Sample

Row = tuple[int, list[str], dict[str, float]]


def source(**keys: Any) -> Fasttext:
    return Fasttext.model_validate({"path": "words.txt", "format": "fasttext", **keys})


def named(reader: FasttextReader, chunks: list[Rows]) -> list[Row]:
    """Return line, labels and features of each row by their names."""
    names, label_names = reader.feature_names, [*reader.label_names, None]
    rows = []
    for chunk in chunks:
        for row in range(chunk.num_rows):
            part = slice(chunk.indptr[row], chunk.indptr[row + 1])
            labels = slice(row, row + 1)
            if chunk.label_indptr is not None:
                labels = slice(chunk.label_indptr[row], chunk.label_indptr[row + 1])
            features = zip(chunk.features[part], chunk.values[part].tolist(), strict=True)
            rows.append(
                (
                    int(chunk.lines[row]),
                    [name for i in chunk.labels[labels] if (name := label_names[i]) is not None],
                    {str(names[feature]): value for feature, value in features},
                )
            )
    return rows


def read(text: str, labelled: bool = True, **keys: Any) -> list[Row]:
    reader = source(**keys).reader({}, labelled)
    return named(reader, [reader.read(Block(text.encode(), "words.txt", 1))])


def mistake(text: str | bytes, **keys: Any) -> str:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(BadLineError) as error:
        source(**keys).reader({}).read(Block(data, "words.txt", 1))
    return str(error.value)


#: Lines of the manual's cooking example, with white space and labels in odd places.
COOKING = """\
__label__sauce __label__cheese How much does potato starch affect a cheese sauce recipe ?
__label__food-safety Dangerous pathogens capable of growing in acidic environments
\tHow do I cover up the white spots on my cast iron stove ?\v__label__cast-iron __label__stove\f
__label__restaurant Michelin Three Star Restaurant; but if the chef is not there\r
__label__knife-skills __label__dicing Without knife skills , how can I quickly chop ? chop !
"""
#: What fastText 0.9.2 tells of them, `get_words` and `get_labels` with ``include_freq``, but for
#: its token ``</s>`` (5 times).
ONCE = (
    "but is Restaurant; Star Three Michelin stove iron cast my on if chef spots not there "
    "Without knife skills , how can quickly ! white much does potato starch affect a cheese "
    "sauce recipe Dangerous pathogens capable of growing in acidic environments do cover up"
)
LABELS = "sauce cheese food-safety cast-iron stove restaurant knife-skills dicing"
WORDS_OF_FASTTEXT = dict.fromkeys(ONCE.split(), 1) | {"?": 3, "How": 2, "chop": 2, "the": 2, "I": 2}
LABELS_OF_FASTTEXT = dict.fromkeys(LABELS.split(), 1)


def test_words_and_labels_are_counted_as_fasttext_counts_them() -> None:
    words: dict[str, float] = {}
    labels: dict[str, int] = {}
    for _, row_labels, features in read(COOKING, multilabel="split"):
        for word, count in features.items():
            words[word] = words.get(word, 0) + count
        for label in row_labels:
            labels[label] = labels.get(label, 0) + 1
    assert words == WORDS_OF_FASTTEXT
    assert labels == LABELS_OF_FASTTEXT


def test_several_labels() -> None:
    text = "a __label__x b __label__y __label__x\n__label__y\n"
    features = {"a": 1.0, "b": 1.0}
    assert read(text, multilabel="split") == [(1, ["x", "y"], features), (2, ["y"], {})]
    assert read(text, multilabel="first") == [(1, ["x"], features), (2, ["y"], {})]
    reader = source(multilabel="first").reader({})
    reader.read(Block(text.encode(), "words.txt", 1))
    assert reader.notes() == ["multilabel: first leaves out 2 labels after a line's first"]
    assert mistake(text) == (
        "words.txt:1:16: several labels; found '__label__y'; "
        "expected one label a line; or multilabel: first, or split"
    )


def test_blank_lines_are_no_examples_unless_each_line_is_one() -> None:
    text = "__label__x a a\r\n \t\r\n\n__label__y b\n"
    assert read(text) == [(1, ["x"], {"a": 2.0}), (4, ["y"], {"b": 1.0})]
    assert read(text + "c\n", labelled=False) == [
        (1, [], {"a": 2.0}),
        (2, [], {}),
        (3, [], {}),
        (4, [], {"b": 1.0}),
        (5, [], {"c": 1.0}),
    ]
    assert read("__label__x __label__ a\n", labelled=False) == [(1, [], {"a": 1.0})]


def test_labels_by_another_prefix() -> None:
    assert read("#é __label__x\n", label_prefix="#") == [(1, ["é"], {"__label__x": 1.0})]
    assert mistake("a é #\n", label_prefix="#") == (
        "words.txt:1:5: a label without a name; found '#'; expected #NAME"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__label__x a\n  no label\n", "2:3: no label; found 'no'; expected a word __label__NAME"),
        ("é __label__ a\n", "1:3: a label without a name; found '__label__'"),
        ("__label__x é\0\n", "1:13: a NUL character; found '\\x00'"),
        (b"__label__x \xc3\xa9\xff\n", "1:13: not UTF-8; found 'the byte 0xff'"),
        (b"__label__x a\nb \0\n\xff\n", "2:3: a NUL character"),
        (b"__label__x a\nb\n\xff \0\n", "2:1: no label"),
        (b"__label__x a\n__label__x \0\n\xff\n", "2:12: a NUL character"),
        (b"__label__x \xff\n\0\na\n", "1:12: not UTF-8"),
    ],
)
def test_mistakes_name_the_first_place(text: str | bytes, message: str) -> None:
    assert mistake(text).startswith("words.txt:" + message)


pieces = [b"__label__a", b"__label__b", b"__label__", b" ", b" ", b"a", b"b", b"\xff", b"\0", b"\r"]


@settings(max_examples=150, deadline=None)
@given(
    lines=st.lists(st.lists(st.sampled_from(pieces), max_size=8).map(b"".join), max_size=8),
    multilabel=st.sampled_from(["error", "first", "split"]),
    words=st.integers(1, 2),
)
@example(lines=[b"__label__a \0", b"b", b"__label__b b"], multilabel="error", words=1)
def test_bad_lines_are_left_out_and_the_others_read_as_if_alone(
    lines: list[bytes], multilabel: str, words: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = str(written(tmp_path_factory.mktemp("skip"), b"".join(line + b"\n" for line in lines)))
    keys = source(multilabel=multilabel, word_ngrams=words)
    reader, bad = keys.reader({}), BadLines(skip=True)
    found = named(reader, list(reader.chunks(Reading([path], bad_lines=bad))))
    expected, num_bad = [], 0
    for number, line in enumerate(lines, 1):
        alone = keys.reader({})
        try:
            expected += named(alone, [alone.read(Block(line + b"\n", path, number))])
        except BadLineError:
            num_bad += 1
    assert found == expected
    assert bad.count == num_bad


#: Words and the character n-grams that fastText's `get_subwords` gives them with minn 2, maxn 4.
SUBWORDS = {
    "a": "<a <a> a>",
    "œuvre": "<œ <œu <œuv œu œuv œuvr uv uvr uvre vr vre vre> re re> e>",
    "naïve": "<n <na <naï na naï naïv aï aïv aïve ïv ïve ïve> ve ve> e>",
}


def test_ngrams_of_characters_are_as_many_as_fasttexts() -> None:
    for word, ngrams in SUBWORDS.items():
        ((_, _, features),) = read(f"__label__x {word}\n", minn=2, maxn=4, buckets=2**30)
        assert features.pop(word) == 1
        assert all(name.startswith("# ") and name[2:].isdigit() for name in features)
        assert len(features) == len(set(ngrams.split()))
        assert set(features.values()) == {1.0}


def test_words_that_look_like_buckets_keep_apart() -> None:
    ((_, _, features),) = read("__label__x # 0 #0\n", word_ngrams=2, buckets=1)
    assert features == {"#": 1.0, "0": 1.0, "#0": 1.0, "# 0": 2.0}


def test_files_share_buckets() -> None:
    first = read("__label__x a b c\n", word_ngrams=3, minn=3, maxn=4)[0][2]
    second = read("__label__x z a b c\n", word_ngrams=3, minn=3, maxn=4)[0][2]
    assert first.items() <= second.items()


def test_hashed_features_have_numbers() -> None:
    keys = source(word_ngrams=2, maxn=3)
    block = Block(b"__label__x the the cup\n", "words.txt", 1)
    exact, hashed = keys.reader({}), keys.reader({"hash_bits": 25})
    ((_, _, counts),) = named(exact, [exact.read(block)])
    ((_, labels, buckets),) = named(hashed, [hashed.read(block)])
    assert labels == ["x"]
    assert all(0 <= int(bucket) < 2**25 for bucket in buckets)
    assert sorted(buckets.values()) == sorted(counts.values())
    words_alone = source().reader({"hash_bits": 25})
    ((_, _, words),) = named(words_alone, [words_alone.read(block)])
    assert words.items() <= buckets.items()


@pytest.mark.parametrize(
    "keys",
    [
        {"minn": 3},
        {"minn": 3, "maxn": 2},
        {"word_ngrams": 0},
        {"buckets": 0},
        {"label_prefix": ""},
        {"label_prefix": "a b"},
    ],
)
def test_keys_are_checked(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        source(**keys)


@pytest.mark.parametrize(
    ("start", "fits"),
    [
        (b"__label__a b\nc __label__d\n\n", True),
        (b"__label__a b\n" * 9 + b"c\n", True),
        (b"__label__a b\n" * 8 + b"c\n", False),
        (b"a b\n", False),
        (b"a__label__a b\n", False),
        (b"\n", False),
        (b"", False),
    ],
)
def test_files_are_told_by_their_labels(start: bytes, fits: bool, tmp_path: Path) -> None:
    assert (share_of(Fasttext, Sample(str(tmp_path / "f"), start, whole=True)) >= 0.9) == fits
