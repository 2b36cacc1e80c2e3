"""``vw`` files: features as Vowpal Wabbit reads them, labels, weights, and every mistake."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sources import written

from sstrain.data.bad_lines import BadLineError, BadLines
from sstrain.data.blocks import Block
from sstrain.data.formats.vw import Vw, VwReader
from sstrain.data.guessing import share_of
from sstrain.data.reader import Rows
from sstrain.data.reading import Reading
from sstrain.data.sample import Sample

Row = tuple[int, str | None, float, dict[str, float]]


def new_reader(labelled: bool = True) -> VwReader:
    return Vw.model_validate({"path": "vw.txt", "format": "vw"}).reader({}, labelled)


def named(reader: VwReader, chunks: list[Rows]) -> list[Row]:
    """Return line, label, weight and features of each row by their names."""
    names, labels = reader.feature_names, [*reader.label_names, None]
    rows = []
    for chunk in chunks:
        assert chunk.weights is not None
        for row in range(chunk.num_rows):
            part = slice(chunk.indptr[row], chunk.indptr[row + 1])
            features = zip(chunk.features[part], chunk.values[part].tolist(), strict=True)
            rows.append(
                (
                    int(chunk.lines[row]),
                    labels[chunk.labels[row]],
                    float(chunk.weights[row]),
                    {str(names[feature]): value for feature, value in features},
                )
            )
    return rows


def read(text: str, labelled: bool = True) -> list[Row]:
    reader = new_reader(labelled)
    return named(reader, [reader.read(Block(text.encode(), "vw.txt", 1))])


def mistake(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(BadLineError) as error:
        new_reader().read(Block(data, "vw.txt", 1))
    return str(error.value)


EXAMPLES = (
    "3 2.5 'tag|ns:2 a:3 b a |x y:0 z|q\r\n"
    "4 tag| x y:1e-3 n^b:.5\n"
    "5 |a b:-2 |a b:0.5 c\n"
    "6 1.5 |s:0.5 u:4\tv   w:1e1 \n"
    "7 | a|b c\n"
    "8 0 'last | f:3 f\n"
)
#: What Vowpal Wabbit 9.11 prints of them with --audit, but for its feature ``Constant``.
AUDIT_OF_VW: list[list[tuple[str, float]]] = [
    [("ns^a", 6), ("ns^b", 2), ("ns^a", 2), ("x^z", 1)],
    [("x", 1), ("y", 0.001), ("n^b", 0.5)],
    [("a^b", -2), ("a^b", 0.5), ("a^c", 1)],
    [("s^u", 2), ("s^v", 0.5), ("s^w", 5)],
    [("a", 1), ("b^c", 1)],
    [("f", 3), ("f", 1)],
]
#: Its "weighted example sum".
WEIGHT_OF_VW = 7.0


def test_features_and_weights_are_those_of_vowpal_wabbit() -> None:
    rows = read(EXAMPLES)
    assert [label for _, label, _, _ in rows] == ["3", "4", "5", "6", "7", "8"]
    for (_, _, _, features), audit in zip(rows, AUDIT_OF_VW, strict=True):
        sums: dict[str, float] = {}
        for name, value in audit:
            sums[name] = sums.get(name, 0) + float(np.float32(value))
        assert features == sums
    assert [weight for _, _, weight, _ in rows] == [2.5, 1, 1, 1.5, 1, 0]
    assert sum(weight for _, _, weight, _ in rows) == WEIGHT_OF_VW


def test_labels_are_whole_numbers_in_any_spelling_or_names() -> None:
    spellings = ["3", "3.0", "+3", "3e0", "03", "-3", "-0", "1e3", "cat", "é", "0x10", "3a", "_1"]
    expected = ["3", "3", "3", "3", "3", "-3", "0", "1000", "cat", "é", "0x10", "3a", "_1"]
    rows = read("".join(f"{label} | a\n" for label in spellings))
    assert [label for _, label, _, _ in rows] == expected
    largest = 2**53
    assert [row[1] for row in read(f"{largest} |\n-{largest} |\n")] == [f"{largest}", f"-{largest}"]


def test_blank_lines_are_no_examples_unless_each_line_is_one() -> None:
    text = "1 2 | a:0.5\n\n \t\r\ncat 'tag|n b\n"
    assert read(text) == [(1, "1", 2.0, {"a": 0.5}), (4, "cat", 1.0, {"n^b": 1.0})]
    assert read(text + "1:2 nan\t3 4 | c\n| d\n", labelled=False) == [
        (1, None, 1.0, {"a": 0.5}),
        (2, None, 1.0, {}),
        (3, None, 1.0, {}),
        (4, None, 1.0, {"n^b": 1.0}),
        (5, None, 1.0, {"c": 1.0}),
        (6, None, 1.0, {"d": 1.0}),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 a", "1: no |; found '1'"),
        ("| a", "1: no label (what touches the | is a tag); found '|'"),
        (" 3| a", "2: no label (what touches the | is a tag); found '3'"),
        ("'tag | a", '1: no label (what touches the | is a tag); found "\'tag"'),
        ("nan | a", "1: the label is not finite; found 'nan'"),
        ("-inf | a", "1: the label is not finite; found '-inf'"),
        ("1.5 | a", "1: the label is no whole number; found '1.5'"),
        ("9007199254740993 | a", "1: the label is too large; found '9007199254740993'"),
        ("1,2 | a", "1: several labels; found '1,2'"),
        ("1:0.5 2:1.5 | a", "1: a label with costs; found '1:0.5'"),
        ("1:2:0.4 | a", "1: a label with costs; found '1:2:0.4'"),
        ("é x | a", "3: the importance is no finite number; found 'x'"),
        ("1 nan | a", "3: the importance is no finite number; found 'nan'"),
        ("1 1e39 | a", "3: the importance is no finite number; found '1e39'"),
        ("1 1e400 | a", "3: the importance is no finite number; found '1e400'"),
        ("1 -0.5 | a", "3: the importance is negative; found '-0.5'"),
        ("1 2 0.5 | a", "5: more than a label and an importance; found '0.5'"),
        ("1\t2 | a", "2: a TAB before the |"),
        ("1 | a\rb", "6: a carriage return inside a line; found '\\r'"),
        ("1 |:2 a", "4: a namespace without a name; found ':2'"),
        ("1 |" + "n" * 256 + " a", "4: the namespace's name is too long"),
        ("1 |n:x a", "6: the namespace's scale is no finite number, or too large; found 'x'"),
        ("1 |n:inf a", "6: the namespace's scale is no finite number, or too large; found 'inf'"),
        ("1 | :2", "5: a feature without a name; found ':2'"),
        ("1 | a:", "7: the value is no finite number, or too large; found ''"),
        ("1 | é:x b", "7: the value is no finite number, or too large; found 'x'"),
        ("1 | a:nan", "7: the value is no finite number, or too large; found 'nan'"),
        ("1 | a:1e31", "7: the value is no finite number, or too large; found '1e31'"),
        ("1 | a:1e999", "7: the value is no finite number, or too large; found '1e999'"),
        ("1 | a:1:2", "7: the value is no finite number, or too large; found '1:2'"),
        ("1 |n:1e20 a b:1e20", "13: the value is no finite number, or too large; found 'b:1e20'"),
        ("1 | a\0", "6: a NUL character; found '\\x00'"),
        (b"1 | \xff", "5: not UTF-8; found 'the byte 0xff'"),
    ],
)
def test_mistakes_name_their_place(line: str | bytes, message: str) -> None:
    data = line.encode() if isinstance(line, str) else line
    assert mistake(b"1 | a\n\n" + data + b"\nnan |\n").startswith(f"vw.txt:3:{message}")
    assert "; expected " in mistake(data + b"\n")


def test_numbers_are_rounded_once() -> None:
    tokens = ["0.1", "16777217", "1.00000005960464477540", "1e-46", "7e-46", "0" * 300 + "1"]
    tokens += ["0." + "0" * 300 + "1e301", "1e-300", "12345678.9e-3"]
    ((_, _, _, features),) = read("1 | " + " ".join(f"{t}:{t}" for t in tokens) + "\n")
    expected = {t: float(np.float32(float(t))) for t in tokens}
    assert features == {t: value for t, value in expected.items() if value != 0}


def test_hashed_features_have_numbers() -> None:
    source = Vw.model_validate({"path": "vw.txt", "format": "vw"})
    reader = source.reader({"hash_bits": 20})
    rows = named(reader, [reader.read(Block(EXAMPLES.encode(), "vw.txt", 1))])
    exact = read(EXAMPLES)
    for (_, label, _, buckets), (_, expected, _, features) in zip(rows, exact, strict=True):
        assert label == expected
        assert all(0 <= int(bucket) < 2**20 for bucket in buckets)
        assert sorted(buckets.values()) == sorted(features.values())


pieces = [b"1 ", b"cat ", b"|", b"| ", b"|n:1e20 ", b"a", b":1e20", b":x", b" ", b"\xff", b"\0"]


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(st.lists(st.sampled_from(pieces), max_size=8).map(b"".join), max_size=8))
@example(lines=[b"1 | a", b"1 |n:1e20 a:1e20", b"cat | a:x", b"2 | \0", b"2 | b"])
@example(lines=[b"1 | \0", b"1 |n:1e20 a:1e20", b"cat | a:1e-400 b"])
def test_bad_lines_are_left_out_and_the_others_read_as_if_alone(
    lines: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = str(written(tmp_path_factory.mktemp("skip"), b"".join(line + b"\n" for line in lines)))
    reader, bad = new_reader(), BadLines(skip=True)
    found = named(reader, list(reader.chunks(Reading([path], bad_lines=bad))))
    expected, num_bad = [], 0
    for number, line in enumerate(lines, 1):
        alone = new_reader()
        try:
            expected += named(alone, [alone.read(Block(line + b"\n", path, number))])
        except BadLineError:
            num_bad += 1
    assert found == expected
    assert bad.count == num_bad


@pytest.mark.parametrize(
    ("start", "fits"),
    [
        (EXAMPLES.encode(), True),
        (b"1 |a b\n\ncat 'tag | c\n", True),
        (b"1 2.5 |a\n", True),
        (b"1|a b\n", False),
        (b"| a b\n", False),
        (b"1:2 | a b\n", False),
        (b"a|b|c\n1|2|3\n", False),
        (b"1 a b c | d\n", False),
        (b"1 2:3\n", False),
        (b"1\ta | b\n", False),
        (b"\n", False),
        (b"", False),
    ],
)
def test_files_are_told_by_their_bars(start: bytes, fits: bool, tmp_path: Path) -> None:
    assert (share_of(Vw, Sample(str(tmp_path / "f"), start, whole=True)) >= 0.9) == fits
