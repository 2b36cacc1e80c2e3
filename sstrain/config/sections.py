"""The whole config, composed from each part's typed model."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sstrain.data import HeldOutSource, TrainSource
from sstrain.models import ModelSection
from sstrain.models.dense import Dense
from sstrain.objectives import ObjectiveSection
from sstrain.objectives.importance import Importance
from sstrain.optim import OptimizerSection
from sstrain.optim.adagrad import AdaGrad
from sstrain.samplers import SamplerSection
from sstrain.section import FilePath, Interval, IntervalOrMinutes, NonEmpty, Section, Span

__all__ = [
    "Checkpoint",
    "Config",
    "Data",
    "DiagnosticSample",
    "Diagnostics",
    "Evaluation",
    "Training",
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
    #: Evaluations without a better validation log-loss after which training stops; None: never.
    patience: int | None = Field(None, ge=1)


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
    sampler: SamplerSection | None = None
    optimizer: OptimizerSection = AdaGrad()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    checkpoint: Checkpoint = Checkpoint()
    #: The sampled gradient beside the exact one, measured while the run trains; not by default.
    diagnostics: Diagnostics | None = None
