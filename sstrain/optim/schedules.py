"""Learning-rate schedules: a factor of the highest rate for each step."""

import math
from collections.abc import Callable
from typing import Literal

__all__ = ["NEEDS_LENGTH", "SCHEDULES", "Schedule", "learning_rate"]

Schedule = Literal["constant", "linear", "inverse_sqrt", "cosine"]


def _constant(step: int, total: int, warmup: int) -> float:
    return 1.0


def _linear(step: int, total: int, warmup: int) -> float:
    return 1 - (step - warmup) / max(total - warmup, 1)


def _inverse_sqrt(step: int, total: int, warmup: int) -> float:
    return math.sqrt(max(warmup, 1) / (step + 1))


def _cosine(step: int, total: int, warmup: int) -> float:
    return (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1))) / 2


SCHEDULES: dict[Schedule, Callable[[int, int, int], float]] = {
    "constant": _constant,
    "linear": _linear,
    "inverse_sqrt": _inverse_sqrt,
    "cosine": _cosine,
}

#: Schedules that fall to nothing at the run's end, and so need to know its length.
NEEDS_LENGTH: frozenset[Schedule] = frozenset({"linear", "cosine"})


def learning_rate(schedule: Schedule, peak: float, step: int, total: int, warmup: int) -> float:
    """Return the learning rate of one step (docs/derivation.md, equation 26).

    Parameters
    ----------
    schedule : str
        ``constant``; ``linear`` and ``cosine``, which fall to 0 after the last step;
        ``inverse_sqrt``, which is ``sqrt(warmup / (step + 1))`` of the peak after the warm-up
        (with no warm-up, ``1 / sqrt(step + 1)``).
    peak : float
        The highest rate.
    step, total, warmup : int
        The step, counted from 0; the steps of the whole run; those of the linear rise.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * SCHEDULES[schedule](step, total, warmup)
