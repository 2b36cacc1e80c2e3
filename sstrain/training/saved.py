"""A run's model, loaded for evaluation or prediction."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstrain import kernels
from sstrain.data.vocabulary import Vocabulary
from sstrain.optim.sgd import Sgd
from sstrain.training.forecast import check_memory
from sstrain.training.run_folder import Run, open_run

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.models.base import Layout

__all__ = ["SavedModel", "load_model", "read_model"]


@dataclass(frozen=True)
class SavedModel:
    """A model as one checkpoint has it.

    Attributes
    ----------
    config : Config
    vocabulary : Vocabulary
    model : Layout
    step : int
        Of the checkpoint.
    environment : dict
        What environment.json holds.
    """

    config: "Config"
    vocabulary: Vocabulary
    model: "Layout"
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
    kernels.use_threads(None)
    return read_model(open_run(path), which, report)


def read_model(run: Run, which: str | int | None, report: Callable[[str], None]) -> SavedModel:
    """Load the model of a run that is open, as `load_model` does; threads stay as they are."""
    config = run.config
    if which is None:
        which = "last" if run.checkpoints.linked("best") is None else "best"
    checkpoint = run.checkpoints.open_for_reading(which, report)
    vocabulary = Vocabulary.load(run.folder.path)
    # Sgd keeps no state: the model is its weights alone.
    rule = Sgd()
    check_memory(
        config, config.model.memory_bytes(vocabulary.num_features, vocabulary.num_classes, rule)
    )
    model = config.model.allocate(vocabulary.num_features, vocabulary.num_classes, rule)
    checkpoint.read_into("model", model.live_arrays(0)["model"])
    return SavedModel(config, vocabulary, model, checkpoint.step, run.environment)
