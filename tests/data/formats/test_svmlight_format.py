"""``svmlight`` files: as scikit-learn reads them, every label's spelling, every mistake."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from read_rows import chunks_of, contexts_of, names_of, rows_of, source_of
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sklearn.datasets import tests as sklearn_tests
from sources import written

from sstrain.data.blocks import Block
from sstrain.data.formats.svmlight import Svmlight
from sstrain.data.guessing import share_of
from sstrain.data.reader import LineReader
from sstrain.data.sample import sample_of
from sstrain.errors import UserError

FOREIGN = Path(sklearn_tests.__file__).parent / "data"


def read(path: Path, **keys: Any) -> list[tuple[list[str], dict[str, float]]]:
    return rows_of(source_of(Svmlight, path, **keys))


def mistake(path: Path, **keys: Any) -> str:
    with pytest.raises(UserError) as error:
        read(path, **keys)
    return str(error.value)


def rows_read_there(x: Any, y: list[tuple[float, ...]]) -> list[tuple[set[str], dict[str, float]]]:
    return [
        (
            {str(int(label)) for label in labels},
            dict(zip(map(str, row.indices), row.data.astype(np.float32).tolist(), strict=True)),
        )
        for row, labels in zip(x, y, strict=True)
    ]


examples = st.lists(
    st.tuples(
        st.lists(st.integers(-3, 3), min_size=1, max_size=4, unique=True),
        st.dictionaries(
            st.integers(0, 30),
            st.floats(-1e30, 1e30, allow_subnormal=False).filter(bool),
            max_size=6,
        ),
    ),
    min_size=1,
    max_size=12,
)


def dense_of(examples: list[tuple[list[int], dict[int, float]]]) -> NDArray[np.float64]:
    dense = np.zeros((len(examples), 31))
    for row, (_, features) in enumerate(examples):
        for column, value in features.items():
            dense[row, column] = value
    return dense


@settings(max_examples=80, deadline=None)
@given(examples=examples)
def test_files_are_read_as_scikit_learn_reads_them(
    examples: list[tuple[list[int], dict[int, float]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = io.BytesIO()
    labels = [labels[0] for labels, _ in examples]
    dump_svmlight_file(dense_of(examples), labels, file, comment="a comment: #")
    path = written(tmp_path_factory.mktemp("svmlight"), file.getvalue())
    x, y = load_svmlight_file(str(path), n_features=31, zero_based=True)
    found = [(set(labels), row) for labels, row in read(path)]
    assert found == rows_read_there(x, [(label,) for label in y])


@settings(max_examples=80, deadline=None)
@given(examples=examples, comment=st.booleans())
def test_several_labels_are_read_as_scikit_learn_reads_them(
    examples: list[tuple[list[int], dict[int, float]]],
    comment: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    file = io.BytesIO()
    indicators = np.array([[label in labels for label in range(-3, 4)] for labels, _ in examples])
    indicators[::3] = False  # scikit-learn writes rows without labels too
    dump_svmlight_file(
        dense_of(examples),
        indicators.astype(int),
        file,
        multilabel=True,
        comment="a comment" if comment else None,
    )
    path = written(tmp_path_factory.mktemp("svmlight"), file.getvalue())
    x, y = load_svmlight_file(str(path), n_features=31, zero_based=True, multilabel=True)
    found = [(set(labels), row) for labels, row in read(path, multilabel="split")]
    # Rows of neither labels nor features are left out by scikit-learn.
    assert [row for row in found if row != (set(), {})] == rows_read_there(x, y)
    assert len(found) == len(examples)


@pytest.mark.parametrize("name", ["svmlight_classification.txt", "svmlight_multilabel.txt"])
def test_the_files_of_scikit_learns_own_tests(name: str) -> None:
    x, y = load_svmlight_file(str(FOREIGN / name), multilabel=True, zero_based=True)
    found = [(set(labels), row) for labels, row in read(FOREIGN / name, multilabel="split")]
    assert found == rows_read_there(x, y)
    assert len(found) > 2


@settings(max_examples=80, deadline=None)
@given(
    examples=st.lists(
        st.tuples(
            st.integers(-(2**53), 2**53),
            st.dictionaries(st.integers(0, 10**18 - 1), st.floats(width=32, allow_nan=False)),
        ),
        min_size=1,
    ).filter(lambda rows: all(np.isfinite(v) for _, row in rows for v in row.values()))
)
def test_what_is_written_comes_back(
    examples: list[tuple[int, dict[int, float]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = "".join(
        f"{label} " + " ".join(f"{i}:{v!r}" for i, v in row.items()) + "\n"
        for label, row in examples
    )
    assert read(written(tmp_path_factory.mktemp("back"), text)) == [
        ([str(label)], {str(i): v for i, v in row.items()}) for label, row in examples
    ]


def test_labels_are_the_integers_text_in_every_spelling(tmp_path: Path) -> None:
    text = "3\n3.0\n+3\n3e0\n 30e-1 # so\n-1\n-1.0\n0\n-0\n9007199254740992\n"
    labels = [labels for labels, _ in read(written(tmp_path, text))]
    assert labels == [["3"]] * 5 + [["-1"]] * 2 + [["0"]] * 2 + [["9007199254740992"]]


def test_bare_labels_comments_and_blank_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "# made by hand\n\n1\n  \t\n2  5:1\t7:2.5#end\r\n1 5:0 \r\n\r\n3")
    source = source_of(Svmlight, path)
    reader, (rows,) = chunks_of(source)
    assert rows.lines.tolist() == [3, 5, 6, 8]
    assert names_of(reader, [rows]) == [
        (["1"], {}),
        (["2"], {"5": 1.0, "7": 2.5}),
        (["1"], {"5": 0.0}),
        (["3"], {}),
    ]


LISTS = "3,7 1:1\n7, 3,\t7.0 2:1\n5 1:1\n 1:2\n \n\n \t# nothing\n1:1 # so\nqid:1 3:1\n4,4\n"


def test_several_labels_are_split_each_once_in_the_lines_order(tmp_path: Path) -> None:
    assert read(written(tmp_path, LISTS), multilabel="split") == [
        (["3", "7"], {"1": 1.0}),
        (["7", "3"], {"2": 1.0}),
        (["5"], {"1": 1.0}),
        ([], {"1": 2.0}),
        ([], {}),
        ([], {"1": 1.0}),
        ([], {"3": 1.0}),
        (["4"], {}),
    ]


@settings(max_examples=100, deadline=None)
@given(lists=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=9), min_size=1))
def test_a_label_counts_once_in_a_row(lists: list[list[int]]) -> None:
    data = "".join(",".join(map(str, labels)) + " 1:1\n" for labels in lists).encode()
    block = Block(data, "data", 1)
    source = Svmlight.model_validate({"path": ["data"], "multilabel": "split"})
    reader = source.reader({})
    found = names_of(reader, [reader.read(block)])
    assert found == [([str(label) for label in dict.fromkeys(one)], {"1": 1.0}) for one in lists]


def test_the_first_label_alone_and_none_is_a_mistake(tmp_path: Path) -> None:
    text = "3,7 1:1\n7, 3,\t7.0 2:1\n4,4\n"
    path = written(tmp_path, text)
    assert [labels for labels, _ in read(path, multilabel="first")] == [["3"], ["7"], ["4"]]
    assert read(written(tmp_path, "4,4 1:1\n4, 4.0\n")) == [(["4"], {"1": 1.0}), (["4"], {})]
    for keys in ({}, {"multilabel": "first"}):
        path = written(tmp_path, "1\n 1:1\n")
        assert mistake(path, **keys) == (
            f"{path}:2:2: no label; found '1:1'; expected label index:value ..."
        )


def test_indices_may_stand_in_any_order(tmp_path: Path) -> None:
    assert read(written(tmp_path, "1 9:1 2:2 5:3\n")) == [(["1"], {"9": 1, "2": 2, "5": 3})]


@pytest.mark.parametrize("hash_bits", [None, 2])
@pytest.mark.parametrize(
    ("train", "keys", "base"),
    [
        ("1 1:1\n", {}, 1),
        ("1 1:1\n2 0:1\n", {}, 0),
        ("1\n", {}, 1),
        ("1 1:1\n", {"index_base": 0}, 0),
        ("1 1:1\n", {"index_base": 1}, 1),
    ],
)
def test_the_index_base_is_fixed_on_the_training_file(
    train: str, keys: dict[str, Any], base: int, hash_bits: int | None, tmp_path: Path
) -> None:
    options = {} if hash_bits is None else {"hash_bits": hash_bits}
    reader, _ = chunks_of(source_of(Svmlight, written(tmp_path, train), **keys), options)
    assert reader.fitted() == {"index_base": base}
    other = source_of(Svmlight, written(tmp_path, "1 0:1\n", "other"))
    if base == 0:
        assert rows_of(other, fitted={**options, "index_base": base})[0][0] == ["1"]
        return
    with pytest.raises(UserError) as error:
        rows_of(other, fitted={**options, "index_base": base})
    assert str(error.value) == (
        f"{other.path[0]}:1:3: the index is below the index base; found '0:1'; expected an index "
        "from 1"
    )


def test_index_0_may_stand_in_any_block(tmp_path: Path) -> None:
    for text in (b"1 0:1\n", b"1 5:1\n"), (b"1 5:1\n", b"1 0:1\n"):
        reader = source_of(Svmlight, tmp_path / "none").reader({})
        assert isinstance(reader, LineReader)
        for number, data in enumerate(text):
            reader.read(Block(data, "data", 1 + number))
        assert reader.fitted() == {"index_base": 0}


def test_index_0_where_the_base_is_set_to_1_is_a_bad_line(tmp_path: Path) -> None:
    path = written(tmp_path, "1 0:1\n")
    assert mistake(path, index_base=1).startswith(f"{path}:1:3: the index is below the index base")


def test_hashed_features_that_share_a_bucket_are_added_up(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [dict(zip(range(1, 30), rng.integers(1, 9, 29), strict=True)) for _ in range(20)]
    text = "".join("1 " + " ".join(f"{i}:{v}" for i, v in row.items()) + "\n" for row in rows)
    source = source_of(Svmlight, written(tmp_path, text))
    found = rows_of(source, fitted={"hash_bits": 3})
    assert [sum(row.values()) for _, row in found] == [sum(row.values()) for row in rows]
    assert {name for _, row in found for name in row} <= set(map(str, range(8)))
    again = rows_of(source, fitted={"hash_bits": 3})
    assert again == found


def test_query_ids_are_ignored_and_said_once(tmp_path: Path) -> None:
    path = written(tmp_path, "1 1:1\n1 qid:3 2:1\n2 qid:4 3:1\n")
    reader, chunks = chunks_of(source_of(Svmlight, path))
    assert reader.notes() == [f"qid is ignored, as in {path}:2:3"]
    assert [row for _, row in names_of(reader, chunks)] == [{"1": 1}, {"2": 1}, {"3": 1}]


def test_contexts_need_no_label_and_every_line_is_one(tmp_path: Path) -> None:
    source = source_of(Svmlight, tmp_path / "none")
    lines = [b"2:3\n", b"7 5:4 2:1\r\n", b"", b"# 2:1", b"cat 9:1", b"3,4 5:1", b"nan", b"3, 4 1:1"]
    assert contexts_of(source, lines) == [
        ([], {"2": 3.0}),
        ([], {"5": 4.0, "2": 1.0}),
        ([], {}),
        ([], {}),
        ([], {"9": 1.0}),
        ([], {"5": 1.0}),
        ([], {}),
        ([], {"1": 1.0}),
    ]
    for multilabel in ("first", "split"):
        source = source_of(Svmlight, tmp_path / "none", multilabel=multilabel)
        assert contexts_of(source, [b" 2:1", b"3,4", b" "]) == [
            ([], {"2": 1.0}),
            ([], {}),
            ([], {}),
        ]
    with pytest.raises(UserError, match=r"^in:12:3: the value is no finite number; found '2:x'"):
        contexts_of(source, [b"1", b"1 2:x"], first_line=11)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("1 1:1\n-1 2:.5 # so\n", True),
        ("3,7 1:1\n3, 7 2:1\n 4:1\n\n# so\n", True),
        ("1\n2 qid:3 1:1\n", True),
        ("1\n2\n", False),
        ("2 5 7\n1 1:1\n", False),
        ("in 1:1 the\n", False),
        ("1 |a b:1\n", False),
        ("", False),
    ],
)
def test_what_looks_like_svmlight(text: str, fits: bool, tmp_path: Path) -> None:
    assert (share_of(Svmlight, sample_of(str(written(tmp_path, text)))) >= 0.9) == fits
