"""Quality against CPU seconds, a picture a set and figure."""

from collections.abc import Sequence
from pathlib import Path

from peers import sets, tools
from peers.results import Row
from peers.summary import FIGURES, OURS, Figure, Point, finished, frontier, points, value

_LABELS = {"log_loss": "log-loss (nats), test", "top_1": "top-1, test"}


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw all pictures; return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    found, written = points(rows), []
    for name in sets.FILES:
        own = [point for point in found if point.set == name]
        for figure in FIGURES:
            if finished(own, figure):
                path = folder / f"{name}-{figure}.png"
                _picture(own, name, figure, path)
                written.append(path)
    return written


def _coordinates(found: Sequence[Point], figure: Figure) -> tuple[list[float], list[float]]:
    return [point.cpu_seconds for point in found], [value(point, figure) for point in found]


def _picture(found: Sequence[Point], name: str, figure: Figure, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Picture

    picture = Picture(figsize=(7.5, 5), layout="constrained")
    FigureCanvasAgg(picture)
    axes = picture.add_subplot()
    for number, tool in enumerate(tools.NAMES):
        own = finished((point for point in found if point.tool == tool), figure)
        if not own:
            continue
        color = "black" if tool == OURS else f"C{number}"
        axes.plot(
            *_coordinates(own, figure),
            label=tools.load(tool).TITLE,
            marker="os^vDPX*<>"[number],
            linestyle="none",
            color=color,
        )
        axes.plot(*_coordinates(frontier(own, figure), figure), color=color, alpha=0.5)
    axes.set_xscale("log")
    axes.set_xlabel("CPU seconds of training")
    axes.set_ylabel(_LABELS[figure])
    axes.set_title(sets.TITLES[name])
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize="small")
    picture.savefig(path, dpi=110)
