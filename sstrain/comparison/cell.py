"""Running one cell: training on a budget, with evaluations and diagnostics on the way."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain.comparison.grid import Cell, arms, total_steps
from sstrain.comparison.records import CellRecord
from sstrain.diagnostics.measure import Measurement
from sstrain.errors import FailureError
from sstrain.evaluation.exact import all_figures, predict_all
from sstrain.objectives.base import SampledObjective
from sstrain.samplers import build_sampler
from sstrain.training.divergence import DivergedError
from sstrain.training.engine import Engine
from sstrain.training.gradient import sampler_setting
from sstrain.training.metrics import finite
from sstrain.training.tensors import digest

if TYPE_CHECKING:
    from sstrain.comparison.records import Arm
    from sstrain.config import Config
    from sstrain.config.comparison import Comparison
    from sstrain.data.dataset import Dataset
    from sstrain.data.loading import Splits
    from sstrain.models.base import Layout
    from sstrain.samplers import Sampler
    from sstrain.training.warm_start import WarmStart

__all__ = ["CellRunner", "validation_lines"]

#: Told how many examples a step took in.
Tell = Callable[[int], None]


def validation_lines(dataset: "Dataset") -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return what a bootstrap over lines needs of the validation split.

    Returns
    -------
    places : int64 array of shape [N]
        For each example with a known label and a weight above 0 the place of its line among the L
        that have one, in their order; -1 for the others.
    weights : float64 array of shape [L]
        Each line's summed weights of these examples: how many there are, where all have weight 1.
    """
    known = (dataset.targets >= 0) & (dataset.weights > 0)
    lines, places = np.unique(dataset.example_lines[known], return_inverse=True)
    of_example = np.full(dataset.num_examples, -1, np.int64)
    of_example[known] = places
    weights = np.bincount(places, dataset.weights[known].astype(np.float64), len(lines))
    return of_example, np.asarray(weights, np.float64)


class CellRunner:
    """Runs cells on data that are loaded once.

    Parameters
    ----------
    comparison : Comparison
        Resolved.
    splits : Splits
        With a validation split.
    start : WarmStart, optional
        Weights that every cell begins with.
    """

    def __init__(
        self, comparison: "Comparison", splits: "Splits", start: "WarmStart | None" = None
    ) -> None:
        assert splits.validation is not None
        self.start = start
        self.comparison = comparison
        self.splits = splits
        self.line_of_example, self.line_weights = validation_lines(splits.validation)
        self._warm: set[tuple[object, ...]] = set()

    def run(self, cell: Cell, tell: Tell) -> CellRecord:
        """Run a cell to its end; one that diverges is a record that says so.

        Parameters
        ----------
        cell : Cell
        tell : callable
            Is given the examples of each step; what it raises ends the cell.
        """
        self._warm_up(cell.config)
        course = _Course(self, cell, tell)
        try:
            course.run()
        except DivergedError as error:
            return CellRecord(
                cell.arm,
                cell.seed,
                "diverged",
                str(error),
                curve=course.curve,
                diagnostics=course.diagnostics,
            )
        return course.record()

    def engine(self, config: "Config", total_steps: int | None = None) -> Engine:
        """Return what trains a cell."""
        splits = self.splits
        return Engine(config, splits.train, splits.vocabulary, total_steps, self.start)

    def measurement(self, config: "Config", sampler: "Sampler") -> Measurement:
        """Return what compares a cell's sampled gradient with the exact one."""
        splits, diagnostics = self.splits, self.comparison.diagnostics
        assert diagnostics != "off"
        assert isinstance(config.objective, SampledObjective)
        return Measurement(
            config.objective,
            sampler,
            splits.train,
            splits.vocabulary.num_features,
            config.training.batch_size,
            diagnostics.examples,
            diagnostics.draws,
        )

    def sampler(self, config: "Config", model: "Layout") -> "Sampler":
        """Return a cell's sampler, as it is before its first step, at a model."""
        assert config.sampler is not None
        splits = self.splits
        setting = sampler_setting(config, splits.vocabulary, splits.train, model)
        sampler = build_sampler(config.sampler, setting)
        sampler.refresh(0)
        return sampler

    def _warm_up(self, config: "Config") -> None:
        """Load the kernels of a step, so that no cell's time holds it."""
        sampler = config.sampler
        shape = sampler and (sampler.type, sampler.share, sampler.replacement)
        kind = (config.objective.type, shape)
        if kind not in self._warm:
            self._warm.add(kind)
            with suppress(FailureError):  # the cell will tell it itself
                engine = self.engine(config)
                engine.touch_memory()
                engine.step()
                engine.sweep()


