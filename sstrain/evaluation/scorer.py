"""The scores whose softmax a model's probabilities are: its own, or those and log q."""

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.models.base import Layout
    from sstrain.objectives import Objective
    from sstrain.samplers import Sampler

__all__ = ["Scorer", "Shifted", "replace_model", "scorer"]


class Scorer(Protocol):
    """What evaluation and prediction take for a model."""

    def score_all(self, batch: "Batch", averaged: bool = True) -> NDArray[np.float32]:
        """Return scores of all classes, float32 [B, V]; valid until the next call."""


class Shifted:
    """A model whose scores an objective has taught less log q, with log q added again.

    Parameters
    ----------
    model : Layout
    sampler : Sampler
        By whose q it was trained.
    """

    def __init__(self, model: "Layout", sampler: "Sampler") -> None:
        self.model = model
        self.sampler = sampler

    def score_all(self, batch: "Batch", averaged: bool = True) -> NDArray[np.float32]:
        """Return ``z_j + log q(j|x)``, float32 [B, V]; valid until the next call."""
        log_q = self.sampler.log_prob(batch)
        scores = self.model.score_all(batch, averaged)
        scores += log_q
        return scores


def scorer(model: "Layout", objective: "Objective", sampler: "Sampler | None") -> Scorer:
    """Return what scores as a model that an objective has trained predicts."""
    if objective.shifts_by_log_q:
        assert sampler is not None
        return Shifted(model, sampler)
    return model


def replace_model(old: Scorer, model: "Layout") -> Scorer:
    """Return what scores by another model as one of its training did by its own."""
    return Shifted(model, old.sampler) if isinstance(old, Shifted) else model
