"""What a data file holds, in numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sstrain.data import TrainSource
from sstrain.data.encoding import encode, every_line, fit_vocabulary
from sstrain.data.loading import read_source
from sstrain.errors import UserError

__all__ = ["as_text", "describe"]

_GIB = 2**30
_TOPS = (1, 10, 100)


def describe(source: TrainSource, report: Callable[[str], None]) -> dict[str, Any]:
    """Read a source as if all of it were training data, and count.

    Parameters
    ----------
    source : TrainSource
    report : callable
        Takes notes for a person to read.

    Returns
    -------
    dict
        JSON values: ``num_examples``, ``num_classes``, ``num_features``, ``num_nonzeros``,
        ``nonzeros_per_example``, ``num_empty`` (examples without a feature), ``num_skipped``
        (positions of a sequence whose token is no class), ``top_1_share``, ``top_10_share`` and
        ``top_100_share`` (of the examples, by the most frequent classes),
        ``num_classes_seen_once``, ``dense_gib`` (of D x V float32 weights) and
        ``dense_adagrad_gib`` (with AdaGrad's accumulators).

    Raises
    ------
    UserError
        For a file that cannot be read, or a line that does not parse.
    """
    raw = read_source(source, {}, report)
    vocabulary = fit_vocabulary(raw, every_line, source)
    if vocabulary.num_classes == 0:
        raise UserError(
            f"{source.path[0]}: no class; no label stands {source.smallest_class} times; "
            "lower min_count"
        )
    dataset = encode(raw, every_line, vocabulary, source.predicts_tokens)
    num_examples, num_nonzeros = dataset.num_examples, len(dataset.indices)
    dense = 4 * vocabulary.num_features * vocabulary.num_classes / _GIB
    shares = {
        f"top_{top}_share": int(vocabulary.class_counts[:top].sum()) / num_examples for top in _TOPS
    }
    return {
        "num_examples": num_examples,
        "num_classes": vocabulary.num_classes,
        "num_features": vocabulary.num_features,
        "num_nonzeros": num_nonzeros,
        "nonzeros_per_example": num_nonzeros / num_examples,
        "num_empty": dataset.num_empty,
        "num_skipped": dataset.num_skipped,
        **shares,
        "num_classes_seen_once": int(np.count_nonzero(vocabulary.class_counts == 1)),
        "dense_gib": dense,
        "dense_adagrad_gib": 2 * dense,
    }


def as_text(figures: dict[str, Any]) -> str:
    """Return the figures as lines for a person."""
    rows = [
        ("examples", f"{figures['num_examples']:,}"),
        ("classes", f"{figures['num_classes']:,}"),
        ("features", f"{figures['num_features']:,}"),
        ("non-zeros", f"{figures['num_nonzeros']:,}"),
        ("non-zeros an example", f"{figures['nonzeros_per_example']:.2f}"),
        ("examples without features", f"{figures['num_empty']:,}"),
        ("skipped positions", f"{figures['num_skipped']:,}"),
        *((f"share of the top {top:>3}", f"{figures[f'top_{top}_share']:.1%}") for top in _TOPS),
        ("classes seen once", f"{figures['num_classes_seen_once']:,}"),
        ("dense weights", f"{figures['dense_gib']:.2f} GiB"),
        ("  with AdaGrad", f"{figures['dense_adagrad_gib']:.2f} GiB"),
    ]
    return "\n".join(f"{name:26}{value:>14}" for name, value in rows)
