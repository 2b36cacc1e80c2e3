"""``sampler: {type: auto}``: the cheapest of several samplers, found by measuring."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sstrain.config import conflicts, sampler_section
from sstrain.diagnostics.measure import Measurement
from sstrain.objectives.base import SampledObjective
from sstrain.samplers import PROPOSALS, is_auto
from sstrain.training.building import build_engine
from sstrain.training.gradient import Gradient
from sstrain.training.trials import Figures, Trial, cheapest, samples_for

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.data.loading import Splits
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.training.engine import Engine
    from sstrain.training.warm_start import Source

__all__ = ["Choice", "choose", "settle"]

#: The proposals that are tried, each as its defaults are, as far as they suit model and objective.
_TRIED: tuple[dict[str, Any], ...] = (
    {"type": "unigram", "share": "batch"},
    {"type": "uniform", "share": "batch"},
    {"type": "unigram", "share": "example"},
    {"type": "cooccurrence"},
    {"type": "midx"},
    {"type": "tree"},
)
_SIZES = (16, 64, 256)
_DEFAULT = {"type": "unigram", "share": "batch"}
_DEFAULT_SIZE = 64
#: Of the time, the part that the model is trained for before anything is measured.
_WARM_SHARE = 0.3
_STEPS_SECONDS = 0.25
_DRAWS = 64
#: Scores of all classes that one measurement holds at most.
_SCORES = 1 << 21
_LEAST_BATCH = 8
#: Classes are taken as equally frequent from this share of the entropy of equal frequencies on.
_FLAT = 0.98


@dataclass(frozen=True)
class Choice:
    """A sampler that was chosen, and why.

    Attributes
    ----------
    config : Config
        With the sampler in the place of ``auto``.
    lines : tuple of str
        What was measured, for a person.
    figures : dict
        The same, as environment.json keeps it.
    """

    config: "Config"
    lines: tuple[str, ...]
    figures: dict[str, Any]


def settle(
    config: "Config",
    splits: "Splits",
    source: "Source | None",
    report: Callable[[str], None],
) -> "tuple[Config, dict[str, Any]]":
    """Return a config whose sampler is chosen, and what environment.json says of the choice.

    A config that names its sampler is returned as it is.
    """
    if not is_auto(config.sampler):
        return config, {}
    choice = choose(config, splits, source, report)
    for line in choice.lines:
        report(line)
    return choice.config, {"sampler_choice": choice.figures}


def choose(
    config: "Config",
    splits: "Splits",
    source: "Source | None",
    report: Callable[[str], None],
) -> Choice:
    """Measure proposals on a model that has been trained for some seconds, and choose.

    Each is measured at three numbers of samples K: the error of the batch's gradient, and the time
    of a step. The K at which it has the error that is asked for follows by interpolation, and of
    all that reach it, the one with the quickest step is chosen.

    Parameters
    ----------
    config : Config
        Resolved, with a sampler of type ``auto``.
    splits : Splits
    source : Source or None
        Whose weights the run starts from.
    report : callable

    Raises
    ------
    UserError
        If the model does not fit in memory.
    """
    assert config.sampler is not None
    assert is_auto(config.sampler)
    auto: Any = config.sampler
    started = time.process_time()
    warm = _with_sampler(config, {**_DEFAULT, "num_samples": _DEFAULT_SIZE})
    engine, _ = build_engine(warm, splits, source, report)
    report(f"sampler auto: measuring proposals for about {auto.seconds:g} CPU seconds ...")
    _train(engine, _WARM_SHARE * auto.seconds)
    bench = _Bench(config, engine, splits.vocabulary)
    found: list[Trial] = []
    for keys in _tried(config, splits.vocabulary):
        if found and time.process_time() - started > auto.seconds:
            break
        found.append(bench.measure(keys))
    wanted = auto.error
    if wanted is None:
        wanted = found[0].at(_DEFAULT_SIZE).error
    best = cheapest(found, wanted, splits.vocabulary.num_classes)
    samples = samples_for(best, wanted, splits.vocabulary.num_classes)
    chosen = _with_sampler(config, {**best.keys, "num_samples": samples})
    return Choice(
        chosen,
        _told(found, best, samples, wanted, splits.vocabulary),
        {
            "wanted_error": wanted,
            "chosen": chosen.sampler.model_dump(),  # type: ignore[union-attr]
            "measured": [trial.as_json() for trial in found],
        },
    )


def _with_sampler(config: "Config", keys: dict[str, Any]) -> "Config":
    """Return the config with another sampler."""
    objective = config.objective
    assert isinstance(objective, SampledObjective)
    section = sampler_section(keys).resolved(objective.replacement, config.training.batch_size)
    return config.model_copy(update={"sampler": section})


def _tried(config: "Config", vocabulary: "Vocabulary") -> list[dict[str, Any]]:
    """Return the proposals that suit the model, the objective and the classes."""
    found = []
    for keys in _TRIED:
        if keys["type"] not in PROPOSALS or (keys["type"] == "uniform" and not _flat(vocabulary)):
            continue
        if not any(conflicts(_with_sampler(config, {**keys, "num_samples": _SIZES[0]}))):
            found.append(keys)
    return found


def _flat(vocabulary: "Vocabulary") -> bool:
    return _entropy(vocabulary) >= _FLAT * math.log(max(vocabulary.num_classes, 2))


def _entropy(vocabulary: "Vocabulary") -> float:
    """Return the entropy of the classes' frequencies, in nats."""
    shares = vocabulary.class_counts / vocabulary.class_counts.sum()
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def _train(engine: "Engine", seconds: float) -> None:
    """Take steps for so many CPU seconds, or an epoch."""
    engine.warm_up()
    engine.touch_memory()
    stop = time.process_time() + seconds
    while time.process_time() < stop and engine.done < engine.steps_per_epoch:
        engine.step()


