"""Defaults that depend on other keys, written out."""

import os
from typing import Any

from sstrain.config.completion import DEFAULT_SAMPLER
from sstrain.config.sections import Config, Evaluation, Stage, StageOptimizer, sampler_section
from sstrain.config.stages import stage_configs
from sstrain.objectives.base import SampledObjective
from sstrain.optim import Optimizer
from sstrain.samplers import SamplerSection

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
    changes["sampler"] = _sampler(config)
    if stages := config.training.stages:
        # Each stage has its own written out.
        changes["sampler"] = None
        drafts = zip(stages, stage_configs(config), strict=True)
        training = {
            "epochs": sum(stage.epochs for stage in stages),
            "stages": tuple(_stage(stage, draft) for stage, draft in drafts),
        }
        changes["training"] = config.training.model_copy(update=training)
    if config.output is None:
        changes["output"] = os.path.abspath(os.path.join("runs", name))
    return config.model_copy(update=changes)


def _sampler(config: Config) -> SamplerSection | None:
    if not isinstance(config.objective, SampledObjective):
        return config.sampler
    section = config.sampler or sampler_section({"type": DEFAULT_SAMPLER})
    return section.resolved(config.objective.replacement, config.training.batch_size)


def _stage(stage: Stage, config: Config) -> Stage:
    """Return a stage written out whole.

    Parameters
    ----------
    stage : Stage
    config : Config
        That of the stage as a run's, from `stage_configs`.
    """
    optimizer, own = _optimizer(config), stage.optimizer or StageOptimizer()
    changes = {
        "objective": config.objective,
        "sampler": _sampler(config),
        "num_samples": None,
        "optimizer": StageOptimizer(
            learning_rate=optimizer.learning_rate,
            schedule=own.schedule,
            warmup=None if own.schedule is None else optimizer.warmup,
            l2=optimizer.l2,
            l2_interval=optimizer.l2_interval,
        ),
    }
    return stage.model_copy(update=changes)


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
