"""``sstrain prune``: a run whose model keeps the largest weights of another run's."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from sstrain import kernels
from sstrain.data.cache import load
from sstrain.disk import placing_folder
from sstrain.errors import UserError
from sstrain.evaluation.exact import evaluate
from sstrain.evaluation.scorer import Scorer, Shifted, replace_model
from sstrain.models.base import Matching
from sstrain.models.sparse import Sparse
from sstrain.optim.sgd import Sgd
from sstrain.progress import bar
from sstrain.training.checkpoint import MODEL, load_checkpoint, model_sha256
from sstrain.training.checkpoints import Checkpoints
from sstrain.training.environment import environment
from sstrain.training.forecast import check_memory
from sstrain.training.metrics import MetricsSink
from sstrain.training.output_folder import data_hashes
from sstrain.training.run_folder import Run, RunFolder, open_run
from sstrain.training.saved import SavedModel, load_model

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.data.dataset import Dataset
    from sstrain.models.dense import DenseModel
    from sstrain.models.sparse import SparseModel

__all__ = ["Pruned", "Side", "prune"]


class Side(NamedTuple):
    """A model before or after pruning: its figures (see `evaluate`) and its sizes in bytes."""

    figures: Mapping[str, Any]
    weights: int  # in memory
    model_file: int


@dataclass(frozen=True)
class Pruned:
    """A run that was pruned, beside the one that it is of.

    Attributes
    ----------
    path : Path
        The new run's folder.
    kept, cells : int
        How many weights are kept, of how many.
    split : str or None
        What both were scored on; None if there was nothing to score.
    before, after : Side
    """

    path: Path
    kept: int
    cells: int
    split: str | None
    before: Side
    after: Side

    def as_text(self) -> str:
        """Return what pruning changed as a table for a person."""
        sides = self.before, self.after
        lines = [
            f"run   {self.path}",
            f"kept  {self.kept:,} of {self.cells:,} weights ({self.kept / self.cells:.4%})",
        ]
        if self.split is not None:
            examples = self.before.figures["num_examples"]
            lines.append(f"split {self.split}, {examples:,} examples")
        lines += ["", _row("", "before", "after")]
        for name in self.before.figures:
            if name == "log_loss" or name.startswith("top_"):
                lines.append(_row(name, *(_shown(side.figures[name]) for side in sides)))
        lines.append(_row("bytes of weights", *(f"{side.weights:,}" for side in sides)))
        lines.append(_row("bytes of the file", *(f"{side.model_file:,}" for side in sides)))
        return "\n".join(lines)


def _row(name: str, *cells: str) -> str:
    return f"{name:18}" + "".join(f"{cell:>18}" for cell in cells)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def prune(
    path: Path,
    keep: float,
    output: Path,
    checkpoint: str | int | None,
    report: Callable[[str], None],
    use_cache: bool = True,
) -> Pruned:
    """Write a run whose model keeps a share of a run's weights, those of largest magnitude.

    Parameters
    ----------
    path : Path
        The folder of a run of a dense or sparse model.
    keep : float
        The share of all D x V weights, above 0 and at most 1.
    output : Path
        The new run's folder, which comes to be as a whole.
    checkpoint : "best", "last", int or None
        As in `load_model`.
    report : callable
        Takes lines for a person to read.
    use_cache : bool
        Whether the run's cache of data is used.

    Raises
    ------
    UserError
        If the run cannot be pruned, or the output exists.
    FailureError
        If no checkpoint is whole, or the new run cannot be written.
    """
    run = open_run(path)
    _check_prunable(run, keep)
    _check_output(output)
    saved = load_model(path, checkpoint, report)
    config, model = _pruned(saved, path, keep, output)
    held_out = _held_out(saved, report, use_cache)
    split: str | None = None
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    if held_out is not None:
        split, dataset = held_out
        pruned = replace_model(saved.scorer, model)
        before, after = (_score(one, dataset, saved) for one in (saved.scorer, pruned))
    source = run.checkpoints.find(saved.step)
    with placing_folder(output) as temporary:
        size = _write(RunFolder(temporary), config, model, saved, source, split, after)
    shape = saved.vocabulary.num_features, saved.vocabulary.num_classes
    weights = [one.model.memory_bytes(*shape, Sgd())["weights"] for one in (saved.config, config)]
    return Pruned(
        output,
        len(model.indices),
        shape[0] * shape[1],
        split,
        Side(before, weights[0], (source / MODEL).stat().st_size),
        Side(after, weights[1], size),
    )


def _check_prunable(run: Run, keep: float) -> None:
    """Refuse a share that is none, and a model that has no weights to leave out."""
    section = run.config.model
    if not 0 < keep <= 1:
        raise UserError(f"keep is out of range; got {keep:g}; expected a share above 0, at most 1")
    if isinstance(section, Sparse) and keep > section.keep:
        raise UserError(
            f"{run.folder.path}: is pruned already; got keep {keep:g}; expected at most the "
            f"{section.keep:g} that it keeps"
        )
    if section.type not in ("dense", "sparse"):
        raise UserError(
            f"{run.folder.path}: is a {section.type} model, whose weights are not stored one by "
            "one, so that none can be left out; expected the run of a dense model"
        )


def _check_output(output: Path) -> None:
    if os.path.lexists(output) and not (output.is_dir() and not any(output.iterdir())):
        raise UserError(f"{output}: exists already; give another --output")
    RunFolder(output).check_place((), allowed=False)


def _pruned(
    saved: SavedModel, path: Path, keep: float, output: Path
) -> "tuple[Config, SparseModel]":
    """Return the config and the model of the new run."""
    vocabulary, old = saved.vocabulary, saved.config.model
    section = Sparse.model_validate(
        {
            "from": os.path.abspath(path),
            "keep": keep,
            "bias_init": old.bias_init,
            "dtype": old.dtype,
        }
    )
    changes = {"model": section, "output": os.path.abspath(output)}
    config = saved.config.model_copy(update=changes)
    shape = vocabulary.num_features, vocabulary.num_classes
    section.check(*shape)
    check_memory(config, section.memory_bytes(*shape, Sgd()))
    model = section.allocate(*shape, Sgd())
    old_model = cast("DenseModel | SparseModel", saved.model)
    model.take_over(old_model, Matching(np.arange(shape[0]), np.arange(shape[1])))
    return config, model


def _held_out(
    saved: SavedModel, report: Callable[[str], None], use_cache: bool
) -> "tuple[str, Dataset] | None":
    """Return what shows the loss: the validation split, else the test split, if it can be read."""
    data = saved.config.data
    if data.validation is None and data.test is None:
        report("not scored: the run has neither a validation nor a test split")
        return None
    try:
        splits = load(data, report, use_cache)
    except UserError as error:
        report(f"not scored: {error}")
        return None
    then = data_hashes(saved.environment)
    if changed := [file.path for file in splits.files if then.get(file.path) != file.sha256]:
        report(f"not scored: {changed[0]} has changed since the run was trained")
        return None
    found = splits.by_name()
    name = "validation" if "validation" in found else "test"
    return name, found[name]


def _score(model: Scorer, dataset: "Dataset", saved: SavedModel) -> dict[str, Any]:
    section = saved.config.evaluation
    with bar(dataset.num_examples, "evaluating", "ex") as advance:
        return evaluate(
            model, dataset, saved.vocabulary, section.top_k, advance, section.propensity
        )


def _write(
    folder: RunFolder,
    config: "Config",
    model: "SparseModel",
    saved: SavedModel,
    source: Path,
    split: str | None,
    figures: Mapping[str, Any],
) -> int:
    """Write the files of a finished run; return the bytes of its model file."""
    described = environment(kernels.use_threads(None), []) | {
        "data_files": saved.environment.get("data_files", []),
        "warm_start": {
            "run": config.model.source_run,
            "step": saved.step,
            "model_sha256": model_sha256(source),
        },
    }
    folder.prepare(config, described, resuming=False)
    saved.vocabulary.save(folder.path)
    state = load_checkpoint(source, saved.step).state
    standing = {**state["standing"], "finished": True}
    line = {"step": saved.step, "epoch": float(state["epoch"]), "examples": state["examples"]}
    line |= {
        f"{clock}_seconds": round(standing[f"{clock}_seconds"], 3) for clock in ("wall", "cpu")
    }
    with MetricsSink(folder.metrics) as metrics:
        if split is not None:
            metrics.write({"event": "eval", **line, "split": split, **figures})
        metrics.write({"event": "end", **line, "reason": "pruned"})
        state = {**state, "standing": standing, "averaged_steps": 0}
        state["metrics_bytes"] = metrics.position()
    checkpoints = Checkpoints(folder.checkpoints)
    parts: dict[str, Mapping[str, Any]] = {**model.tensors()}
    if isinstance(saved.scorer, Shifted):
        parts["sampler"] = saved.scorer.sampler.tensors()
    written = checkpoints.save(saved.step, parts, state, best=True)
    return (written / MODEL).stat().st_size
