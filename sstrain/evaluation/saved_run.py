"""``sstrain eval``: a run's model on held-out data, over all classes."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstrain.data.cache import scratch
from sstrain.data.files import DataFile
from sstrain.data.loading import load_split, read_held_out
from sstrain.data.storage import Storage
from sstrain.errors import UserError
from sstrain.evaluation.exact import evaluate
from sstrain.evaluation.multilabel import ROW_FIGURES
from sstrain.progress import bar
from sstrain.training.output_folder import data_hashes
from sstrain.training.saved import SavedModel, load_model

if TYPE_CHECKING:
    from sstrain.data.dataset import Dataset

__all__ = ["as_table", "evaluate_run"]


def evaluate_run(
    path: Path,
    data: Path | None,
    checkpoint: str | int | None,
    report: Callable[[str], None],
    use_cache: bool = True,
) -> dict[str, Any]:
    """Score a run's model and return the figures, ``split`` first.

    Parameters
    ----------
    path : Path
        The run's folder.
    data : Path or None
        A file to score, read as the training data was; None for the run's test split, or its
        validation split if it has no test split.
    checkpoint : "best", "last", int or None
        As in `load_model`.
    report : callable
        Takes lines for a person to read.
    use_cache : bool
        Whether what is read is kept in files for the time being, and not in memory.

    Raises
    ------
    UserError
        If there is nothing to score.
    """
    saved = load_model(path, checkpoint, report)
    with scratch(use_cache) as storage:
        split, dataset = _held_out(saved, path, data, report, storage)
    with bar(dataset.num_examples, "evaluating", "ex") as advance:
        scored = evaluate(
            saved.model,
            dataset,
            saved.vocabulary,
            saved.config.evaluation.top_k,
            advance,
            saved.config.evaluation.propensity,
        )
    return {"split": split, "checkpoint": saved.step, **scored}


def _held_out(
    saved: SavedModel,
    path: Path,
    data: Path | None,
    report: Callable[[str], None],
    storage: Storage,
) -> "tuple[str, Dataset]":
    config, vocabulary = saved.config, saved.vocabulary
    if data is not None:
        source = config.data.train
        return "data", read_held_out(source, vocabulary, report, storage, [str(data)])
    for split in ("test", "validation"):
        files: list[DataFile] = []
        dataset = load_split(config.data, vocabulary, split, report, storage, files.append)
        if dataset is not None:
            if isinstance(getattr(config.data, split), float):
                _check_unchanged(saved, split, files)
            return split, dataset
    raise UserError(
        f"{path}: the run has neither a test nor a validation split; give a file with --data"
    )


def _check_unchanged(saved: SavedModel, split: str, files: list[DataFile]) -> None:
    """Refuse a split of files that are not what the run was trained on: it may hold seen lines."""
    then = data_hashes(saved.environment)
    changed = [file.path for file in files if then.get(file.path) != file.sha256]
    if changed:
        raise UserError(
            *(
                f"{path}: has changed since the run was trained, so its {split} split may hold "
                "lines that the model was trained on; restore it, or give a file with --data"
                for path in changed
            )
        )


def as_table(figures: dict[str, Any]) -> str:
    """Return figures as tables for a person: all examples and each band of classes, then rows."""
    columns = {"all": figures, **figures["bands"]}
    names = [name for name in figures["bands"]["head"] if name != "num_examples"]
    lines = [
        f"{figures['split']} split, checkpoint {figures['checkpoint']}: "
        f"{figures['num_examples']:,} examples",
        _counts(figures),
        "",
        f"{'':12}" + "".join(f"{name:>12}" for name in columns),
        f"{'examples':12}" + "".join(f"{part['num_examples']:>12,}" for part in columns.values()),
    ]
    for name in names:
        cells = "".join(f"{_cell(name, part[name]):>12}" for part in columns.values())
        lines.append(f"{name:12}{cells}")
    if "num_rows" in figures:
        lines += ["", *_row_table(figures)]
    return "\n".join(lines)


def _row_table(figures: dict[str, Any]) -> list[str]:
    """Return the figures of rows of several labels, a column for each k."""
    ks = [name.removeprefix("psp_") for name in figures if name.startswith("psp_")]
    lines = [
        f"{figures['num_rows']:,} rows, by the k most probable classes of each",
        "",
        f"{'k':12}" + "".join(f"{k:>12}" for k in ks),
    ]
    for name in ROW_FIGURES:
        cells = "".join(f"{_cell(name, figures[f'{name}_{k}']):>12}" for k in ks)
        lines.append(f"{name:12}{cells}")
    return lines


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if name == "perplexity" else f"{value:.4f}"


def _counts(figures: dict[str, Any]) -> str:
    return (
        f"{figures['num_unknown_labels']:,} labels and {figures['num_unknown_features']:,} "
        f"features that training never saw, {figures['num_skipped']:,} positions skipped (no class)"
    )
