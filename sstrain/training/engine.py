"""The state of a run between two steps, and what a step does to it; no folder, no clock."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sstrain import kernels
from sstrain.config import stage_configs
from sstrain.data.batches import BatchReader, epoch_order
from sstrain.evaluation.scorer import Scorer, scorer
from sstrain.models.base import StepContext
from sstrain.training.divergence import LossWatch, bad_loss, bad_proposal, bad_weights
from sstrain.training.gradient import Gradient
from sstrain.training.stages import RunStage, check_stages, lay_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sstrain.config import Config
    from sstrain.data.batches import Batch
    from sstrain.data.dataset import Dataset
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.samplers import Sampler
    from sstrain.section import Span
    from sstrain.training.checkpoint import Checkpoint
    from sstrain.training.tensors import TensorSource
    from sstrain.training.warm_start import WarmStart

__all__ = ["Engine"]

#: Purposes of the random streams.
_STEP, _SWEEP = 4, 5


class Engine:
    """Trains a model, one step a call.

    Parameters
    ----------
    config : Config
        Resolved.
    dataset : Dataset
        The training split.
    vocabulary : Vocabulary
    total_steps : int, optional
        After which the run ends, in the place of the config's epochs.
    start : WarmStart, optional
        Weights to begin with.

    Attributes
    ----------
    model : Layout
    stages : tuple of RunStage
        At least one.
    stage : RunStage
        That of the last step; the first before any.
    gradient : Gradient
        Of that stage: objective and sampler.
    done : int
        Steps done.
    total_steps, steps_per_epoch : int
    examples, candidates_scored : int
        Seen so far.
    """

    def __init__(
        self,
        config: "Config",
        dataset: "Dataset",
        vocabulary: "Vocabulary",
        total_steps: int | None = None,
        start: "WarmStart | None" = None,
    ) -> None:
        self.config = config
        self.dataset = dataset
        self.vocabulary = vocabulary
        config.model.check(vocabulary.num_features, vocabulary.num_classes)
        self.model = config.model.allocate(
            vocabulary.num_features, vocabulary.num_classes, config.optimizer
        )
        self.model.initialise(vocabulary, config.seed)
        if start is not None:
            start.apply(self.model, stage_configs(config)[0].objective)
        self._reader = BatchReader(dataset, vocabulary.num_features)
        self._shuffle_block = dataset.shuffle_block
        self.steps_per_epoch = -(-dataset.num_examples // config.training.batch_size)
        if total_steps is None:
            total_steps = self.steps_per_epoch * config.training.epochs
        self.total_steps = total_steps
        self._average_from = self._steps(config.optimizer.average_from)
        self.stages = lay_out(config, self.steps_per_epoch, total_steps)
        check_stages(self.stages, dataset, vocabulary, self.model)
        self.done = 0
        self._enter(self.stages[0])
        self.examples = 0
        self.candidates_scored = 0
        self.last_rate = self.rate
        self._pending_decay = 1.0

    def _enter(self, stage: RunStage, checkpoint: "Checkpoint | None" = None) -> None:
        """Begin with a stage's gradient, or go on with it as a checkpoint has it.

        A proposal or objective that is that of the stage before goes on with what it remembers.
        """
        self.stage = stage
        # Two samplers are never in memory at once, but for what one leaves to the next.
        before: Gradient | None = vars(self).pop("gradient", None)
        kept = (None, None) if before is None or checkpoint else before.kept_for(stage.config)
        del before
        self.gradient = Gradient(
            stage.config, self.dataset, self.vocabulary, self.model, checkpoint, *kept
        )
        # Losses of other objectives are on other scales.
        self._watch = LossWatch(self._uniform_loss())

    def _uniform_loss(self) -> float:
        sampler = self.stage.config.sampler
        num_samples = 0 if sampler is None else sampler.num_samples
        return self.stage.config.objective.uniform_loss(self.vocabulary.num_classes, num_samples)

    def _steps(self, span: "Span | None") -> int | None:
        return None if span is None else span.in_steps(self.steps_per_epoch)

    @property
    def sampler(self) -> "Sampler | None":
        """The sampler of the present step; None for the exact gradient."""
        return self.gradient.sampler

    @property
    def scorer(self) -> Scorer:
        """What scores as the model predicts, after the objective of the present step."""
        return scorer(self.model, self.gradient.objective, self.sampler)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self._stage_of(self.done + 1).rate(self.done)

    def _stage_of(self, step: int) -> RunStage:
        """Return the stage that a step belongs to, counted from 1."""
        return next((stage for stage in self.stages if step <= stage.stop), self.stages[-1])

    @property
    def ends_stage(self) -> bool:
        """Whether the stage, or the run, ends with the step that was just done."""
        return self.done == self.stage.stop

    @property
    def epoch(self) -> float:
        """Epochs done, with the part of the present one."""
        return self.done / self.steps_per_epoch

    def step(self) -> float:
        """Take one step and return its loss, the weighted mean over the batch.

        Raises
        ------
        DivergedError
            If a loss or a weight is not finite, or the loss is far above any sensible one.
        """
        if (stage := self._stage_of(self.done + 1)) is not self.stage:
            self._enter(stage)
        rate = self.last_rate = stage.rate(self.done)
        batch, epoch, position = self._next_batch()
        if self._average_from is not None and self.done >= self._average_from:
            self.model.count_averaged_step()
        key = kernels.stream_key(self.config.seed, _STEP, epoch, position)
        if self.sampler is not None:
            self.sampler.refresh(self.done)
        outcome = self.gradient.take_step(batch, epoch, position, StepContext(rate, key))
        if outcome.bad_losses:
            if outcome.bad_class is not None:
                raise bad_proposal(self, outcome.bad_class)
            first = int(np.flatnonzero(~np.isfinite(outcome.losses))[0])
            raise bad_loss(self, rate, self._place(int(batch.example_ids[first])))
        if outcome.bad_weights:
            raise bad_weights(self, rate)
        weighted = float(np.dot(outcome.losses, batch.weights))
        # Heavy examples are no bad ones: what is watched is the loss of a unit of weight.
        if weight := float(batch.weights.sum()):
            self._watch.take(self, rate, weighted / weight)
        self.done += 1
        self.examples += batch.size
        self.candidates_scored += outcome.candidates_scored
        self._decay(rate)
        return weighted / batch.size

    def touch_memory(self) -> None:
        """Write to all weights and state: memory that no process has used before is slow to get."""
        for tensors in self.model.live_arrays(0).values():
            for tensor in tensors.values():
                tensor += 0

    def warm_up(self, size: int = 1) -> None:
        """Load the kernels of a step, by one of few examples; no run goes on from it."""
        ids = epoch_order(
            self.config.seed, 0, self.dataset.num_examples, 0, size, self._shuffle_block
        )
        key = kernels.stream_key(self.config.seed, _STEP, 0, 0)
        if self._average_from == 0:
            self.model.count_averaged_step()
        self.gradient.take_step(self._reader.take(ids), 0, 0, StepContext(self.rate, key))

    def _place(self, example: int) -> str:
        rows = self.dataset.rows
        return self.dataset.place(
            int(self.dataset.lines[example if rows is None else rows[example]])
        )

    def _next_batch(self) -> "tuple[Batch, int, int]":
        epoch, position = divmod(self.done, self.steps_per_epoch)
        size, count = self.config.training.batch_size, self.dataset.num_examples
        start = position * size
        stop = min(start + size, count)
        ids = epoch_order(self.config.seed, epoch, count, start, stop, self._shuffle_block)
        return self._reader.take(ids), epoch, position

    def _decay(self, rate: float) -> None:
        """Take in the step's weight decay; every so many steps and at the end of a stage, sweep.

        This is equation 30 of docs/derivation.md.
        """
        optimizer = self.stage.config.optimizer
        if not optimizer.l2:
            return
        assert optimizer.l2_interval is not None
        self._pending_decay *= 1 - rate * optimizer.l2
        if self.done % optimizer.l2_interval == 0 or self.ends_stage:
            self.sweep()

    def sweep(self) -> None:
        """Apply the pending decay; a run that ends early ends with one too."""
        if self._pending_decay != 1.0:
            if self.model.sweep(self._pending_decay, self._sweep_key()):
                raise bad_weights(self, self.last_rate)
            self._pending_decay = 1.0

    def _sweep_key(self) -> int:
        return kernels.stream_key(self.config.seed, _SWEEP, self.done, 0)

    def tensors(self) -> "dict[str, Mapping[str, TensorSource]]":
        """Return what a checkpoint keeps, by part."""
        return {**self.model.tensors(), **self.gradient.tensors()}

    def state(self) -> dict[str, Any]:
        """Return the numbers that a checkpoint keeps."""
        epoch, position = divmod(self.done, self.steps_per_epoch)
        return {
            "epoch": epoch,
            "position": position,
            "stage": self.stage.number,
            "examples": self.examples,
            "candidates_scored": self.candidates_scored,
            "pending_decay": self._pending_decay,
            "averaged_steps": self.model.averaged_steps,
            "recent_losses": self._watch.recent,
        }

    def restore(self, checkpoint: "Checkpoint") -> None:
        """Take over the state of a checkpoint."""
        state = checkpoint.state
        for part, arrays in self.model.live_arrays(state["averaged_steps"]).items():
            checkpoint.read_into(part, arrays)
        self.done = checkpoint.step
        self._enter(self._stage_of(self.done), checkpoint)
        self.examples = state["examples"]
        self.candidates_scored = state["candidates_scored"]
        self._pending_decay = state["pending_decay"]
        self._watch.recent = list(state["recent_losses"])
