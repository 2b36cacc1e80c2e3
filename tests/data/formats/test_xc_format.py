"""``xc`` files: labels and features below the header's counts, as many rows as it says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from read_rows import NamedRow, chunks_of, contexts_of, names_of, rows_of, source_of
from sources import written

from sstrain.data.bad_lines import BadLines
from sstrain.data.blocks import Block
from sstrain.data.formats.xc import Xc
from sstrain.data.guessing import share_of
from sstrain.data.sample import sample_of
from sstrain.errors import UserError

SMALL = "3 5 4\n0,3 0:1.5 4:2\n 1:1\n2 3:.5\n"
ROWS = [(["0", "3"], {"0": 1.5, "4": 2.0}), ([], {"1": 1.0}), (["2"], {"3": 0.5})]


def read(path: Path | list[Path], **keys: Any) -> list[NamedRow]:
    return rows_of(source_of(Xc, path, **{"multilabel": "split", **keys}))


def mistake(path: Path | list[Path], **keys: Any) -> str:
    with pytest.raises(UserError) as error:
        read(path, **keys)
    return str(error.value)


@pytest.mark.parametrize("change", ["", "no newline", "crlf", "mark", "comment", "no blank"])
def test_rows_are_read_under_their_header(change: str, tmp_path: Path) -> None:
    text = SMALL.encode()
    text = {
        "": text,
        "no newline": text[:-1],
        "crlf": text.replace(b"\n", b"\r\n"),
        "mark": b"\xef\xbb\xbf" + text,
        "comment": text.replace(b"2 3", b"\n# so\n2 3"),
        "no blank": text.replace(b" 1:1", b"1:1"),
    }[change]
    assert read(written(tmp_path, text)) == ROWS


def test_an_empty_row_is_a_blank_and_an_empty_line_is_none(tmp_path: Path) -> None:
    assert read(written(tmp_path, "2 5 4\n\n \n3\n")) == [([], {}), (["3"], {})]


def test_what_becomes_of_several_labels(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    assert read(path, multilabel="first") == [(["0"], ROWS[0][1]), *ROWS[1:]]
    assert mistake(path, multilabel="error") == (
        f"{path}:2:1: several labels; found '0,3'; expected one label, or multilabel: first or "
        "split"
    )


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.lists(st.integers(0, 6), unique=True, max_size=5),
            st.dictionaries(st.integers(0, 9), st.integers(-99, 99), max_size=5),
        ),
        max_size=9,
    )
)
def test_any_rows_come_back(
    rows: list[tuple[list[int], dict[int, int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [
        ",".join(map(str, labels)) + " " + " ".join(f"{j}:{v}" for j, v in row.items())
        for labels, row in rows
    ]
    text = "\n".join([f"{len(rows)} 10 7", *lines, ""])
    assert read(written(tmp_path_factory.mktemp("xc"), text)) == [
        (list(map(str, labels)), {str(j): v for j, v in row.items()}) for labels, row in rows
    ]


def test_each_file_has_a_header_of_its_own(tmp_path: Path) -> None:
    first = written(tmp_path, SMALL, "first")
    second = written(tmp_path, "1 9 9\n8 8:1\n", "second")
    assert read([first, second]) == [*ROWS, (["8"], {"8": 1.0})]
    _, chunks = chunks_of(source_of(Xc, [first, second], multilabel="split"))
    assert np.concatenate([rows.lines for rows in chunks]).tolist() == [2, 3, 4, 6]
    assert read([second, first]) == [(["8"], {"8": 1.0}), *ROWS]
    second.write_text("1 9 9\n9 8:1\n")
    assert mistake([first, second]) == (
        f"{second}:2:1: the label is not below the header's count; found '9'; expected a label "
        "from 0 to 8"
    )
    second.write_text("9 8:1\n")
    assert mistake([first, second]).startswith(f"{second}:1:1: the header is none; found '9 8:1'")


COUNTS = "expected the numbers of examples, features and labels, each at most 2^53"


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("1 1:1", "the header is none; found '1 1:1'"),
        ("3 5", "the header is none; found '3 5'"),
        ("3 5 4 1", "the header is none; found '3 5 4 1'"),
        ("3 5 -4", "the header is none; found '3 5 -4'"),
        ("3 5 4.0", "the header is none; found '3 5 4.0'"),
        ("nan 5 4", "the header is none; found 'nan 5 4'"),
        ("", "the header is none; found ''"),
        ("3 5 9007199254740993", "the header is absurd; found '3 5 9007199254740993'"),
        ("3 5 " + "9" * 5000, f"the header is none; found '3 5 {'9' * 56}'"),
    ],
)
@pytest.mark.parametrize("skip", [True, False])
def test_a_header_that_is_none_is_never_skipped(
    header: str, problem: str, skip: bool, tmp_path: Path
) -> None:
    path = written(tmp_path, f"{header}\n1 1:1\n")
    with pytest.raises(UserError) as error:
        rows_of(source_of(Xc, path), bad_lines=BadLines(skip))
    assert str(error.value) == f"{path}:1:1: {problem}; {COUNTS}"


def test_a_header_allocates_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, f"{2**53} {2**53} {2**53}\n1 1:1\n")
    assert mistake(path) == (
        f"{path}:2: the file ends early; found 1 examples; expected 9,007,199,254,740,992, as its "
        "header says"
    )


@pytest.mark.parametrize(
    ("line", "column", "expected"),
    [
        (
            "4 1:1",
            1,
            "the label is not below the header's count; found '4'; expected a label from 0 to 3",
        ),
        (
            "0,17 1:1",
            3,
            "the label is not below the header's count; found '17'; expected a label from 0 to 3",
        ),
        ("-1 1:1", 1, "the label is negative; found '-1'; expected a label from 0 to 3"),
        (
            "1.5 1:1",
            1,
            "the label is no whole number; found '1.5'; expected a whole number from -2^53 to 2^53",
        ),
        (
            "nan 1:1",
            1,
            "the label is no number; found 'nan'; expected a whole number from -2^53 to 2^53",
        ),
        (
            "1 1:1 5:1",
            7,
            "the index is not below the header's count; found '5:1'; expected an index from 0 to 4",
        ),
        ("1 -1:1", 3, "the index is negative; found '-1:1'; expected an index from 0"),
        ("1 1:nan", 3, "the value is no finite number; found '1:nan'; expected index:value"),
        ("1 1:1 1:2", 7, "an index stands twice; found '1:2'; expected each index once in a line"),
        (
            "a 1:1",
            1,
            "the label is no number; found 'a'; expected a whole number from -2^53 to 2^53",
        ),
    ],
)
def test_a_bad_line_is_named_with_its_reason(
    line: str, column: int, expected: str, tmp_path: Path
) -> None:
    path = written(tmp_path, SMALL.replace("2 3:.5", line))
    assert mistake(path) == f"{path}:4:{column}: {expected}"
    kept = rows_of(source_of(Xc, path, multilabel="split"), bad_lines=BadLines(skip=True))
    assert kept == ROWS[:2]


def test_rows_beyond_the_headers_count_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL.replace("3 5 4", "2 5 4"))
    assert mistake(path) == (
        f"{path}:4:1: an example too many; found '2 3:.5'; expected 2 examples, as the header says"
    )
    path = written(tmp_path, "0 5 4\n\n1 1:1\n")
    assert mistake(path).startswith(f"{path}:3:1: an example too many; found '1 1:1'")


def test_too_few_rows_are_told_at_the_files_end(tmp_path: Path) -> None:
    short = written(tmp_path, SMALL.replace("3 5 4", "5 5 4"), "short")
    whole = written(tmp_path, SMALL, "whole")
    for paths in ([short], [short, whole], [whole, short]):
        assert mistake(paths) == (
            f"{short}:4: the file ends early; found 3 examples; expected 5, as its header says"
        )


def skipping(path: Path | list[Path]) -> tuple[list[NamedRow], list[str]]:
    """Return the rows that are good, and the messages of bad lines."""
    bad_lines = BadLines(skip=True)
    reader, chunks = chunks_of(source_of(Xc, path, multilabel="split"), bad_lines=bad_lines)
    return names_of(reader, chunks), bad_lines.messages


@pytest.mark.parametrize("bad", range(5))
def test_bad_lines_count_as_examples_of_the_header(bad: int, tmp_path: Path) -> None:
    lines = [f"{label} {label}:1" for label in range(5)]
    rows = [([str(label)], {str(label): 1.0}) for label in range(5)]
    lines[bad] = "x 1:1"
    del rows[bad]
    path = written(tmp_path, "\n".join(["5 5 5", *lines, ""]))
    found, messages = skipping([path, path])
    assert found == 2 * rows
    assert [message.split(": ")[0] for message in messages] == 2 * [f"{path}:{bad + 2}:1"]


@settings(max_examples=300, deadline=None)
@given(lines=st.lists(st.sampled_from(["1 1:1", "x", "", " 2:1", "1 0:1e39"]), max_size=12))
def test_the_first_example_too_many_is_named(
    lines: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is bad before it or behind."""
    examples = [number for number, line in enumerate(lines, start=2) if line]
    folder = tmp_path_factory.mktemp("xc")
    for count in range(len(examples)):
        path = written(folder, "\n".join([f"{count} 5 5", *lines, ""]))
        with pytest.raises(UserError) as error:
            skipping(path)
        good = [number for number in examples[count:] if lines[number - 2] in ("1 1:1", " 2:1")]
        if good:
            assert str(error.value).startswith(f"{path}:{good[0]}:1: an example too many; found")
        else:
            assert f": examples too many; found {len(examples)} examples" in str(error.value)
    assert len(skipping(written(folder, "\n".join([f"{len(examples)} 5 5", *lines, ""])))[0]) == (
        lines.count("1 1:1") + lines.count(" 2:1")
    )


