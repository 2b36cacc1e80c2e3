"""What is said of ``svmlight`` lines that do not parse, and which lines are left out."""

from pathlib import Path

import numpy as np
import pytest
from read_rows import chunks_of, names_of, rows_of, source_of
from sklearn.datasets import tests as sklearn_tests
from sources import written

from sstrain.data.bad_lines import BadLines
from sstrain.data.formats.svmlight import Svmlight
from sstrain.errors import UserError

FOREIGN = Path(sklearn_tests.__file__).parent / "data"


def mistake(path: Path) -> str:
    with pytest.raises(UserError) as error:
        rows_of(source_of(Svmlight, path))
    return str(error.value)


@pytest.mark.parametrize(
    ("line", "column", "expected"),
    [
        ("cat 1:1", 1, "the label is no number; found 'cat'; {whole}"),
        ("nan 1:1", 1, "the label is no number; found 'nan'; {whole}"),
        ("inf 1:1", 1, "the label is no number; found 'inf'; {whole}"),
        ("1_0 1:1", 1, "the label is no number; found '1_0'; {whole}"),
        ("0x1 1:1", 1, "the label is no number; found '0x1'; {whole}"),
        ("1\x00 1:1", 1, "the label is no number; found '1\\x00'; {whole}"),
        ("1.5 1:1", 1, "the label is no whole number; found '1.5'; {whole}"),
        ("1e-3 1:1", 1, "the label is no whole number; found '1e-3'; {whole}"),
        ("9007199254740993", 1, "the label is too large; found '9007199254740993'; {whole}"),
        ("-1e30 1:1", 1, "the label is too large; found '-1e30'; {whole}"),
        (
            "3,7 1:1",
            1,
            "several labels; found '3,7'; expected one label, or multilabel: first or split",
        ),
        ("1:1 2:1", 1, "no label; found '1:1'; expected label index:value ..."),
        ("qid:1 2:1", 1, "no label; found 'qid:1'; expected label index:value ..."),
        ("1 5", 3, "a feature without a colon; found '5'; expected index:value"),
        ("1 2:1 cat", 7, "a feature without a colon; found 'cat'; expected index:value"),
        (
            "3, 7 1:1",
            1,
            "several labels; found '3, 7'; expected one label, or multilabel: first or split",
        ),
        ("1 a:1", 3, "the index is no whole number; found 'a:1'; expected index:value"),
        ("1 :1", 3, "the index is no whole number; found ':1'; expected index:value"),
        ("1 1.0:1", 3, "the index is no whole number; found '1.0:1'; expected index:value"),
        ("1 -2:1", 3, "the index is negative; found '-2:1'; expected an index from 0"),
        (
            "1 1000000000000000000:1",
            3,
            "the index is too large; found '1000000000000000000:1'; expected an index of at most "
            "18 digits",
        ),
        ("1 2:x", 3, "the value is no finite number; found '2:x'; expected index:value"),
        ("1 2:", 3, "the value is no finite number; found '2:'; expected index:value"),
        ("1 2: 3", 3, "the value is no finite number; found '2:'; expected index:value"),
        ("1 2:nan", 3, "the value is no finite number; found '2:nan'; expected index:value"),
        ("1 2:-inf", 3, "the value is no finite number; found '2:-inf'; expected index:value"),
        ("1 2:1:3", 3, "the value is no finite number; found '2:1:3'; expected index:value"),
        ("1 2:1\r3:1", 3, "the value is no finite number; found '2:1\\r3:1'; expected index:value"),
        (
            "1 2:1e39",
            3,
            "the value is too large; found '2:1e39'; expected a number up to 3.403e+38",
        ),
        (
            "1 2:1e999",
            3,
            "the value is too large; found '2:1e999'; expected a number up to 3.403e+38",
        ),
        (
            "1 3:1 2:2 3:4",
            11,
            "an index stands twice; found '3:4'; expected each index once in a line",
        ),
        (
            "1 3:1 03:4",
            7,
            "an index stands twice; found '03:4'; expected each index once in a line",
        ),
        ("3,cat 1:1", 3, "the label is no number; found 'cat'; {whole}"),
        ("3,1.5 1:1", 3, "the label is no whole number; found '1.5'; {whole}"),
        ("3, 1e30 1:1", 4, "the label is too large; found '1e30'; {whole}"),
        ("3, 1:1", 4, "the label is no number; found '1:1'; {whole}"),
        ("3,, 1:1", 3, "the label is no number; found ''; {whole}"),
        (",3 1:1", 1, "the label is no number; found ''; {whole}"),
        ("3,7:1", 3, "the label is no number; found '7:1'; {whole}"),
        ("3,nan 1:1", 3, "the label is no number; found 'nan'; {whole}"),
        ("3 ,7 1:1", 3, "a feature without a colon; found ',7'; expected index:value"),
        (
            "# 1\n1 2:1 2:4",
            7,
            "an index stands twice; found '2:4'; expected each index once in a line",
        ),
    ],
)
def test_a_bad_line_is_named_with_its_reason(
    line: str, column: int, expected: str, tmp_path: Path
) -> None:
    path = written(tmp_path, f"1 1:1\n\n{line}\n2 1:1\n")
    whole = "expected a whole number from -2^53 to 2^53"
    number = 3 + line.count("\n")
    assert mistake(path) == f"{path}:{number}:{column}: " + expected.format(whole=whole)


def test_bytes_that_are_no_text_are_bad_tokens(tmp_path: Path) -> None:
    path = written(tmp_path, b"1 1:1 # \xff is fine here\n1 \xff:1\n")
    assert mistake(path) == (
        f"{path}:2:3: the index is no whole number; found '\\\\xff:1'; expected index:value"
    )


def test_a_bad_line_of_a_second_file_is_named_by_its_own_number(tmp_path: Path) -> None:
    good, bad = written(tmp_path, "1 1:1\n1 2:1", "good"), written(tmp_path, "1\n1 x\n", "bad")
    with pytest.raises(UserError) as error:
        rows_of(source_of(Svmlight, [good, bad]))
    assert str(error.value).startswith(f"{bad}:2:3: a feature without a colon")


def test_bad_lines_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bad = rng.random(300_000) < 0.0002
    assert 10 < bad.sum() < 200
    path = written(tmp_path, "".join("x 1:1\n" if b else f"{i} 5:1\n" for i, b in enumerate(bad)))
    skipped = BadLines(skip=True)
    reader, chunks = chunks_of(source_of(Svmlight, path), bad_lines=skipped)
    assert len(chunks) > bad.sum()
    labels = [int(label) for (label,), _ in names_of(reader, chunks)]
    assert labels == np.flatnonzero(~bad).tolist()
    lines = np.concatenate([rows.lines for rows in chunks])
    assert lines.tolist() == (np.flatnonzero(~bad) + 1).tolist()
    assert skipped.count == bad.sum()
    assert skipped.messages[0].startswith(f"{path}:{np.argmax(bad) + 1}:1: the label is no number")


def test_the_invalid_files_of_scikit_learns_own_tests() -> None:
    path = FOREIGN / "svmlight_invalid.txt"
    assert mistake(path) == (
        f"{path}:1:1: the label is no number; found 'python'; expected a whole number from -2^53 "
        "to 2^53"
    )
    path = FOREIGN / "svmlight_invalid_order.txt"  # for scikit-learn; here any order will do
    assert rows_of(source_of(Svmlight, path))[0][1] == {"5": 2.5, "2": np.float32(-5.2), "15": 1.5}
