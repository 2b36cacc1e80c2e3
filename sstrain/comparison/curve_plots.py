"""curves.png: what training reaches with examples, CPU time and candidates."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sstrain.comparison.records import Arm
from sstrain.comparison.style import (
    Styles,
    as_png,
    fence,
    legend_below,
    new_figure,
    shortened,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sstrain.comparison.records import CellRecord

__all__ = ["Course", "courses", "draw_curves"]

#: The rows of the picture: a column of curves.csv, its words, whether its axis is logarithmic.
_COSTS = (
    ("examples", "training examples", False),
    ("cpu_seconds", "CPU seconds of training", True),
    ("candidates_scored", "candidates scored", True),
)


#: As many far-off arms as a corner holds.
_MOST_NAMED = 5


class Course(NamedTuple):
    """An arm's log-losses at its evaluations.

    Attributes
    ----------
    costs : dict
        ``examples``, ``cpu_seconds`` and ``candidates_scored`` at each, means over seeds.
    mean, low, high : list of float
        Over seeds.
    """

    costs: dict[str, list[float]]
    mean: list[float]
    low: list[float]
    high: list[float]


def courses(records: "Sequence[CellRecord]") -> dict[Arm, Course]:
    """Return the course of each arm that has a finished cell, in the order of the grid.

    Seeds are put together evaluation by evaluation. A budget in seconds may give seeds different
    numbers of them: then those before the last that all have are taken, and each seed's last.
    """
    curves: dict[Arm, list[list[dict[str, float]]]] = {}
    for record in records:
        if record.status == "finished" and record.curve:
            curves.setdefault(record.arm, []).append(record.curve)
    return {arm: _course(of) for arm, of in curves.items()}


def _course(curves: list[list[dict[str, float]]]) -> Course:
    moments = [*zip(*(curve[:-1] for curve in curves), strict=False)]
    moments.append(tuple(curve[-1] for curve in curves))
    losses = [[row["log_loss"] for row in moment] for moment in moments]
    costs = {
        name: [sum(row[name] for row in moment) / len(moment) for moment in moments]
        for name, _, _ in _COSTS
    }
    return Course(
        costs,
        [sum(of) / len(of) for of in losses],
        [min(of) for of in losses],
        [max(of) for of in losses],
    )


def draw_curves(records: "Sequence[CellRecord]") -> bytes | None:
    """Return the picture as a PNG; None if no cell finished."""
    found = courses(records)
    if not found:
        return None
    styles = Styles.of(record.arm for record in records)
    columns: Sequence[int | None] = styles.num_samples or [None]
    bottom, top = _limits(list(found.values()))
    figure = new_figure(max(7.0, 1.2 + 2.7 * len(columns)), 7.4)
    grid = figure.subplots(len(_COSTS), len(columns), sharex="row", sharey=True, squeeze=False)
    for row, (name, words, logarithmic) in zip(grid, _COSTS, strict=True):
        for axes, num_samples in zip(row, columns, strict=True):
            shown = {
                a: c for a, c in found.items() if a.is_reference or a.num_samples == num_samples
            }
            axes.set_xscale("log" if logarithmic else "linear")
            for arm, course in shown.items():
                _draw(axes, course, name, styles, arm, logarithmic)
            axes.set_xlabel(words, fontsize=9)
        row[0].set_xlim(left=_left(found, name, top))
        for axes in row:  # once all of the row, whose axis is shared, are drawn
            _finish(axes, name, logarithmic)
        row[0].set_ylabel("validation log-loss (nats)", fontsize=9)
    grid[0, 0].set_ylim(bottom, top)
    for axes, num_samples in zip(grid[0], columns, strict=True):
        axes.set_title("" if num_samples is None else f"K = {num_samples}", fontsize=11)
        _name_those_above(axes, found, num_samples, top)
    without: dict[str, Any] = {} if len(styles.objectives) > 1 else {"marker": ""}
    legend_below(figure, styles.keys(**without))
    return as_png(figure)


def _limits(found: list[Course]) -> tuple[float, float]:
    """Return the axis of log-losses, cut below far-off arms and the others' first evaluations."""
    highest = fence([course.mean[-1] for course in found])
    near = [course for course in found if course.mean[-1] <= highest]
    values = sorted(value for course in near for value in course.mean)
    top = max(highest, values[(len(values) - 1) * 6 // 10])
    bottom = min(min(course.low) for course in found)
    margin = 0.04 * (top - bottom) or 0.1
    return bottom - margin, top + margin


def _left(found: dict[Arm, Course], cost: str, top: float) -> float | None:
    """Return where the first line comes into sight; None to leave the axis as it is."""
    starts = []
    for course in found.values():
        seen = [i for i, mean in enumerate(course.mean) if mean <= top]
        if seen:
            starts.append(course.costs[cost][max(seen[0] - 1, 0)])
    least = min(starts, default=0.0)
    return 0.9 * least if least > 0 else None


def _draw(
    axes: "Axes", course: Course, cost: str, styles: Styles, arm: Arm, logarithmic: bool
) -> None:
    style = styles.line(arm)
    chosen = [i for i, x in enumerate(course.costs[cost]) if x > 0 or not logarithmic]
    x, mean, low, high = (
        [values[i] for i in chosen]
        for values in (course.costs[cost], course.mean, course.low, course.high)
    )
    axes.fill_between(x, low, high, color=style["color"], alpha=0.2, linewidth=0)
    if len(styles.objectives) == 1 and len(chosen) > 1:
        style["marker"] = ""
    axes.plot(x, mean, **style, linewidth=1.4, markersize=4, zorder=3 if arm.is_reference else 2)


def _finish(axes: "Axes", cost: str, logarithmic: bool) -> None:
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, StrMethodFormatter

    tidy(axes)
    if logarithmic:
        least, most = axes.get_xlim()
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if most < 300 * least else (1.0,)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    # A tenth of a second is not "100m".
    form = StrMethodFormatter("{x:g}") if cost == "cpu_seconds" else EngFormatter(sep="")
    axes.xaxis.set_major_formatter(form)


def _name_those_above(
    axes: "Axes", found: dict[Arm, Course], num_samples: int | None, top: float
) -> None:
    """Write into a panel which arms end above it."""
    above = sorted(
        (course.mean[-1], arm)
        for arm, course in found.items()
        if course.mean[-1] > top and (arm.is_reference or arm.num_samples == num_samples)
    )
    lines = [f"{shortened(arm.sampler or arm.objective, 24)}: {loss:.2f}" for loss, arm in above]
    if len(lines) > _MOST_NAMED:
        lines[_MOST_NAMED - 1 :] = [f"and {len(lines) - _MOST_NAMED + 1} more"]
    if lines:
        text = "\n".join(["above, at the end:", *lines])
        axes.text(
            0.98,
            0.98,
            text,
            transform=axes.transAxes,
            ha="right",
            va="top",
            fontsize=7.5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )
