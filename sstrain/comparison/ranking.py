"""Arms ranked by their final validation log-loss, with both kinds of error."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain.comparison.bootstrap import bootstrap_log_losses
from sstrain.comparison.hsu import (
    best_intervals,
    critical_value,
    fit_seeds,
    pair_errors,
)
from sstrain.comparison.ranking_text import as_table, ranking_notes
from sstrain.comparison.records import Arm

if TYPE_CHECKING:
    from sstrain.comparison.hsu import SeedFit
    from sstrain.comparison.records import CellRecord

__all__ = ["RankedArm", "Ranking", "as_dict", "as_table", "rank"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RankedArm:
    """An arm's place; figures are of its finished cells, and None if there is none.

    Attributes
    ----------
    arm : Arm
    seeds, failed : int
        Cells that finished, and that did not.
    log_loss : float or None
        The fitted mean of the final validation log-loss: the mean if no seed is missing.
    spread : float or None
        Standard deviation over seeds; None for fewer than two.
    difference : float or None
        To the best of the other arms; negative for the best. None without another.
    low, high : float or None
        Hsu's interval of it for the error between seeds; None where that is not known.
    line_error, line_low, line_high : float or None
        Bootstrap over lines: standard error and 95% interval of the log-loss.
    line_error_difference, line_low_difference, line_high_difference : float or None
        The same of the difference.
    low_both, high_both : float or None
        Hsu's interval with both kinds of error; of the lines' alone if the other is not known.
    top_1, cpu_seconds, candidates_scored, examples : float or None
        Means.
    """

    arm: Arm
    seeds: int = 0
    failed: int = 0
    log_loss: float | None = None
    spread: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    line_error: float | None = None
    line_low: float | None = None
    line_high: float | None = None
    line_error_difference: float | None = None
    line_low_difference: float | None = None
    line_high_difference: float | None = None
    low_both: float | None = None
    high_both: float | None = None
    top_1: float | None = None
    cpu_seconds: float | None = None
    candidates_scored: float | None = None
    examples: float | None = None


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """All arms, the best first, those that never finished last.

    Attributes
    ----------
    rows : list of RankedArm
    sigma : float or None
        Standard deviation of a contender's log-loss between seeds, apart from what a seed adds to
        all arms; None where it is not known.
    df : int or None
        Its degrees of freedom.
    d : float or None
        Critical value of the intervals; None for fewer than two arms.
    seeds, lines, examples : int
        Numbers of seeds, validation lines and validation examples.
    contenders : list of Arm
        Those over which sigma is pooled.
    notes : list of str
        What a reader of the intervals must know, in sentences.
    errors : float64 array of shape [A, A] or None
        Standard error, of both kinds, of the difference of each two arms that finished, in the
        order of the rows.
    """

    rows: list[RankedArm]
    sigma: float | None = None
    df: int | None = None
    d: float | None = None
    seeds: int = 0
    lines: int = 0
    examples: int = 0
    contenders: list[Arm] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    errors: Float64 | None = field(default=None, compare=False, repr=False)

    @property
    def finished(self) -> list[RankedArm]:
        """The rows of arms that have a log-loss."""
        return [row for row in self.rows if row.log_loss is not None]


def rank(
    records: "Sequence[CellRecord]",
    line_weights: NDArray[np.float64 | np.int64],
    num_examples: int,
) -> Ranking:
    """Rank arms by the mean of their final validation log-loss.

    Parameters
    ----------
    records : sequence of CellRecord
        In any order; each arm and seed at most once.
    line_weights : float64 array of shape [L]
        Summed weights of the examples of each line of their ``line_losses``.
    num_examples : int
        How many examples these are.
    """
    records = sorted(records, key=lambda record: (_order(record.arm), record.seed))
    cells = [record for record in records if record.status == "finished"]
    arms = list(dict.fromkeys(record.arm for record in cells))
    never = [arm for arm in dict.fromkeys(record.arm for record in records) if arm not in arms]
    last = [RankedArm(arm=arm, failed=_count(records, arm, "diverged")) for arm in never]
    seeds = sorted({record.seed for record in records})
    sizes: dict[str, Any] = {
        "seeds": len(seeds),
        "lines": len(line_weights),
        "examples": num_examples,
    }
    if not arms:
        return Ranking(rows=last, **sizes, notes=["No cell finished."])
    fit = fit_seeds(
        np.array([arms.index(cell.arm) for cell in cells]),
        np.array([seeds.index(cell.seed) for cell in cells]),
        np.array([float(cell.results["log_loss"]) for cell in cells]),
    )
    # The fitted means are linear in the cells' losses, so the lines' are weighted as they are.
    line_losses = fit.weights @ np.stack([_line_losses(cell) for cell in cells])
    comparison = _compare(fit, bootstrap_log_losses(line_losses, line_weights))
    rows = [
        RankedArm(
            arm=arm, **_figures(records, arm), **{k: v[a] for k, v in comparison.rows.items()}
        )
        for a, arm in enumerate(arms)
    ]
    order = sorted(range(len(arms)), key=lambda a: (fit.means[a], _order(arms[a])))
    return Ranking(
        rows=[rows[a] for a in order] + last,
        sigma=fit.sigma,
        df=fit.df or None,
        d=comparison.d,
        **sizes,
        contenders=[arms[a] for a in order if fit.contenders[a]],
        notes=ranking_notes(fit, rows + last, len(seeds)),
        errors=comparison.errors[np.ix_(order, order)],
    )


def as_dict(ranking: Ranking) -> dict[str, Any]:
    """Return a ranking as JSON values; rows name their arm as results.csv does."""
    values = {**vars(ranking), "contenders": [asdict(arm) for arm in ranking.contenders]}
    del values["errors"]
    values["rows"] = [
        {**asdict(row.arm), **{k: v for k, v in vars(row).items() if k != "arm"}}
        for row in ranking.rows
    ]
    return values


def _order(arm: Arm) -> tuple[str, str, int]:
    return arm.objective, arm.sampler, arm.num_samples or 0


def _count(records: "Sequence[CellRecord]", arm: Arm, status: str) -> int:
    return sum(record.arm == arm and record.status == status for record in records)


def _line_losses(cell: "CellRecord") -> Float64:
    assert cell.line_losses is not None
    return cell.line_losses


def _figures(records: "Sequence[CellRecord]", arm: Arm) -> dict[str, Any]:
    """Return what is an arm's own."""
    results = [r.results for r in records if r.arm == arm and r.status == "finished"]
    losses = [float(row["log_loss"]) for row in results]
    means = ("top_1", "cpu_seconds", "candidates_scored", "examples")
    return {
        "seeds": len(results),
        "failed": _count(records, arm, "diverged"),
        "spread": float(np.std(losses, ddof=1)) if len(losses) > 1 else None,
        **{name: _mean([row.get(name) for row in results]) for name in means},
    }


