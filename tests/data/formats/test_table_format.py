"""``table`` files of text: as Python's own csv module reads them."""

import csv
import io
import re
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sources import written
from tables import mistake, named, read, rows_of

from sstrain.data.formats import table_csv
from sstrain.data.formats.table import Table
from sstrain.data.guessing import share_of
from sstrain.data.sample import sample_of

# The same rows as a plain reading gives.

HEADER = ["y", "a", "b", "n", "t"]


def plain_features(row: dict[str, str], missing: str) -> dict[str, float]:
    features: dict[str, float] = {}

    def add(name: str, is_missing: bool, value: float = 1) -> None:
        if not is_missing or missing == "feature":
            features[name] = value

    for name in ("a", "b"):
        add(f"{name}={row[name]}", not row[name])
    a, b = (re.sub(r"([\\*])", r"\\\1", row[name]) for name in ("a", "b"))
    add(f"a*b={a}*{b}", not row["a"] or not row["b"])
    if row["n"]:
        add("n", False, float(np.float32(float(row["n"]))))
    else:
        add("n=", True)
    for word, count in Counter(re.findall(r"\w+", row["t"].lower())).items():
        add(f"t:{word}", False, count)
    return features


cells = st.text(st.sampled_from('ab*\\,;"\t é€_1'), max_size=5)
texts = st.text(st.sampled_from('ab*\\,;"\t \né€_1'), max_size=5)
numbers = st.one_of(
    st.just(""), st.floats(-1e30, 1e30).map(repr), st.integers(-99, 99).map(str), st.just("+.5e1")
)
table_rows = st.lists(
    st.tuples(cells.map(lambda cell: "y" + cell), cells, cells, numbers, texts), max_size=12
)


@settings(max_examples=150, deadline=None)
@given(
    rows=table_rows,
    delimiter=st.sampled_from(",;\t"),
    newline=st.sampled_from(["\n", "\r\n"]),
    missing=st.sampled_from(["feature", "ignore"]),
    block_bytes=st.sampled_from([1, 7, 64, 1 << 22]),
    ended=st.booleans(),
)
def test_rows_are_those_of_a_plain_reading(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, ...]],
    delimiter: str,
    newline: str,
    missing: str,
    block_bytes: int,
    ended: bool,
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline)
    writer.writerow(HEADER)
    lines = []
    for row in rows:
        text.write(newline)  # an empty line is no row
        lines.append(text.getvalue().count("\n") + 1)
        writer.writerow(row)
    content = text.getvalue() if ended else text.getvalue().removesuffix(newline)
    path = written(tmp_path_factory.mktemp("table"), content, "t.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_csv, "_BLOCK_BYTES", block_bytes)
        found = rows_of(
            path, target="y", categorical=["a", "b"], numeric=["n"], text=["t"], crosses=["a*b"],
            missing=missing,
        )  # fmt: skip
    dicts = [dict(zip(HEADER, row, strict=True)) for row in rows]
    expected = [
        (line, row["y"], plain_features(row, missing))
        for line, row in zip(lines, dicts, strict=True)
    ]
    assert found == expected


def test_words_are_those_of_python(tmp_path: Path) -> None:
    texts = ["Straße, ÉTÉ-naïve x_1", "“Привет” мир… 東京2020", "-", "a a A"]
    path = written(tmp_path, "y,t\n" + "".join(f'k,"{text}"\n' for text in texts))
    found = rows_of(path, target="y", text=["t"])
    assert [features for _, _, features in found] == [
        {f"t:{word}": n for word, n in Counter(re.findall(r"\w+", text.lower())).items()}
        for text in texts
    ]


def test_a_table_of_another_projects_making() -> None:
    path = Path(matplotlib.get_data_path()) / "sample_data" / "msft.csv"
    reader, chunks = read(path, target="Date")
    with open(path, encoding="utf-8") as file:
        expected = list(csv.DictReader(file))
    assert len(expected) > 50
    assert named(reader, chunks) == [
        (
            line,
            row.pop("Date"),
            {name: float(np.float32(value)) for name, value in row.items()},
        )
        for line, row in enumerate(expected, 2)
    ]


# What the columns are taken for.


def test_columns_are_taken_for_what_they_hold(tmp_path: Path) -> None:
    path = written(
        tmp_path, ",y,s,whole,real,zip,flag,none\n0,a,u,1,1.5,007,true,\n1,b,,-2,,010,false,\n"
    )
    reader, _ = read(path, target="y")
    kinds = {
        "s": "categorical",
        "whole": "numeric",
        "real": "numeric",
        "zip": "categorical",
        "flag": "categorical",
        "none": "categorical",
    }
    assert reader.fitted() == {"columns": kinds, "crosses": []}
    assert reader.scaled_features() == {"whole": "standard", "real": "standard"}
    assert reader.notes() == [
        "columns: categorical: 's', 'zip', 'flag', 'none'; numeric: 'whole', 'real'; left out: ''; "
        "give categorical the columns whose numbers are codes",
        "missing values: 1 in 's', 2 in 'none', 1 in 'real'",
    ]


def test_a_column_that_is_crossed_is_categorical(tmp_path: Path) -> None:
    path = written(tmp_path, "y,h,m\na,1,2\n")
    reader, chunks = read(path, target="y", crosses=["h*m"], numeric_scale="none")
    assert named(reader, chunks)[0][2] == {"h=1": 1, "m=2": 1, "h*m=1*2": 1}
    assert reader.scaled_features() == {}


def test_groups_may_be_crossed(tmp_path: Path) -> None:
    path = written(tmp_path, "y,user,m\na,u,2\n")
    found = rows_of(path, target="y", group="user", crosses=["user*m"])
    assert found == [(2, "a", {"user=u": 1, "m=2": 1, "user*m=u*2": 1})]


def test_columns_that_are_not_named_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "y,a,b\nk,1,2\n")
    reader, chunks = read(path, target="y", numeric=["b"])
    assert named(reader, chunks) == [(2, "k", {"b": 2})]
    assert reader.notes() == ["columns: numeric: 'b'; left out: 'a'"]


