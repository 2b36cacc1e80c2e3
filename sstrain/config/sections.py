"""The whole config, composed from each part's typed model."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sstrain.data import HeldOutSource, TrainSource
from sstrain.models import ModelSection
from sstrain.models.dense import Dense
from sstrain.objectives import ObjectiveSection
from sstrain.objectives.importance import Importance
from sstrain.optim import OptimizerSection
from sstrain.optim.adagrad import AdaGrad
from sstrain.samplers import SamplerSection
from sstrain.section import Duration, DurationOrMinutes, FilePath, Section, Span

__all__ = ["Checkpoint", "Config", "Data", "Evaluation", "Training"]

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Data(Section):
    """What is trained on, and what is held out."""

    train: TrainSource
    validation: Fraction | HeldOutSource | None = None
    test: Fraction | HeldOutSource | None = None
    split_seed: int = Field(0, ge=0)


class Training(Section):
    """The loop."""

    epochs: int = Field(3, ge=1)
    batch_size: int = Field(128, ge=1)
    threads: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    #: Steps or epochs between two ``train`` lines of metrics.jsonl (and of a log that is no terminal).
    log_every: Duration = Span(200, "steps")
    #: Evaluations without a better validation log-loss after which training stops; None: never.
    patience: int | None = Field(None, ge=1)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Evaluation(Section):
    """When the validation split is scored, and how."""

    every: Duration = Span(1, "epochs")
    top_k: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_as_tuple), Field(min_length=1)
    ] = (1, 5)


class Checkpoint(Section):
    """When checkpoints are written, and how many are kept besides the best."""

    every: DurationOrMinutes = Span(1, "epochs")
    keep: int = Field(2, ge=1)


class Config(Section):
    """A train config."""

    seed: int = Field(1, ge=0, lt=2**63)
    output: FilePath | None = None
    data: Data
    model: ModelSection = Dense()
    objective: ObjectiveSection = Importance()
    sampler: SamplerSection | None = None
    optimizer: OptimizerSection = AdaGrad()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    checkpoint: Checkpoint = Checkpoint()
