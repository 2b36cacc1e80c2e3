"""``sampler: {type: auto}``: the cheapest of several samplers, found by measuring."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sstrain.config import conflicts
from sstrain.samplers import PROPOSALS, is_auto
from sstrain.training.bench import SIZES, Bench, with_sampler
from sstrain.training.building import build_engine
from sstrain.training.trials import (
    DEFAULT_SIZE,
    Quality,
    Trial,
    cheapest,
    samples_for,
    wanted_quality,
)

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.data.loading import Splits
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.training.engine import Engine
    from sstrain.training.warm_start import Source

__all__ = ["Choice", "choose", "provisional", "settle"]

#: The proposals that are tried, each as its defaults are, as far as they suit model and objective.
_TRIED: tuple[dict[str, Any], ...] = (
    {"type": "unigram", "share": "batch"},
    {"type": "uniform", "share": "batch"},
    {"type": "unigram", "share": "example"},
    {"type": "cooccurrence"},
    {"type": "midx"},
    {"type": "tree"},
)
_DEFAULT = {"type": "unigram", "share": "batch"}
#: Of the time, the part that the model is trained for before anything is measured.
_WARM_SHARE = 0.3
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

    Each is measured at two or three numbers of samples K: the error of the batch's gradient and
    its bias, and the time of a step, all at the same weights. The K from which on neither is above
    what is asked for follows by interpolation, and of all that reach it, the one with the quickest
    step is chosen, its share of the time that fitting took included.

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
    assert is_auto(config.sampler)
    auto: Any = config.sampler
    engine, _ = build_engine(provisional(config), splits, source, report)
    report(f"sampler auto: measuring proposals for about {auto.seconds:g} CPU seconds ...")
    engine.warm_up()
    engine.touch_memory()
    _train(engine, _WARM_SHARE * auto.seconds)
    bench = Bench(config, engine, splits.vocabulary)
    found, left_out = bench.measure(
        _tried(config, splits.vocabulary), (1 - _WARM_SHARE) * auto.seconds, auto.error
    )
    wanted = wanted_quality(auto.error, found[0])
    best = cheapest(found, wanted, splits.vocabulary.num_classes)
    samples = samples_for(best, wanted, splits.vocabulary.num_classes)
    chosen = with_sampler(config, {**best.keys, "num_samples": samples})
    return Choice(
        chosen,
        (*_told(found, best, samples, wanted, splits.vocabulary), *left_out),
        {
            "asked": auto.model_dump(),
            "wanted": wanted._asdict(),
            "chosen": chosen.sampler.model_dump(),  # type: ignore[union-attr]
            "measured": [trial.as_json() for trial in found],
        },
    )


def provisional(config: "Config") -> "Config":
    """Return a config with a sampler in the place of ``auto``, by which a model is warmed."""
    if not is_auto(config.sampler):
        return config
    return with_sampler(config, {**_DEFAULT, "num_samples": DEFAULT_SIZE})


def _tried(config: "Config", vocabulary: "Vocabulary") -> list[dict[str, Any]]:
    """Return the proposals that suit the model, the objective and the classes."""
    found = []
    for keys in _TRIED:
        if keys["type"] not in PROPOSALS or (keys["type"] == "uniform" and not _flat(vocabulary)):
            continue
        if not any(conflicts(with_sampler(config, {**keys, "num_samples": SIZES[0]}))):
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
    stop = time.process_time() + seconds
    while time.process_time() < stop and engine.done < engine.steps_per_epoch:
        engine.step()


def _told(
    trials: list[Trial], best: Trial, samples: int, wanted: Quality, vocabulary: "Vocabulary"
) -> tuple[str, ...]:
    num_classes, entropy = vocabulary.num_classes, _entropy(vocabulary)
    unigram = trials[0].figures[0].divergence
    rows = [
        f"  {trial.name:32} K = {samples_for(trial, wanted, num_classes):5,} for that, "
        f"{1e3 * trial.seconds_at(samples_for(trial, wanted, num_classes)):8.3f} ms a step with "
        f"its part of {trial.fit_seconds:.1f} s of fitting"
        if trial.reaches(wanted, num_classes)
        else f"  {trial.name:32} not reached with {trial.figures[-1].num_samples:,} samples"
        for trial in trials
    ]
    reached = best.reaches(wanted, num_classes)
    why = (
        "the quickest step of that quality"
        if reached
        else "none has that quality, it comes closest"
    )
    return (
        f"V = {num_classes:,} classes, as uneven as {math.exp(entropy):,.0f} equal ones; the "
        f"model's probabilities are {unigram:.2f} nats from unigram^0.75",
        f"asked for: a squared error of a batch's gradient of at most {wanted.error:.3g} of its "
        f"square, a bias at the targets of at most {wanted.bias:.3g} of their derivatives",
        *rows,
        f"chosen: {best.name}, num_samples {samples}: {why}",
    )