def test_other_files_are_read_as_the_training_files(tmp_path: Path) -> None:
    train = written(tmp_path, "y,a,n\nk,u,1\n", "train.csv")
    reader, _ = read(train, target="y", crosses=["a*n"])
    other = written(tmp_path, "more;n;a;y\n9;2;7;k\n", "other.csv")
    keys: dict[str, Any] = {"target": "y", "fitted": reader.fitted()}
    assert rows_of(other, **keys) == [(2, "k", {"a=7": 1, "n=2": 1, "a*n=7*2": 1})]
    assert "no column 'n'; found 'y', 'a'" in mistake(written(tmp_path, "y,a\nk,u\n"), **keys)


def test_several_files_have_their_columns_in_any_order(tmp_path: Path) -> None:
    first = written(tmp_path, "y,n\nk,1\n\n", "1.csv")
    second = written(tmp_path, "n\ty\n2\tj\n", "2.csv")
    assert rows_of(first, second, target="y") == [(2, "k", {"n": 1}), (5, "j", {"n": 2})]
    bad = written(tmp_path, "n,y\n2,j\n,j\nx,j\n", "3.csv")
    assert mistake(first, bad).startswith(f"{bad}:4: column 'n': no finite number; found 'x'; ")


def test_texts_may_stand_for_missing_values(tmp_path: Path) -> None:
    path = written(tmp_path, "y,a,n\nk,NA,NA\nk,u,2\n")
    text = mistake(path)
    assert text.startswith(
        f"{path}:2: column 'n': numbers, and a text that may stand for a missing"
    )
    assert 'missing_values: ["NA"]' in text
    assert rows_of(path, target="y", missing_values=["NA"]) == [
        (2, "k", {"a=": 1, "n=": 1}),
        (3, "k", {"a=u": 1, "n": 2}),
    ]
    found = rows_of(path, target="y", categorical=["a", "n"])
    assert found[0] == (2, "k", {"a=NA": 1, "n=NA": 1})


def test_zero_is_an_entry(tmp_path: Path) -> None:
    assert rows_of(written(tmp_path, "y,n\nk,0\n"), target="y") == [(2, "k", {"n": 0})]


