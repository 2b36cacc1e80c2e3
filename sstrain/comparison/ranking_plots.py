"""pareto.png and ranking.png: the arms' final log-losses beside their cost, and in their order."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sstrain.comparison.style import Styles, as_png, fence, legend_below, new_figure, plain, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from sstrain.comparison.ranking import RankedArm, Ranking
    from sstrain.comparison.records import Arm, CellRecord

__all__ = ["draw_pareto", "draw_ranking", "front"]

#: As many arms as a page holds.
_MOST_ARMS = 60
#: What the clock told; less has no place on a logarithmic axis.
_LEAST_SECONDS = 1e-3
#: As many far-off arms as are named.
_MOST_NAMED = 8


def front(rows: "Sequence[RankedArm]") -> "list[RankedArm]":
    """Return the arms than which none is both cheaper and better, the cheapest first."""
    found: list[RankedArm] = []
    finished = [row for row in rows if row.log_loss is not None and row.cpu_seconds is not None]
    for row in sorted(finished, key=_cost_and_loss):
        if not found or _cost_and_loss(row)[1] < _cost_and_loss(found[-1])[1]:
            found.append(row)
    return found


def _cost_and_loss(row: "RankedArm") -> tuple[float, float]:
    assert row.cpu_seconds is not None
    assert row.log_loss is not None
    return max(row.cpu_seconds, _LEAST_SECONDS), row.log_loss


def draw_pareto(records: "Sequence[CellRecord]", ranking: "Ranking") -> bytes | None:
    """Return the picture of cost and quality as a PNG; None if no cell finished."""
    rows = [row for row in ranking.rows if row.log_loss is not None and row.cpu_seconds is not None]
    if not rows:
        return None
    styles = Styles.of(record.arm for record in records)
    top = fence([_cost_and_loss(row)[1] for row in rows])
    bottom = min(_cost_and_loss(row)[1] - (row.spread or 0) for row in rows)
    figure = new_figure(8.6, 4.8)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    margin = 0.06 * (top - bottom) or 0.1
    top += margin
    axes.set_ylim(bottom - margin, top)
    _join_by_sampler(axes, rows, styles)
    best = front(rows)
    extents = [_extent(records, row.arm) for row in rows]
    for row, extent in zip(rows, extents, strict=True):
        _place(axes, row, styles, extent, "black" if row in best else "white")
    _draw_front(axes, best)
    _name_those_above(axes, [row for row in rows if _cost_and_loss(row)[1] > top])
    _scale_of_seconds(axes, [seconds for extent in extents for seconds in extent])
    tidy(axes)
    axes.set_xlabel("CPU seconds of training", fontsize=9)
    axes.set_ylabel("final validation log-loss (nats)", fontsize=9)
    legend_below(figure, [*styles.keys(linestyle=""), *_size_keys(styles)])
    return as_png(figure)


def _join_by_sampler(axes: "Axes", rows: "Sequence[RankedArm]", styles: Styles) -> None:
    """Draw a thin line through what differs in K alone."""
    groups: dict[tuple[str, str], list[RankedArm]] = {}
    for row in sorted(rows, key=lambda row: row.arm.num_samples or 0):
        groups.setdefault((row.arm.objective, row.arm.sampler), []).append(row)
    for group in groups.values():
        style = {**styles.line(group[0].arm), "marker": ""}
        axes.plot(*zip(*map(_cost_and_loss, group), strict=True), **style, lw=0.7, alpha=0.4)


def _place(
    axes: "Axes", row: "RankedArm", styles: Styles, extent: tuple[float, float], edge: str
) -> None:
    style = {**styles.line(row.arm), "linestyle": ""}
    cost, loss = _cost_and_loss(row)
    size = 15.0 if row.arm.is_reference else _size(styles, row.arm.num_samples or 0)
    top = axes.get_ylim()[1]
    if loss > top:
        style["marker"] = 6  # a caret that points up, at the upper edge
        axes.plot(cost, top, **style, markersize=size, clip_on=False, zorder=4)
        return
    spread = row.spread or 0
    axes.plot(extent, (loss, loss), color=style["color"], linewidth=1)
    axes.plot((cost, cost), (loss - spread, loss + spread), color=style["color"], linewidth=1)
    axes.plot(cost, loss, **style, markersize=size, markeredgecolor=edge, markeredgewidth=0.9)


def _extent(records: "Sequence[CellRecord]", arm: "Arm") -> tuple[float, float]:
    """Return the least and the greatest CPU seconds of an arm's finished cells."""
    seconds = [
        max(float(record.results["cpu_seconds"]), _LEAST_SECONDS)
        for record in records
        if record.arm == arm and record.status == "finished"
    ]
    return min(seconds), max(seconds)


def _draw_front(axes: "Axes", rows: "Sequence[RankedArm]") -> None:
    x, y = zip(*map(_cost_and_loss, rows), strict=True)
    right = [*x[1:], x[-1]]
    corners = [point for place in zip(x, right, y, strict=True) for point in _corners(*place)]
    axes.plot(*zip(*corners, strict=True), color="0.45", linewidth=1.2, linestyle="--", zorder=1)


