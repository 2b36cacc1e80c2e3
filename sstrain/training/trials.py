"""Samplers that have been measured: the number of samples for an error, and what it costs."""

import math
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["DEFAULT_SIZE", "Figures", "Trial", "cheapest", "samples_for", "wanted_error"]

#: The number of samples of the first proposal whose error is asked for where no error is given.
DEFAULT_SIZE = 64

#: The most samples that are chosen: a share of the classes, a multiple of the most measured.
_MOST_CLASSES, _MOST_MEASURED = 0.5, 4
_MULTIPLE = 4


@dataclass(frozen=True)
class Figures:
    """What one number of samples comes to.

    Attributes
    ----------
    num_samples : int
        K.
    error : float
        The squared error of a batch's gradient, relative to the exact gradient's square.
    divergence : float
        KL(p || q), in nats.
    seconds : float
        CPU seconds of a step.
    """

    num_samples: int
    error: float
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

    def samples(self, error: float) -> float:
        """Return the K of an error by the line through log K and log error, or infinity."""
        points = [(math.log(f.num_samples), math.log(max(f.error, 1e-300))) for f in self.figures]
        if len(points) == 1:
            return math.inf if points[0][1] > math.log(error) else self.figures[0].num_samples
        above = [k for k, point in enumerate(points[:-1]) if point[1] > math.log(error)]
        k = above[-1] if above else 0
        (x0, y0), (x1, y1) = points[k], points[k + 1]
        slope = (y1 - y0) / (x1 - x0)
        if slope > -0.1:  # more samples do not help
            return math.inf if y1 > math.log(error) else float(self.figures[k + 1].num_samples)
        return math.exp(min(x0 + (math.log(error) - y0) / slope, 700.0))

    def reaches(self, error: float, num_classes: int) -> bool:
        """Tell whether so few samples have the error that sampling them makes sense."""
        most = min(_MOST_MEASURED * self.figures[-1].num_samples, _MOST_CLASSES * num_classes)
        return self.samples(error) <= max(most, self.figures[0].num_samples)

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


def wanted_error(error: float | None, first: Trial) -> float:
    """Return the error that is asked for: by default that of 64 samples of the first proposal."""
    return first.at(DEFAULT_SIZE).error if error is None else error


def samples_for(trial: Trial, error: float, num_classes: int) -> int:
    """Return the number of samples to take for an error, or the most measured if it is not reached.

    It is a multiple of 4, as far as there are classes for it.
    """
    if not trial.reaches(error, num_classes):
        return trial.figures[-1].num_samples
    wanted = min(trial.samples(error), float(num_classes))
    rounded = _MULTIPLE * max(1, math.ceil(wanted / _MULTIPLE - 1e-9))
    return max(1, min(rounded, num_classes))


def cheapest(trials: list[Trial], error: float, num_classes: int) -> Trial:
    """Return the sampler with the quickest step at an error; the most exact one if none does."""
    able = [trial for trial in trials if trial.reaches(error, num_classes)]
    if not able:
        return min(trials, key=lambda trial: trial.figures[-1].error)
    return min(able, key=lambda trial: trial.seconds_at(samples_for(trial, error, num_classes)))
