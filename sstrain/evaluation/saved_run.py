"""``sstrain eval``: a run's model on held-out data, over all classes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sstrain.data.cache import find, scratch
from sstrain.data.files import DataFile
from sstrain.data.loading import load_split, read_held_out
from sstrain.data.raw import Report
from sstrain.errors import UserError
from sstrain.evaluation.exact import evaluate
from sstrain.evaluation.multilabel import ROW_FIGURES
from sstrain.progress import bar
from sstrain.training.output_folder import data_hashes
from sstrain.training.saved import SavedModel, load_model

if TYPE_CHECKING:
    from sstrain.data.dataset import Dataset

__all__ = ["as_table", "evaluate_run"]

_HeldOut = Literal["test", "validation"]
#: The first of these that a run has is scored.
_HELD_OUT: tuple[_HeldOut, ...] = ("test", "validation")
#: What makes an example's ids, and values, those of a vocabulary.
_NAMES = ("classes", "features", "fitted")


def evaluate_run(
    path: Path,
    data: Path | None,
    checkpoint: str | int | None,
    report: Report,
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
        Whether the run's cache of data is used, and what is read is kept in files for the time
        being, and not in memory.

    Raises
    ------
    UserError
        If there is nothing to score.
    """
    saved = load_model(path, checkpoint, report)
    if data is not None:
        split, dataset = "data", _read_data(saved, data, report, use_cache)
    else:
        split = _held_out_split(saved, path)
        dataset = _read_split(saved, split, report, use_cache)
    with bar(dataset.num_examples, "evaluating", "ex") as advance:
        scored = evaluate(
            saved.scorer,
            dataset,
            saved.vocabulary,
            saved.config.evaluation.top_k,
            advance,
            saved.config.evaluation.propensity,
        )
    return {"split": split, "checkpoint": saved.step, **scored}


def _held_out_split(saved: SavedModel, path: Path) -> _HeldOut:
    for split in _HELD_OUT:
        if getattr(saved.config.data, split) is not None:
            return split
    raise UserError(
        f"{path}: the run has neither a test nor a validation split; give a file with --data"
    )


def _read_data(saved: SavedModel, data: Path, report: Report, use_cache: bool) -> "Dataset":
    source = saved.config.data.train
    with scratch(use_cache) as storage:
        return read_held_out(source, saved.vocabulary, report, storage, [str(data)])


def _read_split(saved: SavedModel, split: _HeldOut, report: Report, use_cache: bool) -> "Dataset":
    is_share = isinstance(getattr(saved.config.data, split), float)
    if is_share and use_cache and (cached := _cached_split(saved, split, report)) is not None:
        return cached
    files: list[DataFile] = []
    with scratch(use_cache) as storage:
        dataset = load_split(
            saved.config.data, saved.vocabulary, split, report, storage, files.append
        )
    assert dataset is not None
    if is_share:
        _check_unchanged(saved, split, files)
    return dataset


def _cached_split(saved: SavedModel, split: _HeldOut, report: Report) -> "Dataset | None":
    """Return a share of the training lines as training cached it: the whole file is not parsed."""
    others = tuple(f"{name}: " for name in ("train", *_HELD_OUT) if name != split)

    def note(line: str) -> None:
        if not line.startswith(others):
            report(line)

    data, vocabulary = saved.config.data, saved.vocabulary
    try:
        splits = find(data, note)
    except UserError:
        return None  # of a file that this split may not need; if it does, reading it tells
    if splits is None or any(
        getattr(splits.vocabulary, name) != getattr(vocabulary, name) for name in _NAMES
    ):
        return None
    paths = data.train.files()
    _check_unchanged(saved, split, [file for file in splits.files if file.path in paths])
    return splits.by_name()[split]


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
