"""What a data file holds, in numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.data import TrainSource
from sstrain.data.dataset import Dataset
from sstrain.data.raw import Report
from sstrain.data.slices import RowSlice, row_slices
from sstrain.data.splitting import mixed
from sstrain.data.vocabulary import Vocabulary
from sstrain.data.whole import whole_source

__all__ = ["Description", "as_text", "count_duplicates", "describe", "figures_of"]

_MIB = 2**20
_TOPS = (1, 10, 100, 1000)
_PERCENTS = (50, 90, 99)


@dataclass(frozen=True)
class Description:
    """What a source holds, if all of it is training data.

    Attributes
    ----------
    figures : dict
        JSON values, see `figures_of`.
    class_counts : int64 array of shape [V]
        The examples of each class.
    feature_counts : int64 array of shape [D]
        The examples that hold each feature.
    """

    figures: dict[str, Any]
    class_counts: NDArray[np.int64]
    feature_counts: NDArray[np.int64]


def describe(source: TrainSource, report: Report) -> Description:
    """Read a source as if all of it were training data, and count.

    Parameters
    ----------
    source : TrainSource
    report : callable
        Takes notes for a person to read.

    Raises
    ------
    UserError
        For a file that cannot be read, a line that does not parse, or no class at all.
    """
    with whole_source(source, report) as (dataset, vocabulary):
        figures = figures_of(dataset, vocabulary)
    return Description(figures, vocabulary.class_counts, vocabulary.feature_counts)


def figures_of(dataset: Dataset, vocabulary: Vocabulary) -> dict[str, Any]:
    """Count what a dataset holds.

    Parameters
    ----------
    dataset : Dataset
        Read in slices: it may lie on the disk.
    vocabulary : Vocabulary
        Fitted to it.

    Returns
    -------
    dict
        JSON values: ``num_rows``, ``num_examples`` (a row with m labels makes m of them),
        ``num_classes``, ``num_features``, ``num_nonzeros``, ``nonzeros_per_row``, ``largest_row``
        (the most features that one has), ``most_labels`` (that one row has), ``num_empty`` (rows
        without a feature), ``num_duplicates`` (see `count_duplicates`), ``num_unlabelled`` (rows
        without a label, which are left out), ``num_skipped`` (positions of a sequence whose token
        is no class), ``top_1_share`` and so on (of the examples, by the most frequent 1, 10, 100
        and 1,000 classes), ``num_classes_for_50_percent`` and so on (the fewest classes that have
        50, 90 and 99% of the examples) and ``num_classes_seen_once``.
    """
    num_nonzeros = len(dataset.indices)
    return {
        "num_rows": dataset.num_rows,
        "num_examples": dataset.num_examples,
        "num_classes": vocabulary.num_classes,
        "num_features": vocabulary.num_features,
        "num_nonzeros": num_nonzeros,
        "nonzeros_per_row": num_nonzeros / dataset.num_rows,
        **_largest(dataset),
        "num_empty": dataset.num_empty,
        "num_duplicates": count_duplicates(dataset),
        "num_unlabelled": dataset.num_unlabelled,
        "num_skipped": dataset.num_skipped,
        **_frequency_curve(vocabulary.class_counts),
        "num_classes_seen_once": int(np.count_nonzero(vocabulary.class_counts == 1)),
    }


def _largest(dataset: Dataset) -> dict[str, int]:
    features, labels = 0, 0
    for rows in row_slices(dataset):
        features = max(features, int(np.diff(rows.indptr).max()))
        labels = max(labels, int(np.diff(rows.label_indptr).max()))
    return {"largest_row": features, "most_labels": labels}


def _frequency_curve(class_counts: NDArray[np.int64]) -> dict[str, Any]:
    """Return how much the most frequent classes cover; the counts are in falling order."""
    covered = np.cumsum(class_counts)
    total = int(covered[-1])
    shares = {f"top_{top}_share": int(covered[:top][-1]) / total for top in _TOPS}
    # In whole numbers: how many classes are needed is no matter of rounding.
    needed = {
        f"num_classes_for_{percent}_percent": int(
            np.searchsorted(covered, -(-total * percent // 100)) + 1
        )
        for percent in _PERCENTS
    }
    return {**shares, **needed}


def count_duplicates(dataset: Dataset) -> int:
    """Return how many rows have the labels, features and values of an earlier one.

    Rows are compared by hashes of 64 bits, and 8 bytes a row are held for them: among R different
    rows the chance that any two are taken for equal is about R^2 / 2^65.
    """
    hashes = np.empty(dataset.num_rows, np.uint64)
    done = 0
    for rows in row_slices(dataset):
        hashes[done : done + rows.num_rows] = _hashed(rows)
        done += rows.num_rows
    hashes.sort()
    return int(np.count_nonzero(hashes[1:] == hashes[:-1]))


def _hashed(rows: RowSlice) -> NDArray[np.uint64]:
    """Return 64 bits for each row, in which neither labels nor features have an order."""
    values = rows.values + np.float32(0)  # -0 becomes 0
    entries = (rows.indices.astype(np.uint64) << np.uint64(32)) | values.view(np.uint32)
    # Complements, since 0 stays 0 when it is mixed and would count for nothing in a sum.
    features = _sums(mixed(~entries), rows.indptr)
    labels = _sums(mixed(~rows.labels.astype(np.uint64)), rows.label_indptr)
    return mixed(features ^ mixed(labels))


def _sums(parts: NDArray[np.uint64], indptr: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the sum of each row's parts modulo 2^64."""
    sums = np.zeros(len(parts) + 1, np.uint64)
    np.cumsum(parts, out=sums[1:])
    return np.diff(sums[indptr])


