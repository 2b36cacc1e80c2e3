"""Every mistake in ``table`` files of text."""

import gzip
import time
from pathlib import Path
from typing import Any

import pytest
from pyarrow import csv
from sources import written
from tables import mistake, named, read, rows_of

from sstrain.config.source import source_of
from sstrain.data.bad_lines import BadLines
from sstrain.data.formats import table_csv
from sstrain.errors import UserError


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("y,n\nk,x\n", ":2: column 'n': no finite number; found 'x'; expected a number"),
        ("y,n\nk,1\nk,1_0\n", ":3: column 'n': no finite number; found '1_0'"),
        ("y,n\nk,nan\n", ":2: column 'n': no finite number; found 'nan'"),
        ("y,n\nk,-inf\n", ":2: column 'n': no finite number; found '-inf'"),
        ("y,n\nk,1e39\n", ":2: column 'n': no finite number; found '1e39'"),
        ("y,n\n,1\n", ":2: column 'y': no label; found ''; expected one"),
        ('y,n\n"",1\n', ":2: column 'y': no label"),
        ("y,n\nk\n", ":2:1: 1 field; found 'k'; expected 2, as in the header"),
        ('y,n\n\n"a\nb",1,2\n', ":3:1: 3 fields"),
        ('y,n\nk,"1"0\n', ":2:1: text behind a closing quote; found 'k,\"1\"0'; expected"),
        ("y,n\nk,1\rk,2\n", ":2:1: a carriage return within a line"),
        ('y,n\nk,"1\nk,2\n', ":2:1: a record that never ends; found "),
        ("y,n\nk,1\n\0,2\n", ":3:1: a NUL character"),
        (b"y,n\nk\xff,2\n", ":2:2: not UTF-8; found 'the byte 0xff'"),
        (b"y,\xff\nk,2\n", ":1:3: not UTF-8"),
        ("y,n,n\nk,1,2\n", ":1: two columns of one name; found 'n' 2 times"),
        ("z,n\nk,1\n", ": no column 'y'; found 'z', 'n'; expected it among the names"),
        ("1,2\n3,4\n", ": no column 'y'; found '1', '2'"),
    ],
)
def test_mistakes_are_placed(tmp_path: Path, content: str | bytes, expected: str) -> None:
    path = written(tmp_path, content, "t.csv")
    assert mistake(path, numeric=["n"]).startswith(f"{path}{expected}")


def test_a_table_on_the_command_line_needs_a_target() -> None:
    with pytest.raises(UserError) as error:
        source_of("clicks.csv", "table", [])
    assert str(error.value) == "--set target: missing; expected text"
    assert source_of("clicks.csv", "table", ["target=item"]).target == "item"  # type: ignore[attr-defined]


def test_an_unknown_column_is_likely_a_similar_one(tmp_path: Path) -> None:
    path = written(tmp_path, "label,price\nk,1\n")
    assert mistake(path, target="lable").endswith("; did you mean 'label'?")
    assert mistake(path, target="label", numeric=["prize"]).endswith("did you mean 'price'?")


def test_the_first_bad_line_of_all_kinds_stops(tmp_path: Path) -> None:
    path = written(tmp_path, "y,n\nk,1\nk,x\nk\n,1\n")
    assert mistake(path, numeric=["n"]).startswith(f"{path}:3: ")


def test_a_table_without_features_is_refused(tmp_path: Path) -> None:
    assert "no features; found no column beside 'y'" in mistake(written(tmp_path, "y\nk\n"))


def test_columns_whose_features_would_be_the_same_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "y,a,a=b\nk,b=c,c\n")
    assert "columns 'a' and 'a=b' would have features of the same name" in mistake(path)


