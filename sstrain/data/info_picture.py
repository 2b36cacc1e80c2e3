"""How often classes and features occur, as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sstrain.disk import disk_reason, replacing
from sstrain.errors import FailureError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["curve", "draw_frequencies"]

#: Points of a curve: more cannot be told apart.
_POINTS = 1000


def draw_frequencies(
    class_counts: NDArray[np.int64], feature_counts: NDArray[np.int64], path: Path
) -> None:
    """Draw the frequency of classes and of features against their rank, on log scales.

    Parameters
    ----------
    class_counts : int64 array of shape [V]
        The examples of each class, in any order.
    feature_counts : int64 array of shape [D]
        The examples that hold each feature, in any order.
    path : Path
        The PNG, replaced when it is whole.

    Raises
    ------
    FailureError
        If the picture cannot be written.
    """
    # The canvas of matplotlib's object interface needs no display and keeps no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _draw(left, class_counts, "class")
    _draw(right, feature_counts, "feature")
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=160)
    except OSError as error:
        raise FailureError(f"{path}: cannot be written: {disk_reason(error)}") from error


def _draw(axes: "Axes", counts: NDArray[np.int64], name: str) -> None:
    ranks, frequencies = curve(counts)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.plot(
        ranks, frequencies, color="black", linewidth=1.4, marker="." if len(ranks) < 20 else ""
    )
    axes.set_xlabel(f"rank of the {name}, of {len(counts):,}")
    axes.set_ylabel(f"examples with the {name}")
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def curve(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ranks from 1, evenly spread on a log scale, and the counts at these ranks.

    Counts of 0 are left out: a log scale has no place for them.
    """
    falling = np.sort(counts[counts > 0])[::-1]
    spread = np.geomspace(1, max(len(falling), 1), _POINTS).round().astype(np.int64)
    ranks = np.unique(spread)[: len(falling)]
    return ranks, falling[ranks - 1]