def as_text(figures: dict[str, Any]) -> str:
    """Return the figures as lines for a person.

    Parameters
    ----------
    figures : dict
        From `figures_of`; with ``memory_bytes``, by model and then by optimizer, there is a line
        for each of them.
    """
    rows = [
        ("rows", f"{figures['num_rows']:,}"),
        ("examples", f"{figures['num_examples']:,}"),
        ("classes", f"{figures['num_classes']:,}"),
        ("features", f"{figures['num_features']:,}"),
        ("non-zeros", f"{figures['num_nonzeros']:,}"),
        ("  a row, mean", f"{figures['nonzeros_per_row']:.2f}"),
        ("  a row, at most", f"{figures['largest_row']:,}"),
        ("rows without features", f"{figures['num_empty']:,}"),
        ("rows seen before", f"{figures['num_duplicates']:,}"),
        *_rows_of_some_formats(figures),
        *((f"share of the top {top:>5,}", f"{figures[f'top_{top}_share']:.1%}") for top in _TOPS),
        *(
            (f"classes that have {percent}%", f"{figures[f'num_classes_for_{percent}_percent']:,}")
            for percent in _PERCENTS
        ),
        ("classes seen once", f"{figures['num_classes_seen_once']:,}"),
        *_memory_rows(figures.get("memory_bytes", {})),
    ]
    width = max(34, *(len(name) + 1 for name, _ in rows))
    return "\n".join(f"{name:{width}}{value:>14}" for name, value in rows)


def _rows_of_some_formats(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if figures["most_labels"] > 1:
        yield "labels a row, mean", f"{figures['num_examples'] / figures['num_rows']:.2f}"
        yield "labels a row, at most", f"{figures['most_labels']:,}"
    if figures["num_unlabelled"]:
        yield "rows without labels, left out", f"{figures['num_unlabelled']:,}"
    if figures["num_skipped"]:
        yield "skipped positions", f"{figures['num_skipped']:,}"


def _memory_rows(memory: dict[str, dict[str, int]]) -> Iterator[tuple[str, str]]:
    for model, optimizers in memory.items():
        for optimizer, size in optimizers.items():
            yield f"{model} model by {optimizer}", f"{size / _MIB:,.1f} MiB"
