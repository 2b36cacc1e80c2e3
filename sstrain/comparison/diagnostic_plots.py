"""bias_variance.png: the errors of the sampled gradient against the number of samples."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sstrain.comparison.end_figures import EndFigures, Mean, Place, end_figures
from sstrain.comparison.records import Arm
from sstrain.comparison.slopes import fit_slope
from sstrain.comparison.style import Styles, as_png, legend_below, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from sstrain.comparison.records import CellRecord

__all__ = ["draw_bias_and_variance"]

_QUANTITIES = {
    "relative_bias": "bias / norm of the exact gradient",
    "relative_variance": "variance / square of that norm",
}
_LEVELS = {
    ("example", "score"): "an example's gradient, by the scores",
    ("batch", "weight"): "a batch's gradient, by the weights",
}


def draw_bias_and_variance(records: "Sequence[CellRecord]") -> bytes | None:
    """Return the picture as a PNG; None if nothing was measured at the end of training."""
    figures = end_figures(records)
    if not any(place in means for means in figures.means.values() for place in _places()):
        return None
    styles = Styles.of(figures.means)
    pairs = len(styles.objectives) * len(styles.samplers)
    figure = new_figure(10, 2 * max(3.0, 0.7 + 0.19 * pairs) + 0.4)
    grid = figure.subplots(2, 2, sharex=True)
    for row, (quantity, words) in zip(grid, _QUANTITIES.items(), strict=True):
        for axes, (where, title) in zip(row, _LEVELS.items(), strict=True):
            _panel(axes, figures, styles, Place(*where, quantity))
            axes.set_title(title, fontsize=10)
            axes.set_ylabel(words, fontsize=9)
    for axes in grid[1]:
        axes.set_xlabel("number of samples K", fontsize=9)
    keys = styles.keys(linestyle="", reference=False)
    legend_below(figure, [*keys, *_other_keys(figures, slopes=len(styles.num_samples) > 1)])
    return as_png(figure)


def _places() -> list[Place]:
    return [Place(*where, quantity) for where in _LEVELS for quantity in _QUANTITIES]


def _panel(axes: "Axes", figures: EndFigures, styles: Styles, place: Place) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

    axes.set(xscale="log", yscale="log")
    pairs = [(o, s) for o in styles.objectives for s in styles.samplers]
    for number, (objective, sampler) in enumerate(pairs):
        # Side by side, so that intervals do not hide each other.
        shift = 1.03 ** (number - (len(pairs) - 1) / 2)
        curve = figures.curve(objective, sampler, place)
        _draw(axes, curve, shift, styles, Arm(objective, sampler, 1))
    _guide(axes, [point for pair in pairs for point in figures.curve(*pair, place)])
    tidy(axes)
    axes.set_xlim(styles.num_samples[0] / 1.5, styles.num_samples[-1] * 1.5)
    axes.set_xticks(styles.num_samples, [f"{k}" for k in styles.num_samples])
    axes.xaxis.set_minor_locator(NullLocator())
    least, most = axes.get_ylim()
    if most < 100 * least:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            title="slope",
            loc="upper left",
            bbox_to_anchor=(1, 1),
            frameon=False,
            fontsize=8,
            title_fontsize=8,
            handlelength=1.4,
        )


def _draw(
    axes: "Axes", curve: list[tuple[int, Mean]], shift: float, styles: Styles, arm: Arm
) -> None:
    style = styles.line(arm)
    colour = style["color"]
    for num_samples, mean in curve:
        x = num_samples * shift
        if mean.low > 0:
            axes.plot(x, mean.value, color=colour, marker=style["marker"], markersize=4.5)
            axes.plot([x, x], [mean.low, mean.high], color=colour, linewidth=1.3)
        elif mean.high > 0:  # not told apart from 0: only a bound is known
            axes.plot(x, mean.high, color=colour, marker=r"$\downarrow$", markersize=8)
        if mean.closed_form is not None and mean.closed_form > 0:
            axes.plot(x, mean.closed_form, color=colour, marker="x", markersize=9, zorder=1)
    fit = fit_slope(curve)
    if fit is not None:
        ends = [curve[0][0], curve[-1][0]]
        line = [fit.at(end) for end in ends]
        axes.plot([end * shift for end in ends], line, color=colour, ls=style["linestyle"],
                  linewidth=0.9, alpha=0.7, label=str(fit))  # fmt: skip


def _guide(axes: "Axes", points: list[tuple[int, Mean]]) -> None:
    """Draw a line of slope -1 through the middle of the points."""
    import numpy as np

    shown = [(num_samples, mean.value) for num_samples, mean in points if mean.value > 0]
    if len({num_samples for num_samples, _ in shown}) < 2:
        return
    x, y = np.log(np.array(shown)).T
    ends = np.exp([x.min(), x.max()])
    middle = np.exp(np.mean(x + y))
    axes.plot(ends, middle / ends, color="0.6", linewidth=3, alpha=0.5, zorder=0)


def _other_keys(figures: EndFigures, *, slopes: bool) -> "list[Line2D]":
    from matplotlib.lines import Line2D

    closed = any(m.closed_form is not None for of in figures.means.values() for m in of.values())
    keys = []
    if slopes:
        keys.append(
            Line2D([], [], color="0.6", linewidth=3, alpha=0.5, label="slope −1, for comparison")
        )
    if closed:
        keys.append(
            Line2D([], [], color="0.3", marker="x", markersize=9, ls="", label="closed form")
        )
    return keys
