"""growth.png: seconds an example against each size, both on logarithmic axes."""

from collections.abc import Sequence
from typing import Any, Protocol

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sstrain.comparison.style import COLOURS, MARKERS, as_png, legend_below, new_figure, tidy

__all__ = ["draw"]

#: What the axes are called.
_NAMES = {
    "V": "V, classes",
    "n": "n, features an example",
    "K": "K, candidates",
    "D": "D, features",
    "batch": "examples in a batch",
    "threads": "threads",
}


class Measured(Protocol):
    """A point of the picture."""

    @property
    def axis(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def size(self) -> float: ...
    @property
    def seconds(self) -> float: ...


def draw(points: Sequence[Measured], axes: Sequence[str], kinds: Sequence[str]) -> bytes:
    """Return the picture as a PNG: a plot for each size that was varied, a line for each kind."""
    shown = [axis for axis in axes if any(point.axis == axis for point in points)]
    figure = new_figure(10, 3.2 * -(-len(shown) // 3))
    for place, axis in enumerate(shown):
        first = figure.axes[0] if figure.axes else None
        plot = figure.add_subplot(-(-len(shown) // 3), 3, place + 1, sharey=first)
        tidy(plot)
        plot.set_xscale("log")
        plot.set_yscale("log")
        plot.set_xlabel(_NAMES[axis], fontsize=9)
        plot.set_ylabel("seconds an example", fontsize=9)
        _label_sizes(plot, {point.size for point in points if point.axis == axis})
        for number, kind in enumerate(kinds):
            line = sorted((p.size, p.seconds) for p in points if (p.axis, p.kind) == (axis, kind))
            plot.plot([x for x, _ in line], [y for _, y in line], **_style(number))
    lines = [Line2D([], [], label=kind, **_style(n)) for n, kind in enumerate(kinds)]
    legend_below(figure, lines)
    return as_png(figure)


def _label_sizes(plot: Axes, sizes: set[float]) -> None:
    """Put a tick at each size that was measured; of sizes that are almost the same, at one."""
    kept: list[float] = []
    for size in sorted(sizes):
        if not kept or size > 1.3 * kept[-1]:
            kept.append(size)
    plot.minorticks_off()
    plot.set_xticks(kept, [f"{size:,.0f}" for size in kept])


def _style(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number], "marker": MARKERS[number], "markersize": 4, "linewidth": 1.2}
