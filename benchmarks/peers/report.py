"""RESULTS.md: the machine, the summary, a table a set, and every setting with its reason."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from peers import sets, tools
from peers.results import FINISHED, Row
from peers.summary import (
    CHANCE,
    OURS,
    EqualTime,
    Point,
    Reach,
    Summary,
    points,
    summarise,
    value,
)

FIGURE_NAMES = {"log_loss": "log-loss", "top_1": "top-1"}
_HEAD = """# sstrain and its peers, side by side

Written by `make bench`; [results.csv](results.csv) has each measurement. Every tool was given the
same training rows, and all figures are on the same test rows over all classes: log-loss in nats
over the rows whose label training knows (empty where a tool gives no probabilities over all
classes), top-1 and top-5 over all rows, an unknown label being a miss. Seconds are those of
training alone: reading files, the tool's own form of the examples, compiling and evaluation are
left out on both sides, as far as the note of a tool says nothing else. Of what comes first in a
training, the peers' seconds hold more: making their tables of weights, fastText's dictionary and
tree, PECOS's clusters. Figures are medians over the repeats, which have different seeds; behind CPU
seconds stand the smallest and the largest, where there is one figure there was one repeat. Memory
is resident when training starts, with the examples, and the peak while it runs. `*`: other programs
were at work."""

_BEYOND_CHANCE = (
    f"Beyond chance is what is better by {CHANCE['log_loss']} nats or {CHANCE['top_1']}: less is "
    "within what the seed decides, and the choice of settings on the test rows."
)


def number(found: float | None, digits: int = 3) -> str:
    """Return a figure, or nothing."""
    return "" if found is None else f"{found:.{digits}f}"


def seconds(found: float | None) -> str:
    """Return seconds with about three digits."""
    if found is None:
        return ""
    return f"{found:.1f}" if found < 100 else f"{found:,.0f}"


def one_line(row: Row) -> str:
    """Return a measurement as the terminal shows it."""
    if row.status != FINISHED:
        total = row.extrapolated_seconds
        return f"{row.status}: {row.reason}" + (f"; all: {total:,.0f} s" if total else "")
    figures = (
        f"{label} {number(found, 4)}"
        for label, found in (("log-loss", row.log_loss), ("top-1", row.top_1), ("top-5", row.top_5))
        if found is not None
    )
    busy = " (busy machine)" if row.busy else ""
    return f"{seconds(row.cpu_seconds)} CPU s, {', '.join(figures)}{busy}"


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _cpu(point: Point) -> str:
    found = point.spread("cpu_seconds")
    if found is None:
        return ""
    mark = r" \*" if point.busy else ""
    if len(point.rows) == 1:
        return seconds(found.median) + mark
    return f"{seconds(found.median)} ({seconds(found.low)} – {seconds(found.high)}){mark}"


def table_row(point: Point) -> str:
    """Return a point's line of the table."""
    reason = "" if point.status == FINISHED else point.reason.replace("|", r"\|")
    memory = [point.median(name) for name in ("rss_mib", "peak_mib")]
    return _cells(
        tools.load(point.tool).TITLE,
        point.setting,
        _cpu(point),
        seconds(point.median("wall_seconds")),
        " / ".join("–" if found is None else f"{found:,.0f}" for found in memory),
        number(point.median("log_loss")),
        number(point.median("top_1"), 4),
        number(point.median("top_5"), 4),
        seconds(point.median("extrapolated_seconds")),
        reason,
    )


def table(found: Sequence[Point]) -> list[str]:
    """Return a set's table, in the order of the tools."""
    titles = (
        "tool", "setting", "CPU s", "wall s", "MiB before / peak", "log-loss", "top-1", "top-5",
        "CPU s of all, extrapolated", "why no more",
    )  # fmt: skip
    order = {name: i for i, name in enumerate(tools.NAMES)}
    ranked = sorted(found, key=lambda point: (order[point.tool], point.cpu_seconds))
    return [_cells(*titles), "|---" * len(titles) + "|", *map(table_row, ranked)]


def unfinished_lines(found: Sequence[Point]) -> list[str]:
    """Return in words which settings of peers have no figures, and so are no candidates."""
    own = [point for point in found if point.tool != OURS and point.status != FINISHED]
    missing = [
        tools.load(name).TITLE for name in tools.NAMES if all(point.tool != name for point in found)
    ]
    lines = []
    if own:
        named = "; ".join(f"{_named(point)}, {point.status}" for point in own)
        lines.append(f"Not among the best, since they did not end: {named}.")
    if missing:
        lines.append(f"Not measured on this set: {', '.join(missing)}.")
    return lines


def _named(point: Point) -> str:
    return f"{tools.load(point.tool).TITLE} ({point.setting})"


def _ratio(found: float | None) -> str:
    return "" if found is None else f"1/{1 / found:.1f}"


