"""The loss curve."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sstrain.errors import FailureError
from sstrain.training.picture import _points, draw_loss_curve

PNG = b"\x89PNG\r\n\x1a\n"

METRICS: list[dict[str, Any]] = [
    {"event": "train", "examples": 10, "loss": 3.0},
    {"event": "train", "examples": 20, "loss": None},
    {"event": "eval", "split": "validation", "examples": 20, "log_loss": 2.5},
    {"event": "train", "examples": 30, "loss": 2.0},
    {"event": "eval", "split": "test", "examples": 30, "log_loss": 9.0},
    {"event": "eval", "split": "validation", "examples": 30, "log_loss": 2.25},
    {"event": "end", "examples": 30},
]


def test_only_what_was_measured_is_drawn() -> None:
    assert _points(METRICS, "loss", event="train") == ([10, 30], [3.0, 2.0])
    validation = _points(METRICS, "log_loss", event="eval", split="validation")
    assert validation == ([20, 30], [2.5, 2.25])


@pytest.mark.parametrize("metrics", [METRICS, METRICS[:1], []])
def test_a_picture_is_a_png_and_takes_the_place_of_the_last(
    tmp_path: Path, metrics: list[dict[str, Any]]
) -> None:
    path = tmp_path / "loss.png"
    path.write_text("the last")
    draw_loss_curve(iter(metrics), path, "sampled training loss")
    assert path.read_bytes().startswith(PNG)
    assert [child.name for child in tmp_path.iterdir()] == ["loss.png"]


def test_curves_carry_their_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    labels: list[str] = []

    def savefig(figure: Figure, path: Path, **options: Any) -> None:
        legend = figure.axes[0].get_legend()
        assert legend is not None
        labels.extend(text.get_text() for text in legend.get_texts())
        path.write_bytes(b"")

    monkeypatch.setattr(Figure, "savefig", savefig)
    draw_loss_curve(METRICS, tmp_path / "loss.png", "sampled training loss")
    assert labels == ["sampled training loss", "validation log-loss, all classes"]


def test_drawing_needs_neither_a_display_nor_pyplot(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sstrain.training import picture; "
        "assert 'matplotlib' not in sys.modules; "
        "picture.draw_loss_curve([], Path(sys.argv[1])); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "loss.png")], check=True)


def test_a_picture_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(FailureError, match=r"loss\.png: cannot be written: No such file"):
        draw_loss_curve(METRICS, tmp_path / "missing" / "loss.png")
