"""The stages of a run, laid out over its steps."""

from typing import TYPE_CHECKING, NamedTuple

from sstrain.config import stage_configs
from sstrain.errors import UserError
from sstrain.optim import learning_rate
from sstrain.samplers import check_sampler
from sstrain.training.gradient import sampler_setting

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.data.dataset import Dataset
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.models.base import Layout

__all__ = ["RunStage", "check_stages", "lay_out"]


class RunStage(NamedTuple):
    """Steps of a run that are taken by one gradient."""

    number: int  # from 1
    config: "Config"  # resolved, as if the stage were a run
    stop: int  # steps of the run that are done at its end
    scheduled_from: int  # the step that the schedule counts from
    scheduled_steps: int  # its length
    warmup: int  # steps

    def rate(self, step: int) -> float:
        """Return the learning rate of a step of the run, counted from 0."""
        optimizer = self.config.optimizer
        assert optimizer.learning_rate is not None
        return learning_rate(
            optimizer.schedule,
            optimizer.learning_rate,
            step - self.scheduled_from,
            self.scheduled_steps,
            self.warmup,
        )


def lay_out(config: "Config", steps_per_epoch: int, total_steps: int) -> tuple[RunStage, ...]:
    """Return the stages of a run, at least one; the last ends with the run.

    Parameters
    ----------
    config : Config
        Resolved.
    steps_per_epoch, total_steps : int
    """
    configs, start, found = stage_configs(config), 0, []
    for number, (run, stage) in enumerate(
        zip(configs, config.training.stages or (None,), strict=True), start=1
    ):
        last = number == len(configs)
        stop = total_steps if last else start + run.training.epochs * steps_per_epoch
        warmup = run.optimizer.warmup.in_steps(steps_per_epoch)
        own = stage and stage.optimizer and stage.optimizer.schedule
        scheduled = (start, stop - start) if own else (0, total_steps)
        found.append(RunStage(number, run, stop, *scheduled, warmup))
        start = stop
    return tuple(found)


def check_stages(
    stages: tuple[RunStage, ...], dataset: "Dataset", vocabulary: "Vocabulary", model: "Layout"
) -> None:
    """Refuse a proposal of some stage that cannot serve the data, before the first step.

    Of a single stage nothing is looked at: its sampler is made at once.

    Raises
    ------
    UserError
        Naming the stage.
    """
    for stage in stages if len(stages) > 1 else ():
        if stage.config.sampler is None:
            continue
        try:
            setting = sampler_setting(stage.config, vocabulary, dataset, model)
            check_sampler(stage.config.sampler, setting)
        except UserError as error:
            where = f"training.stages.{stage.number - 1}"
            raise UserError(*(f"{where}: {text}" for text in error.messages)) from None
