"""The loop of one run: steps, evaluations, checkpoints, the end."""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstrain import kernels
from sstrain.evaluation.exact import evaluate
from sstrain.training.clocks import clocks
from sstrain.training.divergence import DivergedError
from sstrain.training.engine import Engine
from sstrain.training.live import LiveDiagnostics
from sstrain.training.progress import Progress
from sstrain.training.signals import StoppedError, StopRequest

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.data.loading import Splits
    from sstrain.training.checkpoint import Checkpoint
    from sstrain.training.checkpoints import Checkpoints
    from sstrain.training.metrics import MetricsSink

__all__ = ["Loop"]


@dataclass
class _Standing:
    """What the loop itself remembers from step to step, and a checkpoint with it."""

    best_log_loss: float | None = None
    evaluations_without_gain: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    finished: bool = False


class Loop:
    """Brings an engine to the end of its run, and writes down what happens on the way.

    Parameters
    ----------
    config : Config
        Resolved.
    engine : Engine
    splits : Splits
    checkpoints : Checkpoints
    metrics : MetricsSink
    report : callable
        Takes lines for a person to read.
    """

    def __init__(
        self,
        config: "Config",
        engine: Engine,
        splits: "Splits",
        checkpoints: "Checkpoints",
        metrics: "MetricsSink",
        report: Callable[[str], None],
    ) -> None:
        self.config = config
        self.engine = engine
        self.splits = splits
        self.checkpoints = checkpoints
        self.metrics = metrics
        self.report = report
        self.standing = _Standing()
        steps = engine.steps_per_epoch
        self._log_every = config.training.log_every.in_steps(steps)
        self._evaluate_every = None
        if splits.validation is not None and config.evaluation.every is not None:
            self._evaluate_every = config.evaluation.every.in_steps(steps)
        self._live = None if config.diagnostics is None else LiveDiagnostics(config, engine)
        every = config.checkpoint.every
        self._save_every = None if every.unit == "minutes" else every.in_steps(steps)
        self._save_minutes = every.count if every.unit == "minutes" else None

    def restore(self, checkpoint: "Checkpoint") -> None:
        """Go back to where a checkpoint was written; what metrics say of later steps is cut."""
        self.engine.restore(checkpoint)
        self.standing = _Standing(**checkpoint.state["standing"])
        self.metrics.truncate(checkpoint.state["metrics_bytes"])

    def run(self, request: StopRequest) -> None:
        """Train until the run is finished.

        Raises
        ------
        DivergedError
            If the losses or weights are beyond use; the last good checkpoint stays.
        StoppedError
            If a signal asked for it; a checkpoint has been saved.
        """
        self._start_clocks()
        self._saved_at = time.monotonic()
        config, engine = self.config, self.engine
        total = self.splits.train.num_examples * config.training.epochs
        with Progress(total, engine.examples, self.report) as self._progress:
            kernels.tell_compilation(self._progress.say)
            try:
                while not self.standing.finished:
                    before, stage = engine.examples, engine.stage
                    loss = engine.step()
                    if engine.stage is not stage:
                        self._tell_stage()
                    self.standing.loss_sum += loss
                    self.standing.loss_steps += 1
                    self._progress.advance(engine.examples - before)
                    self._after_step()
                    if request.signal_number is not None and not self.standing.finished:
                        self._stop(request.signal_number)
            except DivergedError as error:
                raise DivergedError(f"{error}; {self._last_checkpoint()}") from None

    def _after_step(self) -> None:
        engine, standing = self.engine, self.standing
        ended = engine.done == engine.total_steps
        if engine.ends_stage or engine.done % self._log_every == 0:
            self._log()
        if self._live is not None and self._live.due():
            self._measure(self._live)
        best = False
        if self._evaluate_every and (ended or engine.done % self._evaluate_every == 0):
            best = self._evaluate()
        patience = self.config.training.patience
        if not ended and patience and standing.evaluations_without_gain >= patience:
            self._progress.say(
                f"no better validation log-loss in {patience} evaluations: stopping early"
            )
            engine.sweep()
            ended = True
        if ended:
            standing.finished = True
            reason = "finished" if engine.done == engine.total_steps else "patience"
            compiling = round(kernels.compilation_time().wall_seconds, 3)
            self._write("end", reason=reason, compile_seconds=compiling)
        if best or ended or self._save_is_due():
            self._save(best)
            self._progress.restart_clock()

    def _tell_stage(self) -> None:
        number, config = self.engine.stage.number, self.engine.stage.config
        by = (
            ""
            if config.sampler is None
            else (f", sampler {config.sampler.type} with {config.sampler.num_samples} samples")
        )
        stages = f"stage {number} of {len(self.engine.stages)}"
        self._progress.say(f"{stages}: objective {config.objective.type}{by}")

    def _log(self) -> None:
        standing, engine = self.standing, self.engine
        loss = standing.loss_sum / standing.loss_steps
        rate = engine.last_rate
        standing.loss_sum, standing.loss_steps = 0.0, 0
        stage = {"stage": engine.stage.number} if self.config.training.stages else {}
        self._write("train", **stage, loss=loss, learning_rate=rate)
        self._progress.log(engine.epoch, engine.done, loss, rate)

    def _measure(self, live: LiveDiagnostics) -> None:
        """Write down how the sampled gradient differs from the exact one; no time of training's."""
        self._stop_clocks()
        figures, line = live.measure()
        self._start_clocks()
        self._write("diagnostics", figures=figures)
        self._progress.restart_clock()
        self._progress.say(f"epoch {self.engine.epoch:.2f}: {line}")

    def _evaluate(self) -> bool:
        """Score the validation split; return whether it is the best so far."""
        assert self.splits.validation is not None
        figures = evaluate(
            self.engine.scorer,
            self.splits.validation,
            self.splits.vocabulary,
            self.config.evaluation.top_k,
            propensity=self.config.evaluation.propensity,
        )
        standing, log_loss = self.standing, figures["log_loss"]
        best = log_loss is not None and (
            standing.best_log_loss is None or log_loss < standing.best_log_loss
        )
        standing.evaluations_without_gain = 0 if best else standing.evaluations_without_gain + 1
        if best:
            standing.best_log_loss = log_loss
        self._write("eval", split="validation", **figures)
        self._progress.restart_clock()
        shown = "not finite" if log_loss is None else f"{log_loss:.4f}"
        self._progress.say(
            f"epoch {self.engine.epoch:.2f}: validation log-loss {shown}"
            + "".join(f", top-{k} {figures[f'top_{k}']:.4f}" for k in self.config.evaluation.top_k)
        )
        return best

    def _save_is_due(self) -> bool:
        if self._save_minutes is not None:
            return time.monotonic() - self._saved_at >= 60 * self._save_minutes
        return self._save_every is not None and self.engine.done % self._save_every == 0

    def _save(self, best: bool) -> None:
        self._stop_clocks()
        state = {
            **self.engine.state(),
            "standing": vars(self.standing),
            "metrics_bytes": self.metrics.position(),
        }
        self.checkpoints.save(self.engine.done, self.engine.tensors(), state, best=best)
        self._saved_at = time.monotonic()

    def _stop(self, signal_number: int) -> None:
        self._progress.say("stopping: writing a checkpoint")
        self._save(best=False)
        config = shlex.quote(str(self.checkpoints.folder.parent / "config.yaml"))
        raise StoppedError(
            f"stopped after step {self.engine.done:,}, checkpoint saved; go on with\n"
            f"  sstrain train --config {config} --resume",
            signal_number,
        )

    def _last_checkpoint(self) -> str:
        last = self.checkpoints.linked("last")
        if last is None:
            return "no checkpoint had been written yet"
        return f"the last good checkpoint is {self.checkpoints.find(last)}"

    def _write(self, event: str, **values: Any) -> None:
        self._stop_clocks()
        engine = self.engine
        self.metrics.write(
            {
                "event": event,
                "step": engine.done,
                "epoch": round(engine.epoch, 6),
                "examples": engine.examples,
                "candidates_scored": engine.candidates_scored,
                "wall_seconds": round(self.standing.wall_seconds, 3),
                "cpu_seconds": round(self.standing.cpu_seconds, 3),
                **values,
            }
        )

    def _start_clocks(self) -> None:
        self._wall, self._cpu = clocks()

    def _stop_clocks(self) -> None:
        """Add what has passed since the clocks were last read."""
        wall, cpu = clocks()
        self.standing.wall_seconds += wall - self._wall
        self.standing.cpu_seconds += cpu - self._cpu
        self._wall, self._cpu = wall, cpu