def _name_those_above(axes: "Axes", rows: "Sequence[RankedArm]") -> None:
    """Write over the picture which arms the carets at its upper edge stand for."""
    named = [f"{row.arm} ({_cost_and_loss(row)[1]:.2f})" for row in rows[:_MOST_NAMED]]
    if len(rows) > _MOST_NAMED:
        named.append(f"and {len(rows) - _MOST_NAMED} more")
    if named:
        text = textwrap.fill(f"above, at the carets: {'; '.join(named)}", 120)
        axes.set_title(plain(text), loc="left", fontsize=8, color="0.3", pad=8)


def _corners(left: float, right: float, height: float) -> tuple[tuple[float, float], ...]:
    return (left, height), (right, height)


def _scale_of_seconds(axes: "Axes", costs: Sequence[float]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    # At least a factor of two, for costs that are all alike.
    widen = max(1.15, (2 * min(costs) / max(costs)) ** 0.5)
    axes.set_xlim(min(costs) / widen, max(costs) * widen)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _size(styles: Styles, num_samples: int) -> float:
    place = styles.num_samples.index(num_samples)
    return 5 + 7 * (place + 1) / len(styles.num_samples)


def _size_keys(styles: Styles) -> "list[Line2D]":
    from matplotlib.lines import Line2D

    words = "Pareto front, its arms edged in black"
    front_key = Line2D([], [], color="0.45", linewidth=1.2, linestyle="--", label=words)
    return [front_key] + [
        Line2D(
            [], [], color="0.6", marker="o", ls="", markersize=_size(styles, k), label=f"K = {k}"
        )
        for k in styles.num_samples
    ]


def draw_ranking(ranking: "Ranking") -> bytes | None:
    """Return the picture of differences and their intervals as a PNG; None if there are none."""
    rows = [row for row in ranking.rows if row.difference is not None][:_MOST_ARMS]
    if not rows:
        return None
    right = fence([row.difference for row in rows if row.difference is not None])
    figure = new_figure(8.6, 0.7 + 0.27 * len(rows))
    axes = figure.add_subplot()
    lows = [x for row in rows for x in (row.difference, row.low, row.low_both) if x is not None]
    highs = [x for row in rows for x in (row.difference, row.high, row.high_both) if x is not None]
    left = min(0.0, *lows)
    edge = max(right, min(max(highs), 1.5 * right - 0.5 * left))
    margin = 0.05 * (edge - left) or 0.1
    axes.set_xlim(left - margin, edge + margin)
    for place, row in enumerate(rows):
        _rank_line(axes, place, row, edge)
    axes.axvline(0, color="0.5", linewidth=1)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [_wrapped(row.arm) for row in rows])
    tidy(axes)
    axes.set_xlabel("log-loss above the best of the other arms (nats)", fontsize=9)
    legend_below(figure, _interval_keys(rows))
    return as_png(figure)


def _wrapped(arm: "Arm") -> str:
    """Return a label in lines that leave K in one piece."""
    return plain(textwrap.fill(str(arm).replace(" = ", "\u00a0=\u00a0"), 48))


def _rank_line(axes: "Axes", place: int, row: "RankedArm", edge: float) -> None:
    colour = "black" if row.arm.is_reference else "#0072B2"
    assert row.difference is not None
    if row.difference > edge:
        axes.plot(edge, place, color=colour, marker=">", markersize=6)
        axes.annotate(f"{row.difference:.2f}", (edge, place), (-8, 0), textcoords="offset points",
                      ha="right", va="center", fontsize=8, color=colour)  # fmt: skip
        return
    _bar(axes, place, row.low_both, row.high_both, color=colour, linewidth=1)
    _bar(axes, place, row.low, row.high, color=colour, linewidth=4.5, alpha=0.45)
    marker = "*" if row.arm.is_reference else "o"
    size = 11 if row.arm.is_reference else 6
    axes.plot(row.difference, place, color=colour, marker=marker, markersize=size)


def _bar(axes: "Axes", place: int, low: float | None, high: float | None, **style: Any) -> None:
    """Draw an interval, if it is known."""
    if low is not None and high is not None:
        axes.plot([low, high], [place, place], solid_capstyle="butt", **style)


def _interval_keys(rows: "Sequence[RankedArm]") -> "list[Line2D]":
    from matplotlib.lines import Line2D

    keys = [Line2D([], [], color="#0072B2", marker="o", ls="", label="difference")]
    if any(row.arm.is_reference for row in rows):
        keys.append(
            Line2D([], [], color="black", marker="*", markersize=11, ls="", label="exact gradient")
        )
    if any(row.low is not None for row in rows):
        keys.append(Line2D([], [], color="#0072B2", lw=4.5, alpha=0.45, label="95%, seeds alone"))
    both = "95%, seeds and validation lines"
    if all(row.low is None for row in rows):
        both = "95%, validation lines alone"
    return [*keys, Line2D([], [], color="#0072B2", linewidth=1, label=both)]