# Groups, weights, rows without labels, hashing.


def test_groups_and_weights(tmp_path: Path) -> None:
    path = written(tmp_path, "y,s,w,a\nk,u,1,p\nk,v,0.5,q\nk,u,0,p\n")
    _, (chunk,) = read(path, target="y", group="s", weight="w")
    assert chunk.weights.tolist() == [1, 0.5, 0]
    first, second, third = chunk.groups.tolist()
    assert first == third != second
    assert min(first, second) >= 0
    # A group's hash is one and the same in any file; one for evaluation need not have it.
    _, (other,) = read(written(tmp_path, "s,w,a,y\nu,1,q,k\n"), target="y", group="s", weight="w")
    assert other.groups.tolist() == [first]
    path = written(tmp_path, "y,w,a\nk,1,p\n")
    _, (chunk,) = read(
        path, target="y", group="s", weight="w", fitted={"columns": {"w": "numeric"}}
    )
    assert chunk.groups is None
    assert "no column 's'" in mistake(path, group="s")


def test_rows_without_labels(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"target": "y", "group": "s", "weight": "w", "labelled": False}
    fitted = {"columns": {"n": "numeric"}}
    path = written(tmp_path, "n\n1\n2\n")
    assert rows_of(path, fitted=fitted, **keys) == [(2, None, {"n": 1}), (3, None, {"n": 2})]
    path = written(tmp_path, "y,n\n,1\nnew,\n")
    assert rows_of(path, fitted=fitted, **keys) == [(2, None, {"n": 1}), (3, None, {"n=": 1})]


def test_features_may_be_hashed(tmp_path: Path) -> None:
    path = written(tmp_path, "y,a,t\nk,u,x y z\nk,v,x x\n")
    fitted = {"hash_bits": 1}
    reader, (chunk,) = read(path, target="y", categorical=["a"], text=["t"], fitted=fitted)
    assert set(np.asarray(reader.feature_names).tolist()) <= {0, 1}
    assert [
        chunk.values[a:b].sum() for a, b in zip(chunk.indptr, chunk.indptr[1:], strict=False)
    ] == [
        4,
        3,
    ]
    path = written(tmp_path, "y,n\nk,1\n")
    assert "give numeric_scale: none" in mistake(path, fitted=fitted)
    assert len(read(path, target="y", numeric_scale="none", fitted=fitted)[1]) == 1


# The section, and format: auto.


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"categorical": ["a"], "numeric": ["a"]}, "column 'a' serves as two things"),
        ({"text": ["y"]}, "column 'y' serves as two things"),
        ({"crosses": ["a"]}, "'a' is not two or three columns"),
        ({"crosses": ["a*a"]}, "'a*a' is not two or three columns"),
        ({"crosses": ["a*b", "a*b"]}, "one of them stands there twice"),
        ({"crosses": ["a*y"]}, "'a*y' holds the target"),
        ({"crosses": ["a*b"], "categorical": ["a"]}, "'b' is no categorical column"),
        ({"categorical": []}, "at least 1 item"),
    ],
)
def test_sections_that_contradict_themselves(keys: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError) as error:
        Table(path=("t.csv",), target="y", **keys)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("y,n\nk,1\n", True),
        ("label;text\r\nk;some words\r\n", True),
        ("a\tb\tc\n1\t2\t3\n", True),
        ('y,t\nk,"two\nlines, here"\n', True),
        (",y,n\n0,k,1\n", True),
        ("label\tdefinition\nx\ty\n", False),
        ("In the beginning, God\nAnd the earth, was\n", False),
        ("1,2 3:0.5 4:1\n2 1:1\n", False),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", False),
        ("y,n\nk,1,2\n", False),
        ("y,n\n", False),
        ("", False),
        ("just words\nand more\n", False),
        ("__label__a,__label__b\nx,y,z\n", False),
        ("a:1 |ns x,y\nb:1 |ns x,y\n", False),
    ],
)
def test_tables_are_told_from_other_text(tmp_path: Path, content: str, expected: bool) -> None:
    assert (share_of(Table, sample_of(str(written(tmp_path, content)))) >= 0.9) is expected
