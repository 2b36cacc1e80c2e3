"""What all readers have in common: sums of repeated features, and bad lines in order."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from read_rows import chunks_of, names_of, rows_of, source_of
from sources import written

from sstrain.data.bad_lines import BadLines
from sstrain.data.base import Source
from sstrain.data.formats.npz import Npz
from sstrain.data.formats.svmlight import Svmlight
from sstrain.data.formats.table import Table
from sstrain.data.reader import each_once, summed_repeats
from sstrain.errors import UserError

Row = list[tuple[int, float]]


@settings(deadline=None)
@given(
    rows=st.lists(
        st.lists(st.tuples(st.integers(0, 4), st.integers(-9, 9)), max_size=8), max_size=6
    )
)
def test_each_feature_stands_once_with_its_sum(rows: list[Row]) -> None:
    entries = [entry for row in rows for entry in row]
    indptr, features, values = summed_repeats(
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        np.array([feature for feature, _ in entries], np.int32),
        np.array([value for _, value in entries], np.float32),
        "f",
    )
    for row, expected in enumerate(rows):
        part = slice(indptr[row], indptr[row + 1])
        sums = {
            feature: sum(value for other, value in expected if other == feature)
            for feature in sorted({feature for feature, _ in expected})
        }
        found = zip(features[part].tolist(), values[part].tolist(), strict=True)
        assert list(found) == list(sums.items())


@given(st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=6))
def test_each_label_stands_once_where_it_stood_first(rows: list[list[int]]) -> None:
    labels = np.array([label for row in rows for label in row], np.int32)
    labels, indptr = each_once(labels, np.cumsum([0, *map(len, rows)], dtype=np.int64))
    found = [labels[a:b].tolist() for a, b in pairwise(indptr.tolist())]
    assert found == [list(dict.fromkeys(row)) for row in rows]


def huge_sources(folder: Path) -> list[Source]:
    """Return sources whose features, in one bucket, add up to more than float32 holds."""
    from scipy import sparse

    sparse.save_npz(folder / "x.npz", sparse.csr_array(np.full((1, 4), 3e38)))
    np.save(folder / "y.npy", np.array([1]))
    columns = {"target": "y", "numeric_scale": "none"}
    return [
        source_of(Svmlight, written(folder, "1 1:3e38 2:3e38 3:3e38 4:3e38\n")),
        source_of(Npz, folder / "x.npz", targets_path=str(folder / "y.npy")),
        source_of(Table, written(folder, "y,a,b,c,d\nx,3e38,3e38,3e38,3e38\n", "csv"), **columns),
    ]


def test_a_sum_beyond_all_numbers_is_refused(tmp_path: Path) -> None:
    for source in huge_sources(tmp_path):
        assert len(rows_of(source)) == 1
        with pytest.raises(UserError) as error:
            rows_of(source, fitted={"hash_bits": 1})
        assert str(error.value) == (
            f"{source.path[0]}: the values of a feature that stands repeatedly in an example add "
            "up to more than 3.403e+38; expected sums below it; scale the values"
        )


@settings(max_examples=200, deadline=None)
@given(bad=st.lists(st.booleans(), min_size=1, max_size=40))
def test_bad_lines_are_told_in_the_files_order(
    bad: list[bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = "".join("1 1:x\n" if is_bad else f"{line} 1:1\n" for line, is_bad in enumerate(bad))
    path = written(tmp_path_factory.mktemp("lines"), text)
    bad_lines = BadLines(skip=True, shown=100)
    reader, chunks = chunks_of(source_of(Svmlight, path), bad_lines=bad_lines)
    places = [message.split(":")[1] for message in bad_lines.messages]
    assert places == [str(line) for line, is_bad in enumerate(bad, start=1) if is_bad]
    labels = [names for names, _ in names_of(reader, chunks)]
    assert labels == [[str(line)] for line, is_bad in enumerate(bad) if not is_bad]


def test_the_first_of_two_kinds_of_mistakes_is_told(tmp_path: Path) -> None:
    """A value beyond float32 shows only after the line is parsed."""
    path = written(tmp_path, "1 1:1\n2 1:3.4028236e38\n3 x\n")
    with pytest.raises(UserError) as error:
        rows_of(source_of(Svmlight, path))
    assert str(error.value).startswith(f"{path}:2:")
