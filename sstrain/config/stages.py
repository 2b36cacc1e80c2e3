"""The stages of a run, each as the config that it would have as a run of its own."""

from sstrain.config.completion import DEFAULT_SAMPLER
from sstrain.config.sections import Config, Stage, StageOptimizer, sampler_section
from sstrain.optim import Optimizer
from sstrain.section import Span

__all__ = ["stage_configs"]


def stage_configs(config: Config) -> tuple[Config, ...]:
    """Return a config for each stage, as if it were a run's; the config itself if it has none.

    What a stage does not give is the run's; that of a resolved config is resolved.
    """
    stages = config.training.stages
    return tuple(_stage_config(config, stage) for stage in stages) if stages else (config,)


def _stage_config(config: Config, stage: Stage) -> Config:
    objective, sampler = stage.objective or config.objective, stage.sampler
    if objective.sampled:
        sampler = sampler or config.sampler
        if stage.num_samples is not None:
            sampler = sampler or sampler_section({"type": DEFAULT_SAMPLER})
            sampler = sampler.model_copy(update={"num_samples": stage.num_samples})
    training = {"epochs": stage.epochs, "stages": None}
    changes = {
        "objective": objective,
        "sampler": sampler,
        "optimizer": _optimizer(config.optimizer, stage.optimizer),
        "training": config.training.model_copy(update=training),
    }
    return config.model_copy(update=changes)


def _optimizer(optimizer: Optimizer, own: StageOptimizer | None) -> Optimizer:
    """Return the run's optimizer with a stage's own keys."""
    changes = {name: value for name, value in own or () if value is not None}
    if "schedule" in changes:
        changes.setdefault("warmup", Span(0, "steps"))
    if not changes.get("l2", optimizer.l2):
        changes.setdefault("l2_interval", None)
    return optimizer.model_copy(update=changes)
