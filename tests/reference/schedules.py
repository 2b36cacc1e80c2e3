"""The learning rate of a step: docs/derivation.md, equation (26)."""

import math

__all__ = ["learning_rate"]


def learning_rate(schedule: str, peak: float, step: int, total: int, warmup: int) -> float:
    """Return the rate of ``step``, counted from 0, in a run of ``total`` steps."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(total - warmup, 1)
    factors = {
        "constant": 1.0,
        "linear": 1 - done,
        "inverse_sqrt": math.sqrt(max(warmup, 1) / (step + 1)),
        "cosine": 0.5 + 0.5 * math.cos(math.pi * done),
    }
    return peak * factors[schedule]
