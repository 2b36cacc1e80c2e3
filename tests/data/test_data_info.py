"""What ``sstrain data info`` counts, and how it tells it."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources import train_source, written

from sstrain.data import slices
from sstrain.data.dataset import Dataset
from sstrain.data.info import as_text, count_duplicates, describe, figures_of
from sstrain.data.info_picture import curve, draw_frequencies
from sstrain.data.vocabulary import Vocabulary
from sstrain.errors import FailureError, UserError
from sstrain.models import MODELS
from sstrain.optim import OPTIMIZERS
from sstrain.training.model_memory import with_memory

TEXT = "1 1:1 2:1\n1 1:1\n2 2:1\n3\n2 2:1\n"

#: A row: its labels, each once, and its features.
Row = tuple[list[int], dict[int, float]]

labels = st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True)
features = st.dictionaries(st.integers(0, 3), st.sampled_from([0.0, -0.0, 1.0, 0.5]), max_size=4)
some_rows = st.lists(st.tuples(labels, features), min_size=1, max_size=30)


def dataset_of(rows: list[Row], several: bool = True) -> Dataset:
    entries = [sorted(row[1].items()) for row in rows]
    counts = [len(row[0]) for row in rows]
    return Dataset(
        indptr=np.cumsum([0, *map(len, entries)]),
        indices=np.array([index for row in entries for index, _ in row], np.int32),
        values=np.array([value for row in entries for _, value in row], np.float32),
        lines=np.arange(1, len(rows) + 1),
        targets=np.array([label for row in rows for label in row[0]], np.int32),
        weights=np.repeat(1 / np.array(counts), counts).astype(np.float32),
        rows=np.repeat(np.arange(len(rows)), counts) if several else None,
        num_empty=sum(not row[1] for row in rows),
    )


def vocabulary_of(rows: list[Row]) -> Vocabulary:
    classes = Counter(label for row in rows for label in row[0]).most_common()
    held = Counter(index for row in rows for index in row[1])
    return Vocabulary(
        [str(label) for label, _ in classes],
        np.array([count for _, count in classes]),
        [str(index) for index in held],
        np.array(list(held.values()), np.int64),
    )


def canonical(row: Row) -> tuple[frozenset[int], frozenset[tuple[int, float]]]:
    return frozenset(row[0]), frozenset(row[1].items())


@given(some_rows)
def test_figures_of_any_rows(rows: list[Row]) -> None:
    vocabulary = vocabulary_of(rows)
    figures = figures_of(dataset_of(rows), vocabulary)
    sizes = [len(row[1]) for row in rows]
    counts = sorted(Counter(label for row in rows for label in row[0]).values(), reverse=True)
    total = sum(counts)
    expected: dict[str, Any] = {
        "num_rows": len(rows),
        "num_examples": total,
        "num_classes": len(counts),
        "num_features": vocabulary.num_features,
        "num_nonzeros": sum(sizes),
        "nonzeros_per_row": sum(sizes) / len(rows),
        "largest_row": max(sizes),
        "most_labels": max(len(row[0]) for row in rows),
        "num_empty": sizes.count(0),
        "num_duplicates": len(rows) - len(set(map(canonical, rows))),
        "num_unlabelled": 0,
        "num_skipped": 0,
        "num_classes_seen_once": counts.count(1),
    }
    for top in (1, 10, 100, 1000):
        expected[f"top_{top}_share"] = sum(counts[:top]) / total
    for percent in (50, 90, 99):
        expected[f"num_classes_for_{percent}_percent"] = next(
            k for k in range(1, len(counts) + 1) if 100 * sum(counts[:k]) >= percent * total
        )
    assert figures == expected


@given(some_rows)
def test_rows_of_one_label_need_no_row_numbers(rows: list[Row]) -> None:
    single = [(row[0][:1], row[1]) for row in rows]
    for several in (False, True):
        distinct = len(set(map(canonical, single)))
        assert count_duplicates(dataset_of(single, several)) == len(rows) - distinct


def test_many_different_rows_are_no_duplicates() -> None:
    """Of 200,000 rows that differ in one number each, none is taken for another."""
    count = 200_000
    one_to_count = np.arange(count)
    dataset = Dataset(
        indptr=np.arange(count + 1),
        indices=(one_to_count // 100).astype(np.int32),
        values=(one_to_count % 10).astype(np.float32),
        lines=one_to_count + 1,
        targets=(one_to_count // 10 % 10).astype(np.int32),
        weights=np.ones(count, np.float32),
    )
    assert count_duplicates(dataset) == 0


@given(some_rows, st.integers(1, 5), st.integers(1, 6))
def test_slices_are_bounded_and_make_up_the_whole(
    rows: list[Row], most_rows: int, most_entries: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "_ROWS", most_rows)
        patch.setattr(slices, "_ENTRIES", most_entries)
        parts = list(slices.row_slices(dataset_of(rows)))
    found: list[Row] = []
    for part in parts:
        assert part.num_rows <= most_rows
        assert part.num_rows == 1 or len(part.indices) <= most_entries
        for i in range(part.num_rows):
            entries = slice(part.indptr[i], part.indptr[i + 1])
            own = slice(part.label_indptr[i], part.label_indptr[i + 1])
            pairs = zip(part.indices[entries].tolist(), part.values[entries].tolist(), strict=True)
            found.append((part.labels[own].tolist(), dict(pairs)))
            assert part.weights[own].tolist() == [np.float32(1 / len(found[-1][0]))] * len(
                found[-1][0]
            )
    assert found == rows


def test_a_file_is_counted(tmp_path: Path) -> None:
    described = describe(train_source(written(tmp_path, TEXT), format="svmlight"), print)
    assert described.figures == {
        "num_rows": 5,
        "num_examples": 5,
        "num_classes": 3,
        "num_features": 2,
        "num_nonzeros": 5,
        "nonzeros_per_row": 1.0,
        "largest_row": 2,
        "most_labels": 1,
        "num_empty": 1,
        "num_duplicates": 1,
        "num_unlabelled": 0,
        "num_skipped": 0,
        "top_1_share": 0.4,
        "top_10_share": 1.0,
        "top_100_share": 1.0,
        "top_1000_share": 1.0,
        "num_classes_for_50_percent": 2,
        "num_classes_for_90_percent": 3,
        "num_classes_for_99_percent": 3,
        "num_classes_seen_once": 1,
    }
    assert described.class_counts.tolist() == [2, 2, 1]
    assert described.feature_counts.tolist() == [2, 3]


def test_skipped_positions_are_no_examples(tmp_path: Path) -> None:
    path = written(tmp_path, "a a b\n")
    figures = describe(train_source(path, format="sequence", min_count=2), print).figures
    assert (figures["num_examples"], figures["num_skipped"]) == (2, 1)
    assert "skipped positions" in as_text(figures)
    with pytest.raises(UserError, match="no class; no label stands 3 times; lower min_count"):
        describe(train_source(path, format="sequence", min_count=3), print)


def test_lines_for_people() -> None:
    rows: list[Row] = [([0, 1], {0: 1.0}), ([0], {}), ([0], {1: 1.0})]
    figures = figures_of(dataset_of(rows), vocabulary_of(rows))
    lines = [line.rsplit(maxsplit=1) for line in as_text(figures).splitlines()]
    assert [value for name, value in lines if name.startswith("labels a row")] == ["1.33", "2"]
    assert not [name for name, _ in lines if "left out" in name or "skipped" in name]
    assert ["share of the top     1", "75.0%"] in lines


def test_every_model_has_its_memory() -> None:
    rows: list[Row] = [([0], {0: 1.0}), ([1], {1: 1.0})]
    figures = with_memory(figures_of(dataset_of(rows), vocabulary_of(rows)))
    memory = figures["memory_bytes"]
    # A sparse model needs another run; what decides a model's size is told with it.
    assert {name.partition("(")[0] for name in memory} == MODELS.keys() - {"sparse"}
    assert memory["dense"] == {"sgd": 24, "adagrad": 48, "rowwise_adagrad": 36, "adam": 84}
    assert all(optimizers.keys() == OPTIMIZERS.keys() for optimizers in memory.values())
    assert "dense model by rowwise_adagrad" in as_text(figures)


@given(st.lists(st.integers(0, 100), max_size=3000))
def test_a_curve_falls_from_the_first_rank_to_the_last(counts: list[int]) -> None:
    ranks, frequencies = curve(np.array(counts, np.int64))
    falling = sorted((count for count in counts if count), reverse=True)
    assert frequencies.tolist() == [falling[rank - 1] for rank in ranks]
    assert np.all(np.diff(ranks) > 0)
    assert len(ranks) <= 1000
    if falling:
        assert (ranks[0], ranks[-1]) == (1, len(falling))


@pytest.mark.parametrize("num_features", [0, 1, 5000])
def test_the_picture(num_features: int, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    counts = np.arange(num_features) + 1
    draw_frequencies(np.array([7, 3, 1]), counts, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [child.name for child in tmp_path.iterdir()] == ["picture.png"]


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "none" / "picture.png"
    with pytest.raises(FailureError, match="cannot be written: No such file or directory"):
        draw_frequencies(np.array([1]), np.array([1]), path)
