"""Columns of a ``table`` that look like numbers: codes, missing values, more digits than fit."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sources import written
from tables import mistake, read, rows_of


def test_spaces_do_not_hide_codes_and_missing_values(tmp_path: Path) -> None:
    path = written(tmp_path, "y,zip,n\nk, 007,1\nl,008 , 2\n")
    assert rows_of(path, target="y")[0] == (2, "k", {"zip= 007": 1, "n": 1})
    for missing in (" NA", "NA ", "  ", "\u00a0?"):
        path = written(tmp_path, f"y,n\nk,1\nl,{missing}\n")
        found = mistake(path)
        assert found.startswith(f"{path}:3: column 'n': numbers, and a text that may stand for a")
        assert rows_of(path, target="y", missing_values=[missing])[1] == (3, "l", {"n=": 1})


def test_numbers_that_rounding_makes_alike_are_noted(tmp_path: Path) -> None:
    def notes(lines: Iterable[str], **keys: Any) -> list[str]:
        path = written(tmp_path, "y,t\n" + "".join(f"k,{line}\n" for line in lines))
        reader, _ = read(path, target="y", **keys)
        return reader.notes()[1:]

    seconds = [str(1_700_000_000 + second) for second in range(60)]
    expected = [
        "column 't': its numbers lie within 59, and are rounded by up to 59, as values are "
        "float32; subtract a start from them, or list the column in categorical"
    ]
    assert notes(seconds) == expected
    assert notes([*seconds, ""])[1:] == expected
    assert notes(seconds, categorical=["t"]) == []
    assert notes(map(str, range(60))) == []
    assert notes(["0.1"] * 9) == []
    # A year within which seconds are rounded by 64 is known well enough.
    assert notes([*seconds, str(1_700_000_000 + 31_536_000)]) == []


def test_later_files_are_not_noted_for_rounding(tmp_path: Path) -> None:
    path = written(tmp_path, "y,t\nk,1700000000\nk,1700000001\n")
    fitted = {"columns": {"t": "numeric"}, "crosses": []}
    assert len(read(path, target="y")[0].notes()) == 2
    assert read(path, fitted=fitted, target="y")[0].notes() == []