@pytest.mark.parametrize("weight", ["", "x", "-1", "nan", "inf"])
def test_bad_weights_and_groups(tmp_path: Path, weight: str) -> None:
    path = written(tmp_path, f"y,w,s,a\nk,1,u,p\nk,{weight},u,p\nk,1,,p\n")
    assert mistake(path, weight="w").startswith(f"{path}:3: column 'w': no weight; found ")
    assert mistake(path, group="s", categorical=["a"]).startswith(
        f"{path}:4: column 's': no group;"
    )


def test_bad_lines_may_be_skipped(tmp_path: Path) -> None:
    content = (
        b'y,a,n\nbad,bad\nk,u,1\nk,lost,x\n\xff,lost,1\n"j\n",lost,2\nj,v,2\n,lost,1\nk,"l"ost,1\n'
    )
    path = written(tmp_path, content)
    bad_lines = BadLines(skip=True)
    reader, chunks = read(path, target="y", numeric=["n"], categorical=["a"], bad_lines=bad_lines)
    assert named(reader, chunks) == [
        (3, "k", {"a=u": 1, "n": 1}),
        (8, "j", {"a=v": 1, "n": 2}),
    ]
    assert bad_lines.count == 6
    assert [int(text.split(":")[1]) for text in bad_lines.messages] == [2, 4, 5, 6, 9, 10]
    assert reader.label_names == ["k", "j"]
    assert list(reader.feature_names) == ["a=u", "a=v", "n"]


def test_bad_lines_may_stand_before_all_good_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_csv, "_BLOCK_BYTES", 4)
    path = written(tmp_path, "y,a,b\nk\nj,1,2,3\nk,u,v\n")
    bad_lines = BadLines(skip=True)
    found = rows_of(path, target="y", crosses=["a*b"], bad_lines=bad_lines)
    assert found == [(4, "k", {"a=u": 1, "b=v": 1, "a*b=u*v": 1})]
    assert bad_lines.count == 2


@pytest.mark.parametrize("content", ["", "\n", "y,n\n", "y,n", "\r\ny,n\r\n\r\n"])
def test_nothing_to_read(tmp_path: Path, content: str) -> None:
    reader, chunks = read(written(tmp_path, content), target="y")
    assert chunks == []
    assert reader.label_names == []
    assert list(reader.feature_names) == []
    assert "found no row" in reader.absence()


def test_quotes_may_be_text(tmp_path: Path) -> None:
    path = written(tmp_path, 'y\ta\nk\t"5" disk\n')
    assert "give quoted: false" in mistake(written(tmp_path, 'y\ta\nk\t"5 disk\n', "u.tsv"))
    assert rows_of(path, target="y", quoted=False) == [(2, "k", {'a="5" disk': 1})]


def test_compressed_text_with_a_byte_order_mark(tmp_path: Path) -> None:
    content = gzip.compress(b"\xef\xbb\xbfy,n\r\nk,1")
    path = written(tmp_path, content, "t.csv.gz")
    assert rows_of(path, target="y") == [(2, "k", {"n": 1})]
    path.write_bytes(content[:-6])
    assert "damaged gzip data" in mistake(path)


def test_one_long_record(tmp_path: Path) -> None:
    path = written(tmp_path, 'y,t\nk,"' + "word\n" * 2_000_000 + '"\nj,x\n')
    assert rows_of(path, target="y", text=["t"]) == [
        (2, "k", {"t:word": 2_000_000}),
        (2_000_003, "j", {"t:x": 1}),
    ]


def test_names_of_columns_are_cut_and_counted(tmp_path: Path) -> None:
    names = [f"{number}\x1b{5000 * 'n'}" for number in range(300)]
    path = written(tmp_path, ",".join(names) + "\n", "t.csv")
    message = mistake(path)
    assert message.startswith(f"{path}: no column 'y'; found '0\\x1bnnn")
    assert "... and 290 more; expected it among the names" in message
    assert message.isprintable()
    assert len(message) < 1000 + len(str(path))


