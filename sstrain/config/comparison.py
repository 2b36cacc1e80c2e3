"""The config of a comparison: a train config, and lists of what is varied."""

import os
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from sstrain.config.sections import Config, DiagnosticSample
from sstrain.config.shapes import sections, tags
from sstrain.objectives import SampledObjectiveSection
from sstrain.objectives.base import Objective, SampledObjective
from sstrain.objectives.exact import Exact
from sstrain.objectives.importance import Importance
from sstrain.samplers import ComparedSampler, SamplerSection
from sstrain.section import FilePath, NonEmpty, Section

__all__ = ["Budget", "Comparison", "describe_objective", "describe_sampler"]


class Budget(Section):
    """How long each cell is trained: one of the three."""

    #: Passes over the training split.
    epochs: int | None = Field(None, ge=1)
    #: Training examples.
    examples: int | None = Field(None, ge=1)
    #: CPU seconds of training, of all threads together.
    seconds: float | None = Field(None, gt=0)


class Comparison(Section):
    """A grid of runs that differ in how their gradient is sampled."""

    #: The comparison's folder; by default ``runs/`` and the config file's name.
    output: FilePath | None = None
    #: A train config, or the path of one; its own objective, sampler, stages and early stopping,
    #: seed, output and checkpoints play no part.
    base: Config
    #: The sampled objectives.
    objectives: NonEmpty[SampledObjectiveSection] = (Importance(),)
    #: The proposals with their drawing keys, as ``sampler`` of a train config but for num_samples.
    samplers: NonEmpty[ComparedSampler]
    #: The numbers of samples K.
    num_samples: NonEmpty[Annotated[int, Field(ge=1)]]
    #: Each setting is trained once with each.
    seeds: NonEmpty[Annotated[int, Field(ge=0, lt=2**63)]] = (1, 2, 3)
    #: By default the base's epochs.
    budget: Budget | None = None
    #: Whether the exact gradient is trained too.
    reference: bool = True
    #: Processes that run cells, of one thread each; 1: one cell after another, in this process.
    workers: int = Field(1, ge=1)
    #: How much worse than the reference's a recommended log-loss may be, as a share of it.
    tolerance: float = Field(0.01, gt=0, lt=1)
    #: The sampled gradient beside the exact one, at the start, at each evaluation and at the end.
    diagnostics: Literal["off"] | DiagnosticSample = DiagnosticSample()

    def cell(
        self,
        objective: Objective | None,
        sampler: ComparedSampler | None,
        num_samples: int | None,
        seed: int,
    ) -> Config:
        """Return the train config of a cell, or of the exact reference if there is no objective."""
        section: Any = None
        if sampler is not None:
            kinds = sections(cast(Any, SamplerSection))
            kind = next(kind for kind in kinds if sampler.type in tags(kind))
            section = kind.model_validate({**dict(sampler), "num_samples": num_samples})
            replacement = isinstance(objective, SampledObjective) and objective.replacement
            section = section.resolved(replacement, self.base.training.batch_size)
        training = self.base.training.model_copy(update={"stages": None})
        if self.budget is not None and self.budget.epochs is not None:
            training = training.model_copy(update={"epochs": self.budget.epochs})
        changes = {
            "seed": seed,
            "objective": objective or Exact(),
            "sampler": section,
            "training": training,
        }
        return self.base.model_copy(update=changes)


def describe_objective(objective: Objective) -> str:
    """Return the type and what differs from its defaults, as ``importance``."""
    return _describe(objective)


def describe_sampler(sampler: ComparedSampler) -> str:
    """Return the type and what differs from its defaults, as ``unigram(power=0.5)``."""
    return _describe(sampler)


def _describe(section: Any, leave_out: tuple[str, ...] = ("type",)) -> str:
    kind = type(section)
    required = [name for name, field in kind.model_fields.items() if field.is_required()]
    defaults = kind.model_validate({name: getattr(section, name) for name in ["type", *required]})
    shown = []
    for name in kind.model_fields:
        value = getattr(section, name)
        if name not in leave_out and (name in required or value != getattr(defaults, name)):
            shown.append(f"{name}={os.path.basename(value) if name == 'path' else _shown(value)}")
    return f"{section.type}({', '.join(shown)})" if shown else str(section.type)


def _shown(value: Any) -> str:
    """Return a value as it stands in a description; the parts of a mixture as a sum."""
    if isinstance(value, tuple):
        parts = [f"{part.weight} {_describe(part, ('type', 'weight'))}" for part in value]
        return " + ".join(parts)
    return str(value).lower() if isinstance(value, bool) else str(value)
