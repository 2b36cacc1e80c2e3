"""loss.png: the losses of a run against the examples it has seen."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstrain.disk import disk_reason, replacing
from sstrain.errors import FailureError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_loss_curve"]

_Points = tuple[list[float], list[float]]


def draw_loss_curve(
    metrics: Iterable[dict[str, Any]], path: Path, train_label: str = "training loss"
) -> None:
    """Draw the training loss and the validation log-loss of a run.

    Parameters
    ----------
    metrics : iterable of dict
        The lines of metrics.jsonl.
    path : Path
        The PNG, replaced when it is whole.
    train_label : str
        What the training loss is: a sampled loss is not the model's.

    Raises
    ------
    FailureError
        If the picture cannot be written.
    """
    # The canvas of matplotlib's object interface needs no display and keeps no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    _draw(figure.add_subplot(), list(metrics), train_label)
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=160)
    except OSError as error:
        raise FailureError(f"{path}: cannot be written: {disk_reason(error)}") from error


def _draw(axes: "Axes", lines: list[dict[str, Any]], train_label: str) -> None:
    from matplotlib.ticker import EngFormatter

    train = _points(lines, "loss", event="train")
    marker = "." if len(train[0]) < 20 else ""
    axes.plot(*train, color="0.55", linewidth=1.2, marker=marker, label=train_label)
    validation = _points(lines, "log_loss", event="eval", split="validation")
    if validation[0]:
        label = "validation log-loss, all classes"
        axes.plot(*validation, color="black", linewidth=1.6, marker="o", label=label)
        best = min(zip(validation[1], validation[0], strict=True))
        axes.annotate(f"{best[0]:.3f}", best[::-1], (0, 8), textcoords="offset points", ha="center")
    axes.set_xlabel("training examples seen")
    axes.set_ylabel("loss (nats an example)")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(y=0.12)
    axes.set_xlim(left=0)
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _points(lines: list[dict[str, Any]], key: str, **which: str) -> _Points:
    """Return examples and values of the lines that have both, among those that match."""
    chosen = [
        (line["examples"], line[key])
        for line in lines
        if all(line.get(name) == value for name, value in which.items())
        and line.get("examples") is not None
        and line.get(key) is not None
    ]
    return [examples for examples, _ in chosen], [value for _, value in chosen]
