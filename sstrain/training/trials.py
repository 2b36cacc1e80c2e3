"""Samplers that have been measured: the number of samples for a quality, and what it costs."""

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

__all__ = [
    "DEFAULT_SIZE",
    "Figures",
    "Quality",
    "Trial",
    "cheapest",
    "samples_for",
    "wanted_quality",
]

#: The number of samples of the first proposal whose quality is asked for.
DEFAULT_SIZE = 64

#: The most samples that are chosen: a share of the classes, a multiple of the most measured.
_MOST_CLASSES, _MOST_MEASURED = 0.5, 4
_MULTIPLE = 4
#: What the draws of a measurement may make of the first proposal's bias.
_TOLERANCE = 1.1
#: From this slope of the logarithms on, more samples do not help.
_FLAT = -0.1
#: Stands for 0 among logarithms.
_LEAST = 1e-300


class Quality(NamedTuple):
    """How wrong a sampled gradient is, or may be.

    The error of a batch's gradient is for the most part noise, which the steps of a run average
    out. Its bias they do not: few samples for each of many examples may have a small error and a
    bias that ruins the model, so that both count.

    Attributes
    ----------
    error : float
        The squared error of a batch's gradient, relative to the exact gradient's square.
    bias : float
        Of the derivatives by the targets' scores, relative to their size.
    """

    error: float
    bias: float

    def suffices(self, wanted: "Quality") -> bool:
        """Tell whether neither figure is above the wanted one."""
        return all(mine <= theirs for mine, theirs in zip(self, wanted, strict=True))


@dataclass(frozen=True)
class Figures:
    """What one number of samples comes to.

    Attributes
    ----------
    num_samples : int
        K.
    quality : Quality
    divergence : float
        KL(p || q), in nats.
    seconds : float
        CPU seconds of a step.
    """

    num_samples: int
    quality: Quality
    divergence: float
    seconds: float


@dataclass(frozen=True)
class Trial:
    """A proposal and how it is shared, at several rising numbers of samples."""

    keys: dict[str, Any]
    figures: tuple[Figures, ...]
    fit_seconds: float
    fit_seconds_a_step: float = 0.0  # over all steps of the run

    @property
    def name(self) -> str:
        """The proposal, and how it is shared where it may be otherwise."""
        share = self.keys.get("share")
        return str(self.keys["type"]) + (f", share {share}" if share else "")

    def at(self, num_samples: int) -> Figures:
        """Return the figures at the measured number of samples that is nearest."""
        return min(self.figures, key=lambda figures: abs(figures.num_samples - num_samples))

    def samples(self, wanted: Quality) -> float:
        """Return the K from which on neither figure is above the wanted one, or infinity.

        It is at least the fewest that were measured.
        """
        sizes = [f.num_samples for f in self.figures]
        needed = [
            _crossing(sizes, [f.quality[place] for f in self.figures], most)
            for place, most in enumerate(wanted)
        ]
        return max(*needed, float(sizes[0]))

    def reaches(self, wanted: Quality, num_classes: int) -> bool:
        """Tell whether so few samples suffice that sampling them makes sense."""
        most = min(_MOST_MEASURED * self.figures[-1].num_samples, _MOST_CLASSES * num_classes)
        return self.samples(wanted) <= max(most, self.figures[0].num_samples)

    def seconds_at(self, num_samples: int) -> float:
        """Return the CPU seconds of a step, by the line through the nearest two that were timed.

        A step's part of the time that fitting took is among them.
        """
        if len(self.figures) == 1:
            return self.figures[0].seconds + self.fit_seconds_a_step
        pairs = list(zip(self.figures, self.figures[1:], strict=False))
        inside = [pair for pair in pairs if num_samples <= pair[1].num_samples]
        first, second = inside[0] if inside else pairs[-1]
        slope = (second.seconds - first.seconds) / (second.num_samples - first.num_samples)
        step = first.seconds + slope * (num_samples - first.num_samples)
        return max(step, first.seconds / 4) + self.fit_seconds_a_step

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "sampler": self.keys,
            "fit_seconds": round(self.fit_seconds, 4),
            "figures": [asdict(figures) for figures in self.figures],
        }


def _crossing(sizes: list[int], values: list[float], most: float) -> float:
    """Return the K of a value by the line through log K and log value, or infinity."""
    points = [
        (math.log(size), math.log(max(value, _LEAST)))
        for size, value in zip(sizes, values, strict=True)
    ]
    wanted = math.log(max(most, _LEAST))
    if len(points) == 1:
        return math.inf if points[0][1] > wanted else sizes[0]
    above = [k for k, point in enumerate(points[:-1]) if point[1] > wanted]
    k = above[-1] if above else 0
    (x0, y0), (x1, y1) = points[k], points[k + 1]
    slope = (y1 - y0) / (x1 - x0)
    if slope > _FLAT:
        if y0 <= wanted:
            return float(sizes[k])
        return math.inf if y1 > wanted else float(sizes[k + 1])
    return math.exp(min(x0 + (wanted - y0) / slope, 700.0))


def wanted_quality(error: float | None, first: Trial) -> Quality:
    """Return what is asked for: by default the quality of 64 samples of the first proposal."""
    reference = first.at(DEFAULT_SIZE).quality
    return Quality(reference.error if error is None else error, _TOLERANCE * reference.bias)


def samples_for(trial: Trial, wanted: Quality, num_classes: int) -> int:
    """Return the number of samples that suffice, or the most measured if none do.

    It is a multiple of 4, as far as there are classes for it.
    """
    if not trial.reaches(wanted, num_classes):
        return trial.figures[-1].num_samples
    samples = min(trial.samples(wanted), float(num_classes))
    rounded = _MULTIPLE * max(1, math.ceil(samples / _MULTIPLE - 1e-9))
    return max(1, min(rounded, num_classes))


def cheapest(trials: list[Trial], wanted: Quality, num_classes: int) -> Trial:
    """Return the sampler with the quickest step of a quality, or else the least wrong one."""
    able = [trial for trial in trials if trial.reaches(wanted, num_classes)]
    if not able:
        return min(trials, key=lambda trial: trial.figures[-1].quality)
    return min(able, key=lambda trial: trial.seconds_at(samples_for(trial, wanted, num_classes)))