def reach_row(reach: Reach) -> str:
    """Return a line of the table of goals."""
    digits = 3 if reach.figure == "log_loss" else 4
    mine = reach.ours
    return _cells(
        FIGURE_NAMES[reach.figure],
        _named(reach.peer),
        number(value(reach.peer, reach.figure), digits),
        seconds(reach.peer.cpu_seconds),
        "none" if mine is None else mine.setting,
        "" if mine is None else number(value(mine, reach.figure), digits),
        "" if mine is None else seconds(mine.cpu_seconds),
        _ratio(reach.ratio),
        f"1/{1 / reach.goal:.0f}: " + ("met" if reach.met else "not met"),
        "none" if reach.sure is None else reach.sure.setting,
        _ratio(reach.ratio_of(reach.sure)),
    )


def reach_table(summary: Summary) -> list[str]:
    """Return the table of goals."""
    titles = (
        "figure", "best of", "its figure", "its CPU s", "sstrain's first setting to reach it",
        "its figure", "its CPU s", "ratio", "goal", "first beyond chance", "its ratio",
    )  # fmt: skip
    return [_cells(*titles), "|---" * len(titles) + "|", *map(reach_row, summary.reaches)]


def equal_time_lines(found: Sequence[EqualTime]) -> list[str]:
    """Return in words how sstrain stands at each peer's CPU seconds, and where it is not better."""
    compared = [one for one in found if one.lead is not None]
    behind = [one for one in compared if one.lead is not None and one.lead <= 0]
    narrow = [one for one in compared if one.lead is not None and 0 < one.lead < CHANCE[one.figure]]
    lines = [
        f"At equal CPU time sstrain is better in {len(compared) - len(behind)} of {len(compared)} "
        "comparisons (log-loss and top-1 of each peer's setting with the best of sstrain's that "
        f"takes no more), in {len(narrow)} of them by no more than chance."
    ]
    lines += map(_behind, behind)
    for one in found:
        if one.ours is None:
            figure = FIGURE_NAMES[one.figure]
            lines.append(f"- {_named(one.peer)}, {figure}: no setting of sstrain is as cheap.")
    return lines


def _behind(one: EqualTime) -> str:
    """Return a comparison in which sstrain is not better."""
    assert one.ours is not None
    assert one.lead is not None
    digits = 3 if one.figure == "log_loss" else 4
    how = f"better by {-one.lead:.{digits}f}" if one.lead < 0 else "equal"
    return (
        f"- {_named(one.peer)} is {how} in {FIGURE_NAMES[one.figure]}: "
        f"{number(value(one.peer, one.figure), digits)} in {seconds(one.peer.cpu_seconds)} s, "
        f"sstrain ({one.ours.setting}) {number(value(one.ours, one.figure), digits)} in "
        f"{seconds(one.ours.cpu_seconds)} s."
    )


def settings_lines(found: Sequence[Point]) -> list[str]:
    """Return every setting that was tried, with what advises it, and each tool's note."""
    tried = {(point.tool, point.setting) for point in found}
    lines = []
    for name in tools.NAMES:
        tool = tools.load(name)
        own = [one for one in tool.SETTINGS if (name, one.name) in tried]
        if own:
            lines += ["", f"**{tool.TITLE}**: {tool.NOTE}.", ""]
            lines += dict.fromkeys(
                f"- {one.name}: {one.reason}. `{json.dumps(one.options)}`" for one in own
            )
    return lines


def versions(rows: Sequence[Row]) -> list[str]:
    """Return a line for each tool: its version, and the days of its measurements."""
    lines = []
    for name in tools.NAMES:
        own = [row for row in rows if row.tool == name and row.version]
        if own:
            found = ", ".join(sorted({row.version for row in own}))
            if name == OURS:
                found += f" with numba {version('numba')} and numpy {version('numpy')}"
            days = sorted({row.date for row in own})
            when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
            lines.append(f"- {tools.load(name).TITLE} {found}: {when}")
    return lines


def page(rows: Sequence[Row], pictures: Sequence[Path]) -> str:
    """Return the page.

    Parameters
    ----------
    rows : sequence of Row
    pictures : sequence of Path
        In a folder beside the page; a set's begin with its name.
    """
    found = points(rows)
    machines = sorted({row.machine for row in rows})
    lines = [_HEAD, "", f"Measured on {'; '.join(machines)}:", "", *versions(rows)]
    for name in [one for one in sets.FILES if any(point.set == one for point in found)]:
        summary = summarise(found, name)
        own = [point for point in found if point.set == name]
        lines += ["", f"## {sets.TITLES[name]}", ""]
        for picture in pictures:
            if picture.name.startswith(f"{name}-"):
                lines += [f"![{picture.stem}]({picture.parent.name}/{picture.name})", ""]
        if any(point.tool == OURS for point in own):
            lines += [
                *reach_table(summary),
                "",
                _BEYOND_CHANCE,
                *equal_time_lines(summary.equal_times),
            ]
            lines += [*unfinished_lines(own), ""]
        lines += table(own)
    lines += ["", "## Settings, and why", *settings_lines(found)]
    return "\n".join(lines) + "\n"
