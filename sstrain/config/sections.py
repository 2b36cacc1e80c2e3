"""The whole config, composed from each part's typed model."""

from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field

from sstrain.config.shapes import sections, tags
from sstrain.data import HeldOutSource, TrainSource
from sstrain.models import ModelSection
from sstrain.models.dense import Dense
from sstrain.objectives import ObjectiveSection
from sstrain.objectives.importance import Importance
from sstrain.optim import OptimizerSection
from sstrain.optim.adagrad import AdaGrad
from sstrain.optim.schedules import Schedule
from sstrain.samplers import SamplerOrAuto, SamplerSection
from sstrain.section import Duration, FilePath, Interval, IntervalOrMinutes, NonEmpty, Section, Span

__all__ = [
    "Checkpoint",
    "Config",
    "Data",
    "DiagnosticSample",
    "Diagnostics",
    "Evaluation",
    "Stage",
    "StageOptimizer",
    "Training",
    "sampler_section",
]

Fraction = Annotated[float, Field(gt=0, lt=1)]


def _pair(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(values) != 2:
        raise ValueError("expected two numbers above 0, A and B")
    return values


Propensity = Annotated[
    NonEmpty[Annotated[float, Field(gt=0)]],
    AfterValidator(_pair),
    Field(json_schema_extra={"minItems": 2}),
]


class Data(Section):
    """What is trained on, and what is held out."""

    train: TrainSource
    #: A fraction of the training lines, or a source read as ``train`` is unless it says otherwise.
    validation: Fraction | HeldOutSource | None = None
    #: As ``validation``; never looked at in training.
    test: Fraction | HeldOutSource | None = None
    #: The split depends on this and on the line numbers alone.
    split_seed: int | None = Field(0, ge=0)


class StageOptimizer(Section):
    """The keys of ``optimizer`` that a stage may have otherwise: those that need no other state."""

    #: By default the run's; without a schedule of the stage's own the run's goes on at this scale.
    learning_rate: float | None = Field(None, gt=0)
    #: Runs over the stage's own steps; by default the run's spans all stages.
    schedule: Schedule | None = None
    #: Of a schedule of the stage's own, where the default is none.
    warmup: Duration | None = None
    #: By default the run's.
    l2: float | None = Field(None, ge=0)
    #: By default the run's.
    l2_interval: int | None = Field(None, ge=1)


class Stage(Section):
    """A part of a run with a gradient of its own; what it does not give is the run's."""

    #: Passes over the training split.
    epochs: int = Field(ge=1)
    #: A section without ``type`` changes keys of the run's, one with it stands in its place.
    objective: ObjectiveSection | None = None
    #: As ``objective``; num_samples is the run's in any case unless the stage gives it. An exact
    #: stage has none.
    sampler: SamplerSection | None = None
    #: K, by itself: the sampler is the run's but for it.
    num_samples: int | None = Field(None, ge=1)
    #: Keys in the place of the run's.
    optimizer: StageOptimizer | None = None


class Training(Section):
    """The loop."""

    #: Passes over the training split.
    epochs: int = Field(3, ge=1)
    #: Examples a step, whose mean loss is its loss.
    batch_size: int = Field(128, ge=1)
    #: ``auto`` takes every processor; the result is the same whatever the number.
    threads: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    #: Between two ``train`` lines of metrics.jsonl, and of a log that is no terminal.
    log_every: Interval = Span(200, "steps")
    #: Evaluations without a better validation log-loss after which training stops, in whatever
    #: stage they are; None: never.
    patience: int | None = Field(None, ge=1)
    #: Parts of the run, one after another, each with its own objective, sampler, number of samples
    #: or rate: a sampled start and an exact finish, or more and more samples. The run is as long as
    #: they are together, in the place of ``epochs``.
    stages: NonEmpty[Stage] | None = None


class Evaluation(Section):
    """When the validation split is scored, and how."""

    #: Between two evaluations.
    every: Interval | None = Span(1, "epochs")
    #: An example counts for ``top_<k>`` if its label is among the k most probable.
    top_k: NonEmpty[Annotated[int, Field(ge=1)]] = (1, 5)
    #: A and B of the propensities in ``psp_<k>``, for data whose rows have several labels.
    propensity: Propensity = (0.55, 1.5)


class Checkpoint(Section):
    """When checkpoints are written, and how many are kept besides the best."""

    #: Between two checkpoints; one is always written at the end.
    every: IntervalOrMinutes = Span(1, "epochs")
    #: The best one is kept besides.
    keep: int = Field(2, ge=1)


class DiagnosticSample(Section):
    """On what the sampled gradient is compared with the exact one."""

    #: At least so many training examples, in whole batches.
    examples: int = Field(128, ge=1)
    #: Draws of candidates for each batch.
    draws: int = Field(512, ge=32)


class Diagnostics(DiagnosticSample):
    """Comparisons of the sampled gradient with the exact one while a run trains."""

    #: Between two comparisons.
    every: Interval = Span(1, "epochs")


class Config(Section):
    """A train config."""

    #: Of the order of examples, the draws and the initial weights.
    seed: int = Field(1, ge=0, lt=2**63)
    #: The run's folder; by default ``runs/`` and the config file's name.
    output: FilePath | None = None
    data: Data
    model: ModelSection = Dense()
    objective: ObjectiveSection = Importance()
    #: For a sampled objective; by default unigram with power 0.75.
    sampler: SamplerOrAuto | None = None
    optimizer: OptimizerSection = AdaGrad()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    checkpoint: Checkpoint = Checkpoint()
    #: The sampled gradient beside the exact one, measured while the run trains; not by default.
    diagnostics: Diagnostics | None = None


def sampler_section(keys: dict[str, Any]) -> SamplerSection:
    """Return the sampler section with the given keys, ``type`` among them."""
    kinds = sections(cast(Any, SamplerSection))
    kind: Any = next(kind for kind in kinds if keys["type"] in tags(kind))
    section: SamplerSection = kind.model_validate(keys)
    return section
