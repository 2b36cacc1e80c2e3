"""A ranking in words: its table for the terminal, and what a reader of it must know."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sstrain.comparison.hsu import CONTENDING

if TYPE_CHECKING:
    from sstrain.comparison.hsu import SeedFit
    from sstrain.comparison.ranking import RankedArm, Ranking

__all__ = ["as_table", "ranking_notes"]

#: How many times as much all arms must vary between seeds as the contenders to be worth a note.
_VARIES_MORE = 2
_HEADER = (
    "",
    "setting",
    "seeds",
    "log-loss",
    "spread",
    "lines",
    "vs best",
    "95%, seeds",
    "95%, seeds and lines",
    "top-1",
    "CPU s",
    "candidates",
)


def ranking_notes(fit: "SeedFit", rows: "Sequence[RankedArm]", num_seeds: int) -> list[str]:
    """Return what a reader of the intervals must know, in sentences.

    Parameters
    ----------
    fit : SeedFit
    rows : sequence of RankedArm
        All arms.
    num_seeds : int
    """
    notes = []
    if num_seeds == 1:
        notes.append(
            "One seed: how much the log-loss varies between seeds is not known; the intervals "
            "hold the error of the validation lines alone."
        )
    elif fit.sigma is None and len(fit.means) > 1:
        notes.append(
            "Too few cells finished to tell how much the log-loss varies between seeds; the "
            "intervals hold the error of the validation lines alone."
        )
    elif fit.sigma is not None and fit.sigma_all is not None:
        notes += _about_sigma(fit, fit.sigma, fit.sigma_all)
    if not fit.connected:
        notes.append(
            "Cells that failed leave no seeds that link all settings; what a seed adds to every "
            "setting is not taken out."
        )
    for row in rows:
        if not row.seeds:
            notes.append(f"{row.arm}: finished with no seed.")
        elif row.seeds < num_seeds:
            fitted = "fitted by its differences to the others" if fit.connected else "of those"
            notes.append(
                f"{row.arm}: finished {row.seeds} of {num_seeds} seeds; its mean is {fitted}."
            )
    return notes


def _about_sigma(fit: "SeedFit", sigma: float, sigma_all: float) -> list[str]:
    if fit.contenders.all() or sigma_all <= _VARIES_MORE * sigma:
        return []
    return [
        f"Settings more than {CONTENDING:.0%} worse than the best vary more between seeds: the "
        f"standard deviation is {sigma:.2g} among the {fit.contenders.sum()} within "
        f"{CONTENDING:.0%} and {sigma_all:.2g} among all, and the intervals of those outside are "
        f"wider."
    ]


def as_table(ranking: "Ranking") -> str:
    """Return a ranking as a table for a person."""
    rows = [_HEADER, *(_cells(place, row) for place, row in enumerate(ranking.rows, 1))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    lines += ["", *_legend(ranking), *ranking.notes]
    return "\n".join(lines)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return cells padded to their columns; only the setting stands to the left."""
    return [
        cell.ljust(width) if column == 1 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]


def _cells(place: int, row: "RankedArm") -> tuple[str, ...]:
    return (
        str(place) if row.seeds else "-",
        f"{row.arm} *" if row.arm.is_reference else str(row.arm),
        f"{row.seeds}/{row.seeds + row.failed}",
        _number(row.log_loss, ".4f"),
        _number(row.spread, ".4f"),
        _number(row.line_error, ".4f"),
        _number(row.difference, "+.4f"),
        _interval(row.low, row.high),
        _interval(row.low_both, row.high_both),
        _number(row.top_1, ".4f"),
        _number(row.cpu_seconds, ",.1f"),
        _number(row.candidates_scored, ",.0f"),
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "-"
    return " to ".join("0" if end == 0 else f"{end:.4f}" for end in (low, high))


def _legend(ranking: "Ranking") -> list[str]:
    """Return what the columns mean."""
    lines = []
    if any(row.arm.is_reference for row in ranking.rows):
        lines.append("* the exact gradient, the reference")
    if ranking.finished:
        lines += [
            "log-loss: validation, over all classes, at the end, mean over seeds; spread: standard "
            "deviation over seeds;",
            "lines: standard error of the log-loss from the choice of validation lines; vs best: "
            "to the best of the others,",
            "with simultaneous 95% intervals for the distance (Hsu's comparisons with the best)",
        ]
    return lines