class _Bench:
    """Measures samplers at the weights of one engine."""

    def __init__(self, config: "Config", engine: "Engine", vocabulary: "Vocabulary") -> None:
        self.config, self.engine, self.vocabulary = config, engine, vocabulary
        size = max(_LEAST_BATCH, _SCORES // vocabulary.num_classes)
        self.batch_size = min(config.training.batch_size, size, engine.dataset.num_examples)

    def measure(self, keys: dict[str, Any]) -> Trial:
        """Return a proposal's figures at several numbers of samples."""
        figures: list[Figures] = []
        fit_seconds = 0.0
        for size in _SIZES:
            if size > self.vocabulary.num_classes // 2 and figures:
                break
            config = _with_sampler(self.config, {**keys, "num_samples": size})
            start = time.process_time()
            engine = self.engine
            engine.gradient = Gradient(config, engine.dataset, self.vocabulary, engine.model)
            fit_seconds = time.process_time() - start
            assert engine.sampler is not None
            engine.sampler.refresh(engine.done)
            figures.append(Figures(size, *self._error(config), self._step_seconds()))
        return Trial(keys, tuple(figures), fit_seconds)

    def _error(self, config: "Config") -> tuple[float, float]:
        """Return the squared error of a batch's gradient, relative to the exact one's, and KL."""
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
        found = {
            (figure.quantity, figure.level, figure.space): figure.value
            for figure in measurement.figures(engine.model, engine.gradient.state)
            if figure.part in ("all", "")
        }
        bias = found.get(("relative_bias", "batch", "weight"), 0.0)
        variance = found.get(("relative_variance", "batch", "weight"), 0.0)
        divergence = [value for key, value in found.items() if key[0] == "kl_divergence"]
        return bias**2 + max(variance, 0.0), divergence[0]

    def _step_seconds(self) -> float:
        """Return the CPU seconds of a step."""
        engine = self.engine
        engine.step()  # loads kernels
        start, steps = time.process_time(), 0
        while time.process_time() < start + _STEPS_SECONDS:
            engine.done %= engine.total_steps
            engine.step()
            steps += 1
        return (time.process_time() - start) / steps


def _told(
    trials: list[Trial], best: Trial, samples: int, wanted: float, vocabulary: "Vocabulary"
) -> tuple[str, ...]:
    num_classes, entropy = vocabulary.num_classes, _entropy(vocabulary)
    unigram = trials[0].figures[0].divergence
    rows = [
        f"  {trial.name:32} K = {samples_for(trial, wanted, num_classes):5,} for that error, "
        f"{1e3 * trial.seconds_at(samples_for(trial, wanted, num_classes)):8.3f} ms a step"
        if trial.reaches(wanted, num_classes)
        else f"  {trial.name:32} not reached with {trial.figures[-1].num_samples:,} samples"
        for trial in trials
    ]
    return (
        f"V = {num_classes:,} classes, as uneven as {math.exp(entropy):,.0f} equal ones; the "
        f"model's probabilities are {unigram:.2f} nats from unigram^0.75",
        f"squared error of a batch's gradient that is asked for: {wanted:.3g} of the exact one's",
        *rows,
        f"chosen: {best.name}, num_samples {samples}: the quickest step at that error",
    )