def test_counts_may_begin_with_zeros(tmp_path: Path) -> None:
    zeros = 5000 * "0"
    assert read(written(tmp_path, zeros + SMALL)) == ROWS
    assert read(written(tmp_path, f"{zeros} 5 4\n")) == []


def test_a_header_alone_holds_no_example(tmp_path: Path) -> None:
    assert read(written(tmp_path, "0 5 4\n")) == []


def test_a_bad_first_line_of_a_block_is_the_one_left_out(tmp_path: Path) -> None:
    data = b"3 5 4\nx 1:1\n1 1:1\n2\n"
    reader = source_of(Xc, tmp_path / "none").reader({})
    with pytest.raises(UserError) as error:
        reader.read(Block(data, "data", 1))
    assert str(error.value).startswith("data:2:1: the label is no number")
    assert error.value.line == 1  # type: ignore[attr-defined]


def test_contexts_may_have_a_header(tmp_path: Path) -> None:
    source = source_of(Xc, tmp_path / "none")
    rows: list[NamedRow] = [([], {"1": 1.0}), ([], {}), ([], {"2": 1.0})]
    assert contexts_of(source, [b"3 5 4", b"0,7 1:1", b"", b" 2:1"]) == rows
    assert contexts_of(source, [b"0,7 1:1", b"", b" 2:1"]) == rows
    assert contexts_of(source, [b"3 5", b"", b"x"][1:], first_line=7) == [([], {}), ([], {})]


def test_features_are_hashed(tmp_path: Path) -> None:
    source = source_of(Xc, written(tmp_path, SMALL), multilabel="split")
    reader, chunks = chunks_of(source, {"hash_bits": 1})
    found = names_of(reader, chunks)
    assert [sum(row.values()) for _, row in found] == [3.5, 1.0, 0.5]
    assert {name for _, row in found for name in row} <= {"0", "1"}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (SMALL, True),
        ("3 5 4\r\n1:1\r\n", True),
        ("3 5 4\n", False),
        ("1 1:1\n3 5 4\n", False),
        ("3 5 4\n3 4 5\n", False),
        ("3 5 4\n1 |a b:1\n", False),
        ("", False),
    ],
)
def test_what_looks_like_xc(text: str, fits: bool, tmp_path: Path) -> None:
    assert (share_of(Xc, sample_of(str(written(tmp_path, text)))) >= 0.9) == fits
