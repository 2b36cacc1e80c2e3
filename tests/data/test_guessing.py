"""Which format a file is taken for."""

import gzip
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import scipy.sparse
from sources import train_source, written

from sstrain.config import load
from sstrain.data import FORMATS
from sstrain.data.guessing import guess_format
from sstrain.data.storing import convert_to_store
from sstrain.errors import UserError

TEXTS = {
    "svmlight": [
        "3 1:2.5 7:1\n0\n",
        "# a comment\n\n-1 qid:3 1:1e-3 # why\n+1 2:1\n",
        "1,2 3:1\n2, 5,9 1:0.5 2:0.25\n",
    ],
    "xc": ["4 6 5\n0,3 0:1.0 4:0.25\n2 1:1 5:2e-3\n 2:1\n1 \n", "2 9 30\r\n29,28 8:1\r\n7 5:1\r\n"],
    "fasttext": ["__label__a some words\nmore __label__b words __label__c\n" * 9],
    "vw": ["1 2.0 'tag|ns:0.5 a:1 b |c d\n2 | x y:3\n", "red |f a b\nblue |f c\n"],
    "text": [
        "city\tSome words here\nriver\tmore water\nhill\ta b c\n",
        "12\tTakht-e Qeysar\n12\tTakht-e Azadi\n38\tSeyyed Nur\n",
    ],
    "table": [
        "label,site,hour\nx,a.com,3\ny,b.com,4\n",
        "label\tsite\thour\nx\ta.com\t3\ny\tb.com\t4\n",
        'label;text;n\nx;"one; two";3\ny;b;4\n',
    ],
    "sequence": [
        "in the beginning\nand god said\n",
        "12 13 14\n7 8\n",
        "12\n7\n",
        "3 1:2.5\nand then words\n",
        "And God said, Let there be light: and there was light.\nAnd God saw, that it was good.\n",
    ],
}


@pytest.mark.parametrize(
    ("expected", "text"), [(name, text) for name, texts in TEXTS.items() for text in texts]
)
@pytest.mark.parametrize("compressed", [False, True])
def test_text_by_its_first_lines(
    expected: str, text: str, compressed: bool, tmp_path: Path
) -> None:
    content = gzip.compress(text.encode()) if compressed else text.encode()
    assert guess_format(str(written(tmp_path, content))) == expected


def test_other_files_by_what_they_are(tmp_path: Path) -> None:
    scipy.sparse.save_npz(tmp_path / "m.npz", scipy.sparse.csr_matrix(np.eye(3)))
    pa.parquet.write_table(pa.table({"label": ["x"], "n": [1]}), tmp_path / "t.parquet")
    source = train_source(written(tmp_path, "1 1:1\n"), format="svmlight")
    convert_to_store(source, tmp_path / "store", lambda note: None)
    assert guess_format(str(tmp_path / "m.npz")) == "npz"
    assert guess_format(str(tmp_path / "t.parquet")) == "table"
    assert guess_format(str(tmp_path / "store")) == "store"


def test_every_format_is_told() -> None:
    assert {*TEXTS, "npz", "store"} == FORMATS.keys()


def test_the_shipped_data_are_told(tmp_path: Path) -> None:
    data = Path(__file__).parents[2] / "data"
    for name, expected in (
        ("kjv/kjv.txt.gz", "sequence"),
        ("wordnet/wn_hypernym.tsv.gz", "text"),
        ("placenames/city_names.tsv.gz", "text"),
    ):
        assert guess_format(str(data / name)) == expected


def test_two_that_fit_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\tx,y\nc,d\te,f\n")
    with pytest.raises(UserError) as error:
        guess_format(str(path))
    assert str(error.value) == (
        f"{path}: its format cannot be told: it reads as text and as table; give format: text or "
        "table"
    )


def test_what_is_none_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, bytes(range(256)))
    with pytest.raises(UserError, match="cannot be told; found neither text in UTF-8 nor a known"):
        guess_format(str(path))
    with pytest.raises(UserError, match="no such file"):
        guess_format(str(tmp_path / "gone"))
    os.mkfifo(tmp_path / "pipe")
    for pipe in (str(tmp_path / "pipe"), "-"):
        with pytest.raises(UserError, match="cannot be told, for a pipe is read once; give format"):
            guess_format(pipe)