def _mean(values: list[Any]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return float(np.mean(known)) if known else None


@dataclass(frozen=True)
class _Comparison:
    """Figures of all arms by name, each [A], and what they are made with."""

    rows: dict[str, list[Any]]
    d: float | None
    errors: Float64


def _compare(fit: "SeedFit", replicates: Float64) -> _Comparison:
    """Compare the arms, given their log-losses on drawn validation sets, [R, A]."""
    means, num_arms = fit.means, len(fit.means)
    columns = {"log_loss": means, **_line_figures(replicates)}
    lines = np.atleast_2d(np.cov(replicates, rowvar=False))
    errors = pair_errors(lines if fit.covariance is None else fit.covariance + lines)
    if num_arms == 1:
        return _Comparison(_as_lists(columns), None, errors)
    apart = means[:, np.newaxis] - means
    np.fill_diagonal(apart, -np.inf)
    nearest = apart.argmax(axis=1)
    columns["difference"] = apart.max(axis=1)
    differences = _line_figures(replicates - replicates[:, nearest])
    columns |= {f"{name}_difference": values for name, values in differences.items()}
    d = critical_value(num_arms - 1, fit.df or np.inf)
    if fit.covariance is not None:
        seeds = best_intervals(means, pair_errors(fit.covariance), d)
        columns["low"], columns["high"] = seeds
    columns["low_both"], columns["high_both"] = best_intervals(means, errors, d)
    return _Comparison(_as_lists(columns), d, errors)


def _line_figures(replicates: Float64) -> dict[str, Float64]:
    low, high = np.quantile(replicates, [0.025, 0.975], axis=0)
    return {"line_error": replicates.std(axis=0, ddof=1), "line_low": low, "line_high": high}


def _as_lists(columns: dict[str, Float64]) -> dict[str, list[Any]]:
    return {name: values.tolist() for name, values in columns.items()}
