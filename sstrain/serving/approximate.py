"""``sstrain predict --approximate``: the best classes of each input line by a run's index."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sstrain.data.batches import BatchReader
from sstrain.evaluation.prediction import input_rows
from sstrain.serving.index import factored, load_index
from sstrain.training.saved import load_model

__all__ = ["approximate_lines"]

#: Lines that are read at a time.
_LINES = 256


def approximate_lines(
    path: Path,
    checkpoint: str | int | None,
    lines: Iterable[bytes],
    name: str,
    top_k: int,
    report: Callable[[str], None],
) -> Iterator[str]:
    """Yield one JSON object for each input line: ``labels``, and ``scores`` as the model has them.

    There are no probabilities, since the log-partition needs the scores of all classes.

    Parameters
    ----------
    path, checkpoint, lines, name, top_k, report
        As in `sstrain.evaluation.prediction.predict_lines`.

    Raises
    ------
    UserError
        If the run has no index of this model, or a line does not parse.
    """
    saved = load_model(path, checkpoint, report)
    index, model = load_index(path, saved), factored(path, saved)
    classes = saved.vocabulary.classes
    num_unknown = 0
    for dataset in input_rows(saved, lines, name, _LINES):
        num_unknown += dataset.num_unknown_features
        for batch in BatchReader(dataset, saved.vocabulary.num_features).in_order(_LINES):
            found, scores = index.search(model.pooled(batch), min(top_k, len(classes)))
            for ids, row in zip(found, scores, strict=True):
                labels = [classes[j] for j in ids]
                yield json.dumps({"labels": labels, "scores": row.tolist()}, ensure_ascii=False)
    if num_unknown:
        report(f"{name}: {num_unknown:,} features ignored that the model does not have")