GOOD = {
    "svmlight": ("3 1:2.5 7:1\n", ("nan 1:1", "1 1", "cat 1:1", "1 1:x 2:", "1 2")),
    "xc": ("0,3 0:1.0\n", ("0,3 0", "cat 1:1")),
    "fasttext": ("__label__a some words\n", ("no label", "label__a\tb")),
    "vw": ("1 'tag|ns a:1 b\n", ("1 a b c", "a,b\tc")),
    "text": ("city\tSome words\n", ("no TAB", "a\tb\tc", "\tb")),
    "table": ("x,a.com,3\n", ("x,a.com", "x", "x,y,z,3", 'x,"y" z,3')),
}
HEADERS = {"xc": "100 4 5\n", "table": "label,site,hour\n"}


@pytest.mark.parametrize(
    ("name", "bad"), [(name, bad) for name, (_, lines) in GOOD.items() for bad in lines]
)
@pytest.mark.parametrize("place", [0, 50, 99])
def test_a_bad_line_leaves_a_file_what_it_is(
    name: str, bad: str, place: int, tmp_path: Path
) -> None:
    lines = [GOOD[name][0]] * 100
    lines[place] = f"{bad}\n"
    path = written(tmp_path, HEADERS.get(name, "") + "".join(lines))
    assert guess_format(str(path)) == name


@pytest.mark.parametrize("name", GOOD)
def test_many_bad_lines_are_for_the_user_to_judge(name: str, tmp_path: Path) -> None:
    header, (good, (bad, *_)) = HEADERS.get(name, ""), GOOD[name]
    path = written(tmp_path, header + good * 8 + f"\n{bad}\n" * 4)
    num_good, wrong = (9, 11) if header else (8, 10)
    with pytest.raises(UserError) as error:
        guess_format(str(path))
    assert str(error.value) == (
        f"{path}: its format cannot be told: {num_good} of {num_good + 4} lines read as {name}, "
        f"line {wrong} does not; give format: {name} or sequence"
    )
    path = written(tmp_path, header + good * 8 + f"{bad}\n" * 12)
    assert guess_format(str(path)) == "sequence"


LONG = {
    "svmlight": "3 " + " ".join(f"{i}:0.5" for i in range(1, 40_000)),
    "fasttext": "__label__a " + "words " * 60_000,
    "vw": "1 |f " + "words:2 " * 40_000,
    "text": "a\t" + "words " * 60_000,
    "table": "label," + ",".join(f"column{i}" for i in range(40_000)),
    "sequence": "words, and more of them " * 20_000,
}


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("name", LONG)
def test_lines_longer_than_the_sample(name: str, end: str, tmp_path: Path) -> None:
    assert len(LONG[name]) > 1 << 18
    text = LONG[name] + end + LONG[name].replace("column", "x")
    assert guess_format(str(written(tmp_path, text))) == name


def test_a_long_line_below_short_ones(tmp_path: Path) -> None:
    for name in ("svmlight", "table"):
        text = HEADERS.get(name, GOOD[name][0]) + LONG[name]
        assert guess_format(str(written(tmp_path, text))) == name
    text = "4 50000 6\n" + LONG["svmlight"]
    assert guess_format(str(written(tmp_path, text))) == "xc"


def test_a_character_that_the_sample_cuts(tmp_path: Path) -> None:
    for shift in range(3):
        text = "x" * shift + "€" * (1 << 17)
        assert guess_format(str(written(tmp_path, text))) == "sequence"


@pytest.mark.parametrize("form", ["", ", format: auto"])
def test_a_config_without_a_format_has_that_of_its_file(form: str, tmp_path: Path) -> None:
    written(tmp_path, "1 1:1\n", "a.svm")
    written(tmp_path, "in the beginning\n", "b.txt")
    config = written(
        tmp_path,
        f"data: {{train: {{path: a.svm, index_base: 0{form}}}, validation: {{path: b.txt{form}}}}}",
        "c.yaml",
    )
    data = load(config).data
    assert data.train.format == "svmlight"
    assert data.validation is not None
    assert getattr(data.validation, "format", None) == "svmlight"
    assert getattr(data.validation, "index_base", None) == 0
