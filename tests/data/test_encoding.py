"""Rows under a vocabulary's ids: sorted, and rid of what it does not have."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain import kernels
from sstrain.data.base import Fitting
from sstrain.data.dataset import concatenated
from sstrain.data.encoding import encoded
from sstrain.data.fitting import fit_vocabulary
from sstrain.data.raw import RawData, every_row
from sstrain.data.reader import Rows

Row = dict[int, float]

rows_of_chunks = st.lists(
    st.lists(
        st.dictionaries(st.integers(0, 40), st.integers(-9, 9).map(float), max_size=20),
        max_size=6,
    ),
    max_size=4,
).filter(lambda chunks: any(chunks))


def raw_data(chunks: list[list[Row]], names: list[str]) -> RawData:
    """Return rows that all have the label x, one a line."""
    first_line = 1
    parts = []
    for rows in chunks:
        features = [feature for row in rows for feature in row]
        parts.append(
            Rows(
                indptr=np.cumsum([0, *map(len, rows)]),
                features=np.array(features, np.int32),
                values=np.array([value for row in rows for value in row.values()], np.float32),
                labels=np.zeros(len(rows), np.int32),
                lines=np.arange(first_line, first_line + len(rows)),
            )
        )
        first_line += len(rows)
    return RawData(parts, ["x"], names, first_line - 1, (("file", 0),), {})


@settings(max_examples=100, deadline=None)
@given(chunks=rows_of_chunks, least=st.integers(1, 4), order=st.permutations(range(41)))
def test_rows_come_back_under_the_vocabularys_ids(
    chunks: list[list[Row]], least: int, order: list[int]
) -> None:
    names = [f"f{number:02}" for number in order]
    raw = raw_data(chunks, names)
    vocabulary = fit_vocabulary(raw, every_row, Fitting(min_feature_count=least))
    rows = [row for chunk in chunks for row in chunk]
    counts = {name: sum(f in row for row in rows) for f, name in enumerate(names)}
    kept = sorted((n for n in names if counts[n] >= least), key=lambda n: (-counts[n], n))
    assert vocabulary.features == kept
    dataset = concatenated(encoded(raw, every_row, vocabulary, skip_unknown=False))
    for i, row in enumerate(rows):
        part = slice(dataset.indptr[i], dataset.indptr[i + 1])
        expected = {kept.index(names[f]): v for f, v in row.items() if names[f] in kept}
        assert dataset.indices[part].tolist() == sorted(expected)
        assert dict(zip(dataset.indices[part], dataset.values[part], strict=True)) == expected
    assert dataset.num_unknown_features == sum(map(len, rows)) - len(dataset.indices)


def test_long_rows_are_sorted() -> None:
    rng = np.random.default_rng(0)
    orders = [rng.permutation(3000), np.arange(3000)[::-1], np.roll(np.arange(3000), 1)]
    lengths = [0, *(len(order) for order in orders)]
    indptr = np.cumsum(lengths)
    features = np.concatenate(orders).astype(np.int32)
    raw = (indptr, features, features.astype(np.float32) + 0.5)
    ids = np.arange(3000, dtype=np.int32) - 1  # feature 0 is left out
    out = np.zeros(len(orders) + 1, np.int64)
    indices, values = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    num_unknown = kernels.encode_rows(raw, np.arange(len(orders)), ids, out, indices, values)
    assert num_unknown == len(orders)
    for start, end in pairwise(out.tolist()):
        assert np.array_equal(indices[start:end], np.arange(2999))
        assert np.array_equal(values[start:end], np.arange(2999) + 1.5)
