"""A run's model, loaded for evaluation or prediction."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sstrain import kernels
from sstrain.config import stage_configs
from sstrain.data.vocabulary import Vocabulary
from sstrain.evaluation.scorer import scorer
from sstrain.optim.sgd import Sgd
from sstrain.samplers import Sampler, build_sampler
from sstrain.training.forecast import check_memory
from sstrain.training.gradient import sampler_setting
from sstrain.training.run_folder import Run, open_run

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.evaluation.scorer import Scorer
    from sstrain.models.base import Layout
    from sstrain.training.checkpoint import Checkpoint

__all__ = ["SavedModel", "load_model", "read_model"]


@dataclass(frozen=True)
class SavedModel:
    """A model as one checkpoint has it.

    Attributes
    ----------
    config : Config
    vocabulary : Vocabulary
    model : Layout
    scorer : Scorer
        Gives the scores that it predicts by: the model, unless its objective shifts them.
    step : int
        Of the checkpoint.
    environment : dict
        What environment.json holds.
    """

    config: "Config"
    vocabulary: Vocabulary
    model: "Layout"
    scorer: "Scorer"
    step: int
    environment: dict[str, Any]


def load_model(path: Path, which: str | int | None, report: Callable[[str], None]) -> SavedModel:
    """Load the model of a run.

    Parameters
    ----------
    path : Path
        The run's folder.
    which : "best", "last", int or None
        The checkpoint; None for ``best`` where there is a validation split, else ``last``.
    report : callable
        Told what is damaged and what is used instead.

    Raises
    ------
    UserError
        If there is no such run or checkpoint, or it does not fit in memory.
    FailureError
        If no checkpoint is whole.
    """
    run = open_run(path)
    with ThreadPoolExecutor(1) as other:
        # Files are hashed while numba is loaded: each takes a third of a second.
        checkpoint = other.submit(_checkpoint, run, which, report)
        kernels.use_threads(None)
        kernels.tell_compilation(report)
    return _model(run, checkpoint.result())


def read_model(run: Run, which: str | int | None, report: Callable[[str], None]) -> SavedModel:
    """Load the model of a run that is open, as `load_model` does; threads stay as they are."""
    return _model(run, _checkpoint(run, which, report))


def _checkpoint(run: Run, which: str | int | None, report: Callable[[str], None]) -> "Checkpoint":
    """Return a checkpoint whose files are found to be whole."""
    if which is None:
        which = "last" if run.checkpoints.linked("best") is None else "best"
    checkpoint = run.checkpoints.open_for_reading(which, report)
    if _stage(run.config, checkpoint).objective.shifts_by_log_q:
        parts = ("model", "sampler")
        checkpoint = run.checkpoints.open_for_reading(checkpoint.step, report, parts)
    return checkpoint


def _model(run: Run, checkpoint: "Checkpoint") -> SavedModel:
    config = run.config
    vocabulary = Vocabulary.load(run.folder.path)
    # Sgd keeps no state: the model is its weights alone.
    rule = Sgd()
    check_memory(
        config, config.model.memory_bytes(vocabulary.num_features, vocabulary.num_classes, rule)
    )
    model = config.model.allocate(vocabulary.num_features, vocabulary.num_classes, rule)
    checkpoint.read_into("model", model.live_arrays(0)["model"])
    stage = _stage(config, checkpoint)
    sampler = (
        _sampler(stage, vocabulary, model, checkpoint) if stage.objective.shifts_by_log_q else None
    )
    scored = scorer(model, stage.objective, sampler)
    return SavedModel(config, vocabulary, model, scored, checkpoint.step, run.environment)


def _stage(config: "Config", checkpoint: "Checkpoint") -> "Config":
    """Return the config of the stage in which a checkpoint was written."""
    return stage_configs(config)[int(checkpoint.state.get("stage", 1)) - 1]


def _sampler(
    config: "Config", vocabulary: Vocabulary, model: "Layout", checkpoint: "Checkpoint"
) -> Sampler:
    """Return the sampler that a checkpoint's model was trained with, to add log q again."""
    assert config.sampler is not None
    state = {name: np.array(kept) for name, kept in checkpoint.open("sampler").items()}
    setting = sampler_setting(config, vocabulary, None, model)
    return build_sampler(config.sampler, setting, state)