class _Course:
    """A cell on its way."""

    def __init__(self, runner: CellRunner, cell: Cell, tell: Tell) -> None:
        self.runner, self.cell, self.tell = runner, cell, tell
        budget = runner.comparison.budget
        assert budget is not None
        splits, batch_size = runner.splits, cell.config.training.batch_size
        steps = total_steps(budget, splits.train.num_examples, batch_size)
        self.engine = runner.engine(cell.config, steps)
        self.seconds = budget.seconds
        every = cell.config.evaluation.every
        self.every = steps if every is None else every.in_steps(self.engine.steps_per_epoch)
        self.wall = self.cpu = 0.0
        self.ended = False
        self.curve: list[dict[str, Any]] = []
        self.diagnostics: list[dict[str, Any]] = []
        self.figures: dict[str, Any] = {}
        self.line_losses: NDArray[np.float64] | None = None
        sampler = self.engine.gradient.sampler
        self.measurement = None
        if runner.comparison.diagnostics != "off" and sampler is not None:
            self.measurement = runner.measurement(cell.config, sampler)

    def run(self) -> None:
        """Train until the budget is spent."""
        self._measure("start")
        while not self.ended:
            self._train()
            self._evaluate()
            self._measure("end" if self.ended else "evaluation")
        if self.cell.arm.is_reference and self.runner.comparison.diagnostics != "off":
            self._measure_all_arms()

    def record(self) -> CellRecord:
        """Return what came of it."""
        best = min(self.curve, key=lambda row: float(row["log_loss"]))
        results = {
            **self._counters(),
            **self.figures,
            "best_log_loss": best["log_loss"],
            "best_examples": best["examples"],
            "examples_per_cpu_second": round(self.engine.examples / max(self.cpu, 1e-9), 1),
            "weights_sha256": digest(self.engine.tensors()["model"]),
        }
        return CellRecord(
            self.cell.arm,
            self.cell.seed,
            "finished",
            results=results,
            curve=self.curve,
            diagnostics=self.diagnostics,
            line_losses=self.line_losses,
        )

    def _train(self) -> None:
        """Take steps until the next evaluation or the end."""
        engine, start = self.engine, _clocks()
        stop = min(engine.total_steps, (engine.done // self.every + 1) * self.every)
        while engine.done < stop and not self.ended:
            before = engine.examples
            engine.step()
            self.tell(engine.examples - before)
            if self.seconds is not None:
                self.ended = self.cpu + time.process_time() - start[1] >= self.seconds
        if engine.done == engine.total_steps:
            self.ended = True
        if self.ended:
            engine.sweep()
        wall, cpu = _clocks()
        self.wall += wall - start[0]
        self.cpu += cpu - start[1]

    def _evaluate(self) -> None:
        runner, validation = self.runner, self.runner.splits.validation
        assert validation is not None
        vocabulary = runner.splits.vocabulary
        predictions = predict_all(self.engine.scorer, validation, vocabulary)
        evaluation = self.cell.config.evaluation
        top_k = sorted({1, *evaluation.top_k})
        figures = all_figures(predictions, validation, vocabulary, top_k, evaluation.propensity)
        if figures["log_loss"] is None:
            raise DivergedError(f"after step {self.engine.done:,}: validation log-loss not finite")
        bands = figures.pop("bands")
        self.figures = {
            name: value for name, value in figures.items() if not name.startswith("num_")
        }
        for band, inner in bands.items():
            self.figures[f"{band}_log_loss"] = inner["log_loss"]
        self.curve.append({**self._counters(), **self.figures})
        known = runner.line_of_example >= 0
        places, losses = runner.line_of_example[known], predictions.losses[known]
        self.line_losses = np.zeros(len(runner.line_weights))
        np.add.at(self.line_losses, places, predictions.weights[known] * losses)

    def _measure(self, moment: str) -> None:
        if self.measurement is not None:
            self._keep(self.measurement, moment, "own", self.cell.arm)

    def _measure_all_arms(self) -> None:
        """Measure every setting at the reference's weights: at equal weights, they compare."""
        for arm, config in arms(self.runner.comparison, self.cell.seed):
            sampler = self.runner.sampler(config, self.engine.model)
            self._keep(self.runner.measurement(config, sampler), "end", "reference", arm)

    def _keep(self, measurement: Measurement, moment: str, weights: str, arm: "Arm") -> None:
        engine = self.engine
        where = {
            "objective": arm.objective,
            "sampler": arm.sampler,
            "num_samples": arm.num_samples,
            "seed": self.cell.seed,
            "weights": weights,
            "moment": moment,
            "step": engine.done,
            "examples": engine.examples,
        }
        state = engine.gradient.state if weights == "own" else None
        figures = measurement.figures(engine.scorer, state)
        self.diagnostics += [finite({**where, **figure.as_row()}) for figure in figures]
        self.tell(0)

    def _counters(self) -> dict[str, Any]:
        engine = self.engine
        return {
            "step": engine.done,
            "epoch": round(engine.epoch, 6),
            "examples": engine.examples,
            "candidates_scored": engine.candidates_scored,
            "cpu_seconds": round(self.cpu, 3),
            "wall_seconds": round(self.wall, 3),
        }


def _clocks() -> tuple[float, float]:
    """Return wall and CPU seconds."""
    return time.perf_counter(), time.process_time()
