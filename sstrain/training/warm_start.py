"""A run that starts from the weights of another: classes and features matched by name."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain.data.vocabulary import Vocabulary
from sstrain.errors import UserError
from sstrain.evaluation.scorer import Shifted
from sstrain.models.base import Matching
from sstrain.optim.sgd import Sgd
from sstrain.training.checkpoint import model_sha256
from sstrain.training.run_folder import Run, open_run
from sstrain.training.saved import SavedModel, read_model

if TYPE_CHECKING:
    from sstrain.models.base import Layout, Model
    from sstrain.objectives import Objective

__all__ = ["Source", "WarmStart", "open_source"]


@dataclass(frozen=True)
class Source:
    """The run that ``model.from`` names, before its weights are loaded.

    Attributes
    ----------
    run : Run
    bytes : int
        What its weights take in memory.
    """

    run: Run
    bytes: int

    def load(self, vocabulary: Vocabulary, report: Callable[[str], None]) -> "WarmStart":
        """Load its weights, and find its classes and features among those of a new run.

        Parameters
        ----------
        vocabulary : Vocabulary
            Of the new run.
        report : callable
            Told what is damaged and what is used instead.

        Raises
        ------
        UserError
            If no class of the new run is among its own, or there is no checkpoint.
        FailureError
            If no checkpoint is whole.
        """
        saved = read_model(self.run, None, report)
        classes = _places(vocabulary.classes, saved.vocabulary.classes)
        if not np.any(classes >= 0):
            raise UserError(
                f"model.from: {self.run.folder.path} has no class in common with the training "
                f"data; found {_some(saved.vocabulary.classes)} there, and "
                f"{_some(vocabulary.classes)} here"
            )
        features = _places(vocabulary.features, saved.vocabulary.features)
        digest = model_sha256(self.run.checkpoints.find(saved.step))
        return WarmStart(self.run.folder.path, saved, Matching(features, classes), digest)


@dataclass(frozen=True)
class WarmStart:
    """Weights that a new model begins with.

    Attributes
    ----------
    path : Path
        The folder of the run that they are of.
    saved : SavedModel
    matching : Matching
    sha256 : str
        Of the file that holds them.
    """

    path: Path
    saved: SavedModel
    matching: Matching
    sha256: str

    def apply(self, model: "Layout", objective: "Objective") -> None:
        """Put them into a model that has been initialised, and that an objective is to train.

        Raises
        ------
        UserError
            If the two are of different rank, or differ otherwise in what cannot be taken over.
        """
        lacked = isinstance(self.saved.scorer, Shifted)
        if lacked != objective.shifts_by_log_q:
            lacks = "lack log q" if lacked else "do not lack log q"
            raise UserError(
                f"model.from: the scores of {self.path} {lacks}, and objective {objective.type} "
                f"learns {'scores that do not' if lacked else 'scores that do'}; a run with "
                "negative_sampling starts from such a run alone, and all others from the others"
            )
        model.take_over(self.saved.model, self.matching)

    def summary(self) -> str:
        """Return in a line what was taken over."""
        classes, features = (
            (int(np.count_nonzero(places >= 0)), len(places))
            for places in (self.matching.classes, self.matching.features)
        )
        return (
            f"warm start from {self.path}, step {self.saved.step:,}: {classes[0]:,} of "
            f"{classes[1]:,} classes and {features[0]:,} of {features[1]:,} features taken over, "
            f"{classes[1] - classes[0]:,} and {features[1] - features[0]:,} started fresh"
        )

    def as_json(self) -> dict[str, Any]:
        """Return what environment.json says of it."""
        return {"run": str(self.path), "step": self.saved.step, "model_sha256": self.sha256}


def open_source(section: "Model", output: str | None) -> Source | None:
    """Return the run that a model starts from, or None.

    Parameters
    ----------
    section : Model
        Of a resolved config.
    output : str or None
        The folder that the new run writes into.

    Raises
    ------
    UserError
        If it is no run, or of a layout that weights cannot be taken over from, or the new run
        would be written over it.
    """
    if section.source_run is None:
        return None
    path = Path(section.source_run)
    if output is not None and os.path.realpath(output) == os.path.realpath(path):
        raise UserError(
            f"model.from: {path} is the output folder too, and would be overwritten; give another "
            "--output"
        )
    try:
        run = open_run(path)
    except UserError as error:
        raise UserError(*(f"model.from: {message}" for message in error.messages)) from None
    theirs, allowed = run.config.model, (section.type, *section.sources)
    if theirs.type not in allowed:
        raise UserError(
            f"model.from: {path} is a {theirs.type} model, whose weights a {section.type} model "
            f"cannot take over; expected a run of model.type {' or '.join(allowed)}"
        )
    vocabulary = Vocabulary.load(path)
    # Sgd keeps no state: the model is its weights alone.
    memory = theirs.memory_bytes(vocabulary.num_features, vocabulary.num_classes, Sgd())
    return Source(run, sum(memory.values()))


def _places(names: list[str], old: list[str]) -> NDArray[np.int64]:
    """Return each name's place among the old ones, or -1."""
    if names == old:
        return np.arange(len(names))
    places = {name: place for place, name in enumerate(old)}
    return np.fromiter((places.get(name, -1) for name in names), np.int64, len(names))


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
