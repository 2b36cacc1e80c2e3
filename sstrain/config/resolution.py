"""Defaults that depend on other keys, written out."""

import os
from typing import Any

from sstrain.config.completion import DEFAULT_SAMPLER
from sstrain.config.sections import Config, Evaluation
from sstrain.config.shapes import sections, tags
from sstrain.objectives.base import SampledObjective
from sstrain.optim import Optimizer

__all__ = ["resolve"]

_DECAY_INTERVAL = 100


def resolve(config: Config, name: str = "run") -> Config:
    """Return the config with every default that depends on other keys written out.

    Keys that do not apply stay None. A resolved config resolves to itself.

    Parameters
    ----------
    config : Config
        A valid config.
    name : str
        The run's name: its folder is ``runs/<name>`` where the config names none.
    """
    optimizer = _optimizer(config)
    changes: dict[str, Any] = {"optimizer": optimizer, "model": config.model.resolved(optimizer)}
    data, evaluation = config.data, config.evaluation
    if not any(isinstance(share, float) for share in (data.validation, data.test)):
        changes["data"] = data.model_copy(update={"split_seed": None})
    if data.validation is None and evaluation.every == Evaluation().every:
        changes["evaluation"] = evaluation.model_copy(update={"every": None})
    if isinstance(config.objective, SampledObjective):
        section = config.sampler or _default_sampler()
        replacement, size = config.objective.replacement, config.training.batch_size
        changes["sampler"] = section.resolved(replacement, size)
    if config.output is None:
        changes["output"] = os.path.abspath(os.path.join("runs", name))
    return config.model_copy(update=changes)


def _default_sampler() -> Any:
    kinds = sections(Config.model_fields["sampler"].annotation)
    return next(kind for kind in kinds if DEFAULT_SAMPLER in tags(kind)).model_validate({})


def _optimizer(config: Config) -> Optimizer:
    optimizer = config.optimizer
    changes: dict[str, Any] = {}
    if optimizer.learning_rate is None:
        changes["learning_rate"] = config.model.default_learning_rates[optimizer.type]
    if optimizer.adaptive and getattr(optimizer, "initial_accumulator", None) is None:
        accumulator = config.model.default_accumulator(config.training.batch_size)
        changes["initial_accumulator"] = accumulator
    if optimizer.l2 and optimizer.l2_interval is None:
        changes["l2_interval"] = _DECAY_INTERVAL
    return optimizer.model_copy(update=changes)
