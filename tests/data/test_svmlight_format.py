"""``svmlight`` files: as scikit-learn reads them, every label's spelling, every mistake."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sources import DataKeys, held_out_source, named_rows, train_source, written

from sstrain.data.dataset import Dataset
from sstrain.data.loading import Splits, load, read_contexts, read_held_out
from sstrain.data.vocabulary import Vocabulary
from sstrain.errors import UserError


def loaded(path: Path, **keys: Any) -> Splits:
    return load(DataKeys(train_source(path, format="svmlight", **keys)), lambda note: None)


def mistake(path: Path, **keys: Any) -> str:
    with pytest.raises(UserError) as error:
        loaded(path, **keys)
    return str(error.value)


def matrix(dataset: Dataset, vocabulary: Vocabulary, width: int) -> Any:
    columns = np.array([int(name) for name in vocabulary.features], np.int64)[dataset.indices]
    return csr_matrix(
        (dataset.values, columns, dataset.indptr), shape=(dataset.num_examples, width)
    )


examples = st.lists(
    st.tuples(
        st.integers(-3, 3),
        st.dictionaries(
            st.integers(0, 30),
            st.floats(-1e30, 1e30, allow_subnormal=False).filter(bool),
            max_size=6,
        ),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@given(examples=examples)
def test_files_are_read_as_scikit_learn_reads_them(
    examples: list[tuple[int, dict[int, float]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    dense = np.zeros((len(examples), 31))
    for row, (_, features) in enumerate(examples):
        for column, value in features.items():
            dense[row, column] = value
    file = io.BytesIO()
    dump_svmlight_file(dense, [label for label, _ in examples], file, comment="a comment: #")
    path = written(tmp_path_factory.mktemp("svmlight"), file.getvalue())
    x, y = load_svmlight_file(str(path), n_features=31, zero_based=True)
    splits = loaded(path)
    vocabulary = splits.vocabulary
    found = matrix(splits.train, vocabulary, 31)
    assert (found != x.astype(np.float32)).nnz == 0
    assert [float(vocabulary.classes[t]) for t in splits.train.targets] == y.tolist()
    assert vocabulary.features == [str(j) for j in sorted(set(x.indices.tolist()))]


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
    splits = loaded(written(tmp_path_factory.mktemp("back"), text))
    assert named_rows(splits.train, splits.vocabulary) == [
        (str(label), {str(i): v for i, v in sorted(row.items())}) for label, row in examples
    ]


def test_labels_are_the_integers_text_in_every_spelling(tmp_path: Path) -> None:
    text = "3\n3.0\n+3\n3e0\n 30e-1 # so\n-1\n-1.0\n0\n-0\n9007199254740992\n"
    splits = loaded(written(tmp_path, text))
    labels = [splits.vocabulary.classes[t] for t in splits.train.targets]
    assert labels == ["3"] * 5 + ["-1"] * 2 + ["0"] * 2 + ["9007199254740992"]
    assert splits.vocabulary.classes == ["3", "-1", "0", "9007199254740992"]


def test_bare_labels_comments_and_blank_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "# made by hand\n\n1\n  \t\n2  5:1\t7:2.5#end\r\n1 5:0 \r\n\r\n3")
    splits = loaded(path)
    assert splits.train.lines.tolist() == [3, 5, 6, 8]
    assert named_rows(splits.train, splits.vocabulary) == [
        ("1", {}),
        ("2", {"5": 1.0, "7": 2.5}),
        ("1", {"5": 0.0}),
        ("3", {}),
    ]


def test_indices_out_of_order_are_sorted(tmp_path: Path) -> None:
    splits = loaded(written(tmp_path, "1 9:1 2:2 5:3\n1 10:1\n"))
    assert splits.vocabulary.features == ["2", "5", "9", "10"]
    assert splits.train.indices.tolist() == [0, 1, 2, 3]
    assert splits.train.values.tolist() == [2, 3, 1, 1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cat 1:1", "the label is no number; found 'cat'; {whole}"),
        ("nan 1:1", "the label is no number; found 'nan'; {whole}"),
        ("inf 1:1", "the label is no number; found 'inf'; {whole}"),
        ("1_0 1:1", "the label is no number; found '1_0'; {whole}"),
        ("0x1 1:1", "the label is no number; found '0x1'; {whole}"),
        ("1\x00 1:1", "the label is no number; found '1\\x00'; {whole}"),
        ("1.5 1:1", "the label is no whole number; found '1.5'; {whole}"),
        ("1e-3 1:1", "the label is no whole number; found '1e-3'; {whole}"),
        ("9007199254740993", "the label is too large; found '9007199254740993'; {whole}"),
        ("-1e30 1:1", "the label is too large; found '-1e30'; {whole}"),
        ("3,7 1:1", "several labels; found '3,7'; expected one label a line"),
        ("1:1 2:1", "no label; found '1:1'; expected label index:value ..."),
        ("qid:1 2:1", "no label; found 'qid:1'; expected label index:value ..."),
        ("1 5", "a feature without a colon; found '5'; expected index:value"),
        ("1 2:1 cat", "a feature without a colon; found 'cat'; expected index:value"),
        ("3, 7 1:1", "several labels; found '3,'; expected one label a line"),
        ("1 a:1", "the index is no whole number; found 'a:1'; expected index:value"),
        ("1 :1", "the index is no whole number; found ':1'; expected index:value"),
        ("1 1.0:1", "the index is no whole number; found '1.0:1'; expected index:value"),
        ("1 -2:1", "the index is negative; found '-2:1'; expected an index from 0"),
        (
            "1 1000000000000000000:1",
            "the index is too large; found '1000000000000000000:1'; expected an index of at most "
            "18 digits",
        ),
        ("1 2:x", "the value is no finite number; found '2:x'; expected index:value"),
        ("1 2:", "the value is no finite number; found '2:'; expected index:value"),
        ("1 2: 3", "the value is no finite number; found '2:'; expected index:value"),
        ("1 2:nan", "the value is no finite number; found '2:nan'; expected index:value"),
        ("1 2:-inf", "the value is no finite number; found '2:-inf'; expected index:value"),
        ("1 2:1:3", "the value is no finite number; found '2:1:3'; expected index:value"),
        ("1 2:1\r3:1", "the value is no finite number; found '2:1\\r3:1'; expected index:value"),
        ("1 2:1e39", "the value is too large; found '2:1e39'; expected a number up to 3.403e+38"),
        ("1 2:1e999", "the value is too large; found '2:1e999'; expected a number up to 3.403e+38"),
        ("1 3:1 2:2 3:4", "an index stands twice; found '3:4'; expected each index once in a line"),
        ("1 3:1 03:4", "an index stands twice; found '03:4'; expected each index once in a line"),
    ],
)
def test_a_bad_line_is_named_with_its_reason(line: str, expected: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"1 1:1\n\n{line}\n2 1:1\n")
    whole = "expected a whole number from -2^53 to 2^53"
    assert mistake(path) == f"{path}:3: " + expected.format(whole=whole)


def test_bytes_that_are_no_text_are_bad_tokens(tmp_path: Path) -> None:
    path = written(tmp_path, b"1 1:1 # \xff is fine here\n1 \xff:1\n")
    assert mistake(path) == (
        f"{path}:2: the index is no whole number; found '\\\\xff:1'; expected index:value"
    )


def test_a_bad_line_of_a_second_file_is_named_by_its_own_number(tmp_path: Path) -> None:
    good, bad = written(tmp_path, "1 1:1\n1 2:1", "good"), written(tmp_path, "1\n1 x\n", "bad")
    source = train_source([str(good), str(bad)], format="svmlight")
    with pytest.raises(UserError) as error:
        load(DataKeys(source), lambda note: None)
    assert str(error.value).startswith(f"{bad}:2: a feature without a colon")


def test_a_file_without_a_label_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "# nothing\n\n")
    assert mistake(path) == (
        f"{path}: no examples; found no line with a label; expected lines of label index:value ..."
    )


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
    train: str, keys: dict[str, Any], base: int, tmp_path: Path
) -> None:
    source = train_source(written(tmp_path, train), format="svmlight", **keys)
    vocabulary = load(DataKeys(source), lambda note: None).vocabulary
    assert vocabulary.fitted == {"index_base": base}
    other = written(tmp_path, "1 0:1\n", "other")
    own = held_out_source(other, format="svmlight", **keys)
    if base == 0:
        assert load(DataKeys(source, validation=own), lambda note: None).validation is not None
        assert read_held_out(source, vocabulary, lambda note: None, [str(other)]).num_examples == 1
        return
    expected = (
        f"{other}:1: the index is below the index base; found '0:1'; expected an index from 1"
    )
    for read in (
        lambda: load(DataKeys(source, validation=own), lambda note: None),
        lambda: read_held_out(source, vocabulary, lambda note: None, [str(other)]),
    ):
        with pytest.raises(UserError) as error:
            read()
        assert str(error.value) == expected


def test_index_0_where_the_base_is_set_to_1_is_a_bad_line(tmp_path: Path) -> None:
    path = written(tmp_path, "1 0:1\n")
    assert mistake(path, index_base=1).startswith(f"{path}:1: the index is below the index base")


def test_query_ids_are_ignored_and_said_once(tmp_path: Path) -> None:
    path = written(tmp_path, "1 1:1\n1 qid:3 2:1\n2 qid:4 3:1\n")
    notes: list[str] = []
    splits = load(DataKeys(train_source(path, format="svmlight")), notes.append)
    assert notes == [f"{path}: qid is ignored, as in {path}:2"]
    assert splits.vocabulary.features == ["1", "2", "3"]


def test_contexts_need_no_label_and_every_line_is_one(tmp_path: Path) -> None:
    source = train_source(written(tmp_path, "1 2:1 5:1\n"), format="svmlight")
    vocabulary = load(DataKeys(source), lambda note: None).vocabulary
    lines = [b"2:3\n", b"7 5:4 2:1\r\n", b"", b"# 2:1", b"cat 9:1", b"3,4 5:1", b"nan"]
    contexts = read_contexts(source, vocabulary, lines, "in")
    assert named_rows(contexts, vocabulary) == [
        (None, {"2": 3.0}),
        (None, {"2": 1.0, "5": 4.0}),
        (None, {}),
        (None, {}),
        (None, {}),
        (None, {"5": 1.0}),
        (None, {}),
    ]
    assert contexts.lines.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert (contexts.num_unknown_labels, contexts.num_unknown_features) == (0, 1)
    with pytest.raises(UserError, match=r"^in:12: the value is no finite number; found '2:x'"):
        read_contexts(source, vocabulary, [b"1", b"1 2:x"], "in", 11)
