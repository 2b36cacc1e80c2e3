"""``sstrain predict``: the most probable classes of each input line."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from sstrain import kernels
from sstrain.data.batches import BatchReader
from sstrain.data.contexts import read_contexts, read_file_contexts, reads_lines
from sstrain.data.dataset import Dataset
from sstrain.disk import disk_reason, replacing
from sstrain.errors import UserError
from sstrain.evaluation.exact import scoring_batch_size
from sstrain.training.saved import SavedModel, load_model

__all__ = ["input_rows", "predict_lines", "predictions", "write_lines"]


def predict_lines(
    path: Path,
    checkpoint: str | int | None,
    lines: Iterable[bytes],
    name: str,
    top_k: int,
    report: Callable[[str], None],
) -> Iterator[str]:
    """Yield one JSON object for each input line.

    Parameters
    ----------
    path : Path
        The run's folder.
    checkpoint : "best", "last", int or None
        As in `load_model`.
    lines : iterable of bytes
        As a file gives them.
    name : str
        The file's name, for messages; a file of a format without lines is read by it.
    top_k : int
        How many classes to name; all of them if there are fewer.
    report : callable
        Takes lines for a person to read.

    Raises
    ------
    UserError
        If a line does not parse.
    """
    saved = load_model(path, checkpoint, report)
    for labels, probabilities in predictions(saved, lines, name, top_k, report):
        yield json.dumps({"labels": labels, "probabilities": probabilities}, ensure_ascii=False)


def predictions(
    saved: SavedModel,
    lines: Iterable[bytes],
    name: str,
    top_k: int,
    report: Callable[[str], None],
) -> Iterator[tuple[list[str], list[float]]]:
    """Yield the labels and probabilities of each line's best classes, best first.

    In the end ``report`` is told how many features the model does not have, if there were any.
    """
    classes = saved.vocabulary.classes
    k = min(top_k, len(classes))
    size = scoring_batch_size(len(classes))
    num_unknown = 0
    for dataset in input_rows(saved, lines, name, size):
        num_unknown += dataset.num_unknown_features
        for batch in BatchReader(dataset, saved.vocabulary.num_features).in_order(size):
            best = np.empty((batch.size, k), np.int32)
            log_probabilities = np.empty((batch.size, k))
            kernels.top_rows(saved.scorer.score_all(batch), best, log_probabilities)
            for ids, row in zip(best, np.exp(log_probabilities), strict=True):
                yield [classes[j] for j in ids], row.tolist()
    if num_unknown:
        report(f"{name}: {num_unknown:,} features ignored that the model does not have")


def input_rows(
    saved: SavedModel, lines: Iterable[bytes], name: str, size: int
) -> Iterator[Dataset]:
    """Yield the rows of some lines at a time, or of a file that has no lines of text."""
    source, vocabulary = saved.config.data.train, saved.vocabulary
    if not reads_lines(source, vocabulary):
        yield from read_file_contexts(source, vocabulary, name)
        return
    remaining, first_line = iter(lines), 1
    while chunk := list(islice(remaining, size)):
        yield read_contexts(source, vocabulary, chunk, name, first_line)
        first_line += len(chunk)


def write_lines(lines: Iterable[str], output: Path | None) -> None:
    """Write lines to a file, which is put in place when it is whole, or to stdout."""
    if output is None:
        for line in lines:
            sys.stdout.write(f"{line}\n")
        return
    try:
        with replacing(output) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {disk_reason(error)}") from None
