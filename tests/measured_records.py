"""Records of cells with curves and diagnostics whose figures are chosen."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from constructed_records import EXACT, diverged, finished

from sstrain.comparison.records import Arm, CellRecord

#: Excess log-loss of a sampler at K = 1, and its variance there.
SAMPLERS = {"uniform": 20.0, "unigram": 2.0, "unigram(power=0.5)": 3.0}
SIZES = (16, 64)
SEEDS = (1, 2, 3)


def figure(
    arm: Arm, seed: int, quantity: str, value: float, level: str, space: str = "", **changes: Any
) -> dict[str, Any]:
    """Return a row of diagnostics.csv, at the reference's weights, with an interval of 10%."""
    ends = sorted((0.9 * value, 1.1 * value))
    return {
        "objective": arm.objective,
        "sampler": arm.sampler,
        "num_samples": arm.num_samples,
        "seed": seed,
        "weights": "reference",
        "moment": "end",
        "step": 10,
        "examples": 1000,
        "quantity": quantity,
        "level": level,
        "space": space,
        "part": "all" if space else "",
        "aggregate": "mean",
        "value": value,
        "low": ends[0],
        "high": ends[1],
        "examples_error": None,
        "closed_form": None,
        **changes,
    }


def diagnostics(arm: Arm, seed: int, **changes: Any) -> list[dict[str, Any]]:
    """Return rows of an arm: variances fall as 1/K and so do biases, a fifth of them."""
    assert arm.num_samples is not None
    variance = SAMPLERS.get(arm.sampler, 5.0) / arm.num_samples * (1 + seed / 100)
    exact = {"closed_form": 1.01 * variance}
    rows = []
    for level in ("example", "batch"):
        for space in ("score", "weight"):
            rows += [
                figure(arm, seed, "relative_bias", variance / 5, level, space),
                figure(arm, seed, "bias_cosine", 0.99, level, space),
                figure(arm, seed, "relative_variance", variance, level, space, **exact),
                figure(arm, seed, "variance", variance, level, space, **exact),
            ]
    rows += [
        figure(arm, seed, "log_partition_bias", -variance / 2, "example"),
        figure(arm, seed, "effective_sample_size", arm.num_samples / 2, "draws"),
        figure(arm, seed, "nanoseconds_a_draw", 31.0, "draws"),
        figure(arm, seed, "kl_divergence", 1.5, "draws", low=1.5, high=1.5, closed_form=1.5),
    ]
    return [{**row, **changes} for row in rows]


def cell(arm: Arm, seed: int, evaluations: int = 4) -> CellRecord:
    """Return a finished cell with a curve; its log-loss tells the arm."""
    excess = 0.0 if arm.num_samples is None else SAMPLERS.get(arm.sampler, 5.0) / arm.num_samples
    log_loss = 4 + excess + seed / 1000
    cpu_seconds = 100.0 if arm.num_samples is None else 5 + arm.num_samples / 16
    curve = [
        {
            "step": 10 * place,
            "examples": 1000 * place,
            "cpu_seconds": cpu_seconds * place / evaluations,
            "candidates_scored": (arm.num_samples or 5000) * 1000 * place,
            "log_loss": log_loss + 0.1 * (evaluations - place),
        }
        for place in range(1, evaluations + 1)
    ]
    return replace(finished(arm, seed, log_loss, cpu_seconds=cpu_seconds), curve=curve)


def comparison(
    samplers: Sequence[str] = tuple(SAMPLERS),
    sizes: Sequence[int] = SIZES,
    seeds: Sequence[int] = SEEDS,
    objectives: Sequence[str] = ("importance",),
    *,
    reference: bool = True,
    measured: bool = True,
    failed: Sequence[tuple[Arm, int]] = (),
) -> list[CellRecord]:
    """Return the records of a whole comparison, measured at the reference's weights."""
    arms = [Arm(o, s, k) for o in objectives for s in samplers for k in sizes]
    records = []
    for seed in seeds if reference else ():
        rows = [row for arm in arms for row in diagnostics(arm, seed)] if measured else []
        records.append(replace(cell(EXACT, seed), diagnostics=rows))
    for arm in arms:
        for seed in seeds:
            record = diverged(arm, seed) if (arm, seed) in failed else cell(arm, seed)
            records.append(record)
    return records
