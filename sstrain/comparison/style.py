"""What the plots of a comparison have in common: colours, markers, limits, files."""

import io
import math
import textwrap
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstrain.comparison.records import Arm

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = [
    "REFERENCE",
    "Styles",
    "as_png",
    "fence",
    "legend_below",
    "new_figure",
    "plain",
    "shortened",
    "tidy",
]

#: The palette of Okabe and Ito but for black, and a grey; the yellow is darkened to show on white.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#56B4E9",
    "#7F7F7F",
    "#B5A300",
)
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
#: The exact gradient's colour.
REFERENCE = "black"


@dataclass(frozen=True)
class Styles:
    """A colour and a line style for each sampler, a marker for each objective.

    Attributes
    ----------
    objectives, samplers : list of str
        Of the sampled arms, in the order of the grid.
    num_samples : list of int
        Ascending.
    has_reference : bool
    """

    objectives: list[str]
    samplers: list[str]
    num_samples: list[int]
    has_reference: bool

    @classmethod
    def of(cls, arms: Iterable[Arm]) -> "Styles":
        """Return the styles of arms in the order of the grid."""
        arms = list(arms)
        sampled = [arm for arm in arms if not arm.is_reference]
        return cls(
            list(dict.fromkeys(arm.objective for arm in sampled)),
            list(dict.fromkeys(arm.sampler for arm in sampled)),
            sorted({arm.num_samples for arm in sampled if arm.num_samples is not None}),
            len(sampled) < len(arms),
        )

    def line(self, arm: Arm) -> dict[str, Any]:
        """Return matplotlib's colour, line style and marker."""
        if arm.is_reference:
            return {"color": REFERENCE, "linestyle": "-", "marker": "*"}
        turn, place = divmod(self.samplers.index(arm.sampler), len(COLOURS))
        marker = MARKERS[self.objectives.index(arm.objective) % len(MARKERS)]
        return {"color": COLOURS[place], "linestyle": LINES[turn % len(LINES)], "marker": marker}

    def label(self, arm: Arm) -> str:
        """Return what a legend calls an arm's line, whatever its K."""
        if arm.is_reference:
            return "exact gradient"
        objective = f"{arm.objective}: " if len(self.objectives) > 1 else ""
        return plain(textwrap.fill(f"{objective}{arm.sampler}", 40))

    def keys(self, *, reference: bool = True, **changes: Any) -> "list[Line2D]":
        """Return a legend's lines: the reference and each sampler with each objective."""
        from matplotlib.lines import Line2D

        arms = [Arm("exact")] if reference and self.has_reference else []
        arms += [Arm(o, s, 1) for o in self.objectives for s in self.samplers]
        return [Line2D([], [], **{**self.line(a), **changes}, label=self.label(a)) for a in arms]


def plain(text: str) -> str:
    """Return a label that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")


def shortened(text: str, length: int) -> str:
    """Return a label, cut where it is too long."""
    return plain(text if len(text) <= length else f"{text[: length - 1]}…")


def fence(values: Sequence[float]) -> float:
    """Return the greatest value, but for those that would squash the rest of a plot.

    Those are more than three times as far from the least as the median is, and more than 15% of it.
    """
    best, median = min(values), sorted(values)[(len(values) - 1) // 2]
    return min(max(best + 3 * (median - best), best + 0.15 * abs(best)), max(values))


def new_figure(width: float, height: float) -> "Figure":
    """Return a figure, in inches, that needs no display and keeps no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: "Axes") -> None:
    """Give axes a light grid and no frame."""
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def legend_below(figure: "Figure", handles: "Sequence[Line2D]") -> None:
    """Put one legend for all axes below them, in as many columns as fit, and make room for it."""
    if not handles:
        return
    labels = [str(handle.get_label()).split("\n") for handle in handles]
    widest = max(len(line) for label in labels for line in label)
    columns = max(1, int(figure.get_figwidth() / (0.55 + 0.068 * widest)))
    lines = max(map(len, labels)) - 1 + math.ceil(sum(map(len, labels)) / columns)
    figure.set_figheight(figure.get_figheight() + 0.15 + 0.2 * lines)
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(columns, len(handles)),
        frameon=False,
        fontsize=9,
    )


def as_png(figure: "Figure") -> bytes:
    """Return a figure as a PNG."""
    data = io.BytesIO()
    with warnings.catch_warnings():
        # A label may hold letters that the font has not; a box stands for them.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(data, format="png", dpi=160)
    return data.getvalue()
