"""``table`` files in Parquet: as pyarrow reads them, every type, every mistake."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from tables import mistake, named, read, rows_of

from sstrain.data.bad_lines import BadLines
from sstrain.data.formats import table_parquet
from sstrain.data.formats.table import Table
from sstrain.data.sample import sample_of
from sstrain.errors import UserError


def parquet_file(folder: Path, **columns: Any) -> Path:
    path = folder / "t.parquet"
    parquet.write_table(pa.table(columns), path)
    return path


def test_parquet_of_another_projects_making() -> None:
    path = Path(pa.__file__).parent / "tests" / "data" / "parquet" / "v0.7.1.parquet"
    reader, chunks = read(path, target="cut")
    expected = parquet.read_table(path).to_pylist()
    texts, others = ("color", "clarity"), ("carat", "depth", "table", "price", "x", "y", "z")
    assert named(reader, chunks) == [
        (
            number,
            row["cut"],
            {f"{name}={row[name]}": 1.0 for name in texts}
            | {name: float(np.float32(row[name])) for name in others},
        )
        for number, row in enumerate(expected, 1)
    ]
    assert "left out: '__index_level_0__'" in reader.notes()[0]


def test_types_of_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_parquet, "_ROWS", 2)
    path = parquet_file(
        tmp_path,
        y=pa.array([3, 1, 3]),
        s=pa.array(["u", None, ""], pa.large_string()),
        d=pa.array(["p", "q", "p"]).dictionary_encode(),
        flag=pa.array([True, None, False]),
        n=pa.array([1.5, float("nan"), None]),
        i=pa.array([1, None, 7], pa.int8()),
        when=pa.array([0, 1000, 2000], pa.timestamp("ms")),
        nested=pa.array([[1], [2], [3]]),
    )
    reader, chunks = read(path, target="y")
    assert len(chunks) == 2
    assert named(reader, chunks) == [
        (1, "3", {"s=u": 1, "d=p": 1, "flag=true": 1, "n": 1.5, "i": 1}),
        (2, "1", {"s=": 1, "d=q": 1, "flag=": 1, "n=": 1, "i=": 1}),
        (3, "3", {"s=": 1, "d=p": 1, "flag=false": 1, "n=": 1, "i": 7}),
    ]
    assert "left out: 'when', 'nested'" in reader.notes()[0]
    dated = rows_of(path, target="y", categorical=["when", "n"])
    assert dated[1][2] == {"when=1970-01-01 00:00:01.000": 1, "n=": 1}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"categorical": ["nested"]}, "column 'nested': of type list<"),
        ({"numeric": ["when"]}, "expected numbers, or text that holds them"),
        ({"target": "n"}, "column 'n': of type double; expected text, whole numbers"),
        ({"numeric": ["n"]}, ": row 2: column 'n': no finite number; found 'inf'; expected a"),
        ({"target": "gap", "categorical": ["y"]}, ": row 1: column 'gap': no label; found nothing"),
    ],
)
def test_what_parquet_may_not_hold(tmp_path: Path, keys: dict[str, Any], expected: str) -> None:
    path = parquet_file(
        tmp_path,
        y=["k", "k"],
        gap=pa.array([None, "k"]),
        n=pa.array([1.0, float("inf")]),
        when=pa.array([0, 1], pa.timestamp("ms")),
        nested=pa.array([[1], [2]]),
    )
    assert expected in mistake(path, **keys)


def test_text_of_digits_is_categorical_in_parquet(tmp_path: Path) -> None:
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        path = parquet_file(tmp_path, y=["k", "l"], s=pa.array(["1", "20"], kind))
        expected = [(1, "k", {"s=1": 1}), (2, "l", {"s=20": 1})]
        assert rows_of(path, target="y") == expected
        assert rows_of(path, target="y", categorical=["s"]) == expected
        assert rows_of(path, target="y", numeric=["s"])[1] == (2, "l", {"s": 20})
        assert rows_of(path, target="s", categorical=["y"])[1] == (2, "20", {"y=l": 1})


@pytest.mark.parametrize("mark", ["\0", "\n", "\r"])
def test_names_in_parquet_are_text_of_one_line(mark: str, tmp_path: Path) -> None:
    path = parquet_file(tmp_path, y=["k", f"k{mark}", "l"], s=["a", "b", f"{mark}b"])
    bad_lines = BadLines(skip=True)
    reader, chunks = read(path, target="y", bad_lines=bad_lines)
    assert named(reader, chunks) == [(1, "k", {"s=a": 1})]
    assert bad_lines.messages == [
        f"{path}: row 2: column 'y': a line's end or a NUL; found {f'k{mark}'!r}; expected text of "
        "one line",
        f"{path}: row 3: column 's': a line's end or a NUL in a category; found {f'{mark}b'!r}; "
        "expected text of one line, or a text column",
    ]
    path = parquet_file(tmp_path, y=["k"], **{f"s{mark}": ["a"]})
    assert mistake(path).startswith(f"{path}: a line's end or a NUL in a column's name; found 's")


def test_damaged_parquet(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, y=["k"] * 100, n=list(range(100)))
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:50], whole[:4] + whole[40:]):
        path.write_bytes(content)
        assert mistake(path).startswith(f"{path}: damaged Parquet file; ")
    path.write_bytes(gzip.compress(whole))
    assert "Parquet in a pipe or compressed" in mistake(path)
    bad = pa.array([b"\xff", b"a"]).view(pa.string())
    assert "UTF8" in mistake(parquet_file(tmp_path, y=["k", "k"], s=bad))


def test_two_columns_of_one_name_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table([["k"], ["a"], ["b"]], names=["y", "a", "a"]), path)
    assert mistake(path) == f"{path}: two columns of one name; found 'a'"


def test_parquet_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    assert Table.fits(sample_of(str(parquet_file(tmp_path, y=["k"], a=["u"]))))


def test_what_pyarrow_says_of_damage_is_printable(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, y=["a", "b"], x=[1, 2])
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    messages = set()
    for place in range(footer, len(whole) - 8):
        for byte in (0x0E, 0x1F):
            path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            try:
                rows_of(path, target="y")
            except UserError as error:
                messages.add(str(error))
    assert all(message.isprintable() for message in messages)
    assert any("\\x0e" in message for message in messages)


def test_names_and_types_of_columns_are_cut(tmp_path: Path) -> None:
    deep = pa.array([{"\x1b" + 3000 * "f": 1}])
    path = parquet_file(tmp_path, **{"y": ["a"], "\x1b" + 900 * "n": deep})
    message = mistake(path, categorical=["\x1b" + 900 * "n"])
    assert message.startswith(f"{path}: column '\\x1bnnn")
    assert "...: of type struct<\\x1bfff" in message
    assert message.isprintable()
    assert len(message) < 400 + len(str(path))
