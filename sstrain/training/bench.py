"""Measuring samplers: the error of a batch's gradient, and the time of a step."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from sstrain.config import sampler_section
from sstrain.data.batches import BatchReader
from sstrain.diagnostics.measure import Measurement
from sstrain.models.base import StepContext
from sstrain.objectives.base import SampledObjective
from sstrain.training.forecast import GIB, data_size
from sstrain.training.gradient import Gradient
from sstrain.training.memory import available_memory
from sstrain.training.trials import Figures, Quality, Trial, wanted_quality

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.training.engine import Engine

__all__ = ["SIZES", "Bench", "with_sampler"]

SIZES = (16, 64, 256)
_STEPS_SECONDS = 0.25
_PARTS = 5
_DRAWS = 32
#: Scores of all classes that one measurement holds at most.
_SCORES = 1 << 23
_LEAST_BATCH = 8


def with_sampler(config: "Config", keys: dict[str, Any]) -> "Config":
    """Return the config with another sampler."""
    objective = config.objective
    assert isinstance(objective, SampledObjective)
    section = sampler_section(keys).resolved(objective.replacement, config.training.batch_size)
    return config.model_copy(update={"sampler": section})


class Bench:
    """Measures samplers at the weights of one engine, which stay as they are."""

    def __init__(self, config: "Config", engine: "Engine", vocabulary: "Vocabulary") -> None:
        self.config, self.engine, self.vocabulary = config, engine, vocabulary
        size = max(_LEAST_BATCH, _SCORES // vocabulary.num_classes)
        dataset = engine.dataset
        self.batch_size = min(config.training.batch_size, size, dataset.num_examples)
        self._reader = BatchReader(dataset, vocabulary.num_features)
        self.sizes = [k for k in SIZES if k == SIZES[0] or k <= vocabulary.num_classes // 2]
        self._spent = 0.0
        self._position = 0

    def measure(
        self, proposals: list[dict[str, Any]], seconds: float, error: float | None
    ) -> tuple[list[Trial], list[str]]:
        """Return what there was time for to measure, and lines on what there was not.

        Each has an equal part of the time that is left, and is measured at no more samples than
        tell how many suffice (`wanted_quality`). Fitting, and the loading of kernels by one step
        beforehand, take none of that time.
        """
        found: list[Trial] = []
        left_out: list[str] = []
        for place, keys in enumerate(proposals):
            part = (seconds - self._spent) / (len(proposals) - place)
            enough = wanted_quality(error, found[0]) if found else None
            needed = self._needs(keys)
            if needed > available_memory():
                left_out.append(f"  {keys['type']}: not tried; needs {needed / GIB:.2f} GiB")
            elif found and self._spent > seconds:
                left_out.append(f"  {keys['type']}: not tried; sampler.seconds were over")
            else:
                found.append(self._trial(keys, part, enough))
        return found, left_out

    def _needs(self, keys: dict[str, Any]) -> int:
        """Return the bytes of a sampler."""
        engine = self.engine
        config = with_sampler(self.config, {**keys, "num_samples": self.sizes[-1]})
        assert config.sampler is not None
        return config.sampler.memory_bytes(data_size(config, self.vocabulary, engine.dataset))

    def _trial(self, keys: dict[str, Any], seconds: float, enough: Quality | None) -> Trial:
        """Return a proposal's figures at several numbers of samples; it is fitted once.

        From two on, it ends when the time is over or the quality suffices.
        """
        engine, state = self.engine, None
        figures: list[Figures] = []
        fit_seconds, end = 0.0, self._spent + seconds
        for size in self.sizes:
            if len(figures) > 1 and (
                self._spent > end or (enough and figures[-1].quality.suffices(enough))
            ):
                break
            config = with_sampler(self.config, {**keys, "num_samples": size})
            vars(engine).pop("gradient", None)  # two samplers are never in memory at once
            start = time.process_time()
            engine.gradient = Gradient(
                config, engine.dataset, self.vocabulary, engine.model, sampler_state=state
            )
            assert engine.sampler is not None
            if state is None:
                fit_seconds = time.process_time() - start
                state = engine.sampler.tensors()
            self._steps(1)
            start = time.process_time()
            figures.append(Figures(size, *self._quality(config), self._step_seconds()))
            self._spent += time.process_time() - start
        return Trial(keys, tuple(figures), fit_seconds, fit_seconds / max(1, engine.total_steps))

    def _quality(self, config: "Config") -> tuple[Quality, float]:
        """Return how wrong the gradient is, and KL(p || q)."""
        engine, objective = self.engine, config.objective
        assert isinstance(objective, SampledObjective)
        assert engine.sampler is not None
        measurement = Measurement(
            objective,
            engine.sampler,
            engine.dataset,
            self.vocabulary.num_features,
            self.batch_size,
            self.batch_size,
            _DRAWS,
        )
        found = measurement.gradient_error(engine.model, engine.gradient.state)
        return Quality(found.squared, found.target_bias), found.divergence

    def _step_seconds(self) -> float:
        """Return the CPU seconds of a step, the median of several parts of the time."""
        parts = []
        for _ in range(_PARTS):
            start, steps = time.process_time(), 0
            while time.process_time() < start + _STEPS_SECONDS / _PARTS:
                self._steps(1)
                steps += 1
            parts.append((time.process_time() - start) / steps)
        return float(np.median(parts))

    def _steps(self, count: int) -> None:
        """Take steps at a rate of 0, so that all are measured at the same weights."""
        engine, size = self.engine, self.config.training.batch_size
        for _ in range(count):
            self._position = (self._position + 1) % engine.steps_per_epoch
            start = self._position * size
            stop = min(start + size, engine.dataset.num_examples)
            context = StepContext(0.0, self._position)
            engine.gradient.take_step(
                self._reader.take(np.arange(start, stop)), 0, self._position, context
            )