def test_notes_name_some_columns_and_count_the_others(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(500)]
    text = ",".join(["y", *names]) + "\nk" + 500 * "," + "\nk" + 500 * ",1" + "\n"
    reader, _ = read(written(tmp_path, text, "t.csv"), target="y")
    kinds, missing = reader.notes()
    assert "'c9' and 490 more" in kinds
    assert missing == (
        "missing values: " + ", ".join(f"1 in {name!r}" for name in names[:10]) + " and 490 more"
    )


def test_a_cross_takes_columns_of_numbers_as_categories(tmp_path: Path) -> None:
    """Even where no column is named, and those of a part are all bad or missing."""
    text = "y,a,b,c\nk,,\nk,1,2,3\nk,4,,6\n"
    path = written(tmp_path, text, "t.csv")
    reader, chunks = read(path, target="y", crosses=["a*b"], bad_lines=BadLines(skip=True))
    assert [values for _, _, values in named(reader, chunks)] == [
        {"a=1": 1.0, "b=2": 1.0, "c": 3.0, "a*b=1*2": 1.0},
        {"a=4": 1.0, "b=": 1.0, "c": 6.0, "a*b=4*": 1.0},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_names_are_of_one_line(end: str, tmp_path: Path) -> None:
    """For files hold a name a line, and so do predictions."""
    row, label = f'k,"a{end}b"\n', f'"k{end}l",a\n'
    path = written(tmp_path, f"y,x\n{row}{label}k,a\n", "t.csv")
    assert mistake(path).startswith(
        f"{path}:2: column 'x': a line's end or a NUL in a category; found 'a"
    )
    assert mistake(path, text=["x"]).startswith(f"{path}:4: column 'y': a line's")
    bad_lines = BadLines(skip=True)
    reader, chunks = read(path, target="y", bad_lines=bad_lines)
    assert [(label, values) for _, label, values in named(reader, chunks)] == [("k", {"x=a": 1.0})]
    assert bad_lines.count == 2
    path = written(tmp_path, f'y,"x{end}z"\nk,a\n', "t.csv")
    assert mistake(path).startswith(f"{path}: a line's end or a NUL in a column's name; found 'x")


def test_text_is_parsed_without_threads_of_pyarrows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For they could abort a program that ends by a mistake."""
    threads, read_csv = [], csv.read_csv

    def watched(*arguments: Any, read_options: csv.ReadOptions, **options: Any) -> Any:
        threads.append(read_options.use_threads)
        return read_csv(*arguments, read_options=read_options, **options)

    monkeypatch.setattr(csv, "read_csv", watched)
    assert rows_of(written(tmp_path, "y,n\nk,1\n"), target="y") == [(2, "k", {"n": 1})]
    assert threads == [False, False]  # the header's, the rows'


def test_a_mark_that_does_not_begin_the_file_is_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever pyarrow's part of it begins."""
    path = written(tmp_path, "\ufeffa,y\n\ufeffu,k\n\ufeffv,k\n", "t.csv")
    expected = [(2, "k", {"a=\ufeffu": 1}), (3, "k", {"a=\ufeffv": 1})]
    for block_bytes in (1, 1 << 22):
        monkeypatch.setattr(table_csv, "_BLOCK_BYTES", block_bytes)
        assert rows_of(path, target="y") == expected
    path = written(tmp_path, "\r\n\ufeff\r\n", "t.csv")
    assert mistake(path).startswith(f"{path}: no column 'y'; found '\\ufeff'; expected it")


def test_very_many_columns_take_time_in_proportion(tmp_path: Path) -> None:
    """Seconds if each were looked for among all others."""
    names = [f"c{number}" for number in range(40_000)]
    row = ",".join(["k", *(40_000 * ["1"])])
    path = written(tmp_path, ",".join(["y", *names]) + f"\n{row}\n", "t.csv")
    start = time.process_time()
    ((_, label, features),) = rows_of(path, target="y", numeric=names[:10])
    assert (label, features) == ("k", dict.fromkeys(names[:10], 1.0))
    assert time.process_time() - start < 3
