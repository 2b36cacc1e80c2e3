"""The plots: what they show, that nothing covers anything else, what is left out."""

import itertools
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from constructed_records import EXACT, LINES, arm, diverged
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from measured_records import cell, comparison

from sstrain.comparison import curve_plots, diagnostic_plots, ranking_plots
from sstrain.comparison.curve_plots import courses
from sstrain.comparison.plots import write_plots
from sstrain.comparison.ranking import RankedArm, rank
from sstrain.comparison.ranking_plots import front
from sstrain.comparison.records import Arm, CellRecord
from sstrain.comparison.style import COLOURS, Styles, fence

PNG = b"\x89PNG\r\n\x1a\n"
LONG = [f"unigram(smoothing={i}.0, share=example, replacement=false)" for i in range(10)]

GRIDS: dict[str, dict[str, Any]] = {
    "usual": {},
    "many": {"samplers": LONG, "sizes": (4, 64), "objectives": ("importance", "other")},
    "one": {"samplers": ["unigram"], "sizes": (16,), "seeds": (1,), "reference": False},
    "odd": {"samplers": ["file(path=a$b$.tsv)", "file(path=確率_{x}.tsv)"]},
    "far": {"samplers": ["uniform", *LONG[:3]], "sizes": (1, 64)},
}


@pytest.fixture(params=GRIDS)
def records(request: pytest.FixtureRequest) -> list[CellRecord]:
    return comparison(**GRIDS[request.param])


def drawn(
    monkeypatch: pytest.MonkeyPatch, module: Any, draw: Callable[[], bytes | None]
) -> Figure | None:
    """Return the figure that a drawing ends with, laid out."""
    figures: list[Figure] = []

    def as_png(figure: Figure) -> bytes:
        figure.draw_without_rendering()
        figures.append(figure)
        return PNG

    monkeypatch.setattr(module, "as_png", as_png)
    draw()
    return figures[0] if figures else None


def all_drawn(monkeypatch: pytest.MonkeyPatch, records: Sequence[CellRecord]) -> list[Figure]:
    ranking = rank(records, *LINES)
    draws = [
        (curve_plots, lambda: curve_plots.draw_curves(records)),
        (diagnostic_plots, lambda: diagnostic_plots.draw_bias_and_variance(records)),
        (ranking_plots, lambda: ranking_plots.draw_pareto(records, ranking)),
        (ranking_plots, lambda: ranking_plots.draw_ranking(ranking)),
    ]
    figures = [drawn(monkeypatch, module, draw) for module, draw in draws]
    return [figure for figure in figures if figure is not None]


def words(holder: Any) -> list[str]:
    return [text.get_text() for text in holder.texts]


@pytest.mark.filterwarnings("ignore:Glyph")
def test_nothing_covers_anything_else(
    records: list[CellRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    for figure in all_drawn(monkeypatch, records):
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        boxes = [axes.get_tightbbox(renderer) for axes in figure.axes]
        boxes += [legend.get_tightbbox(renderer) for legend in figure.legends]
        for one, other in itertools.combinations(boxes, 2):
            assert one is not None
            assert other is not None
            # Less than a letter's height.
            assert min(one.x1, other.x1) - max(one.x0, other.x0) < 6 or (
                min(one.y1, other.y1) - max(one.y0, other.y0) < 6
            )
        assert all(box is not None and box.x0 > -6 for box in boxes)
        assert all(box is not None and box.x1 < figure.bbox.x1 + 6 for box in boxes)
        assert all(axes.bbox.height > 100 and axes.bbox.width > 100 for axes in figure.axes)


def test_curves_have_a_column_for_each_size_with_the_reference_in_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figure = drawn(monkeypatch, curve_plots, lambda: curve_plots.draw_curves(comparison()))
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes[:2]] == ["K = 16", "K = 64"]
    assert len(figure.axes) == 6
    for axes in figure.axes:
        assert [line.get_color() for line in axes.lines] == ["black", *COLOURS[:3]]
        assert len(axes.collections) == 4  # bands
        assert axes.get_ylim() == figure.axes[0].get_ylim()
    assert [axes.get_xscale() for axes in figure.axes] == ["linear"] * 2 + ["log"] * 4
    # uniform with 16 samples ends at 5.25, the others below 4.4.
    assert figure.axes[0].get_ylim()[1] < 5
    assert words(figure.axes[0]) == ["above, at the end:\nuniform: 5.25"]
    assert words(figure.axes[1]) == []
    labels = words(figure.legends[0])
    assert labels == ["exact gradient", "uniform", "unigram", "unigram(power=0.5)"]


def test_courses_are_means_and_ranges_over_seeds() -> None:
    found = courses([cell(EXACT, 1), cell(EXACT, 3), diverged(arm("uniform"), 1)])
    assert list(found) == [EXACT]
    course = found[EXACT]
    assert course.costs["examples"] == [1000, 2000, 3000, 4000]
    assert course.costs["cpu_seconds"] == pytest.approx([25, 50, 75, 100])
    assert course.low == pytest.approx([4.301, 4.201, 4.101, 4.001])
    assert course.high == pytest.approx([4.303, 4.203, 4.103, 4.003])
    assert course.mean == pytest.approx([4.302, 4.202, 4.102, 4.002])


def test_seeds_with_different_numbers_of_evaluations_end_together() -> None:
    short = cell(EXACT, 3)
    short = replace(short, curve=[short.curve[0], short.curve[-1]])
    course = courses([cell(EXACT, 1), short])[EXACT]
    assert course.mean == pytest.approx([4.302, 4.002])
    assert course.costs["examples"] == [1000, 4000]


@pytest.mark.parametrize(
    ("values", "limit"),
    [
        ([4.0], 4.0),
        ([4.0, 4.1, 4.2], 4.2),
        ([4.0, 4.1, 9.0], 4.6),
        ([4.0, 4.3, 9.0], 4.9),
        ([4.0, 4.0, 4.5], 4.5),  # within 15%
        ([4.0, 4.0, 9.0], 4.6),
        ([-0.1, 0.1, 0.2, 5.0], 0.5),
    ],
)
def test_a_fence_keeps_out_what_is_far_off(values: list[float], limit: float) -> None:
    assert fence(values[::-1]) == pytest.approx(limit)


def test_bias_and_variance_carry_slopes_intervals_and_closed_forms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = comparison(sizes=(4, 16, 64))
    figure = drawn(
        monkeypatch, diagnostic_plots, lambda: diagnostic_plots.draw_bias_and_variance(records)
    )
    assert figure is not None
    assert len(figure.axes) == 4
    for place, axes in enumerate(figure.axes):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        legend = axes.get_legend()
        assert isinstance(legend, Legend)
        assert words(legend) == ["−1.00 ± 0.00"] * 3
        crosses = [line for line in axes.lines if line.get_marker() == "x"]
        assert len(crosses) == (9 if place >= 2 else 0)
    variances = heights(figure.axes[3], "o")[:3]
    assert variances == pytest.approx([20 / k * 1.02 for k in (4, 16, 64)])
    assert heights(figure.axes[3], "x")[:3] == pytest.approx([1.01 * v for v in variances])
    assert heights(figure.axes[1], "o")[:3] == pytest.approx([v / 5 for v in variances])
    assert "closed form" in words(figure.legends[0])


def heights(axes: Axes, marker: str) -> list[float]:
    return [
        float(np.asarray(line.get_ydata())[0]) for line in axes.lines if line.get_marker() == marker
    ]


def test_a_bias_that_is_not_seen_is_drawn_as_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    records = comparison(["unigram"], (4, 16, 64))
    for row in (row for record in records for row in record.diagnostics):
        if row["quantity"] == "relative_bias" and row["num_samples"] == 64:
            row.update(value=0.0, low=0.0, high=0.125)
    figure = drawn(
        monkeypatch, diagnostic_plots, lambda: diagnostic_plots.draw_bias_and_variance(records)
    )
    assert figure is not None
    for axes in figure.axes[:2]:
        assert heights(axes, r"$\downarrow$") == [pytest.approx(0.125)]
        legend = axes.get_legend()
        assert isinstance(legend, Legend)
        assert words(legend) == ["−1.00"]  # of two points


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    generator = np.random.default_rng(3)
    for _ in range(20):
        rows = [
            RankedArm(arm=arm("unigram", k), log_loss=float(loss), cpu_seconds=float(cost))
            for k, (loss, cost) in enumerate(generator.integers(1, 9, (12, 2)), 1)
        ]
        points = [(row.log_loss or 0, row.cpu_seconds or 0) for row in rows]
        expected = {
            (loss, cost)
            for loss, cost in points
            if not any(x <= loss and y <= cost and (x, y) != (loss, cost) for x, y in points)
        }
        found = front([*rows, RankedArm(arm=arm("uniform"))])
        assert {(row.log_loss, row.cpu_seconds) for row in found} == expected
        assert [row.cpu_seconds for row in found] == sorted(cost for _, cost in expected)


def test_the_pareto_picture_names_far_off_arms_and_draws_the_front(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = comparison()
    ranking = rank(records, *LINES)
    figure = drawn(monkeypatch, ranking_plots, lambda: ranking_plots.draw_pareto(records, ranking))
    assert figure is not None
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "above, at the carets: uniform, K = 16 (5.25)"
    places = {
        tuple(round(float(np.asarray(data)[0]), 3) for data in (line.get_xdata(), line.get_ydata()))
        for line in axes.lines
        if line.get_marker() in ("o", "*") and line.get_markeredgecolor() == "black"
    }
    assert places == {(6, 4.127), (9, 4.033), (100, 4.002)}


def test_the_ranking_shows_every_arm_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    ranking = rank(comparison(), *LINES)
    figure = drawn(monkeypatch, ranking_plots, lambda: ranking_plots.draw_ranking(ranking))
    assert figure is not None
    axes = figure.axes[0]
    labels = [label.get_text().replace("\u00a0", " ") for label in axes.get_yticklabels()]
    assert labels == [str(row.arm) for row in ranking.rows]
    assert axes.yaxis_inverted()
    assert words(axes) == ["1.25"]  # the arrow's
    dots = [line for line in axes.lines if line.get_marker() in ("o", "*")]
    shown = [float(np.asarray(line.get_xdata())[0]) for line in dots]
    assert shown == [row.difference for row in ranking.rows[:-1]]


def test_styles_tell_samplers_and_objectives_apart() -> None:
    arms = [Arm(o, s, 4) for o in ("importance", "other") for s in map(str, range(16))]
    styles = Styles.of([EXACT, *arms])
    looks = [tuple(styles.line(one).values()) for one in [EXACT, *arms]]
    assert len(set(looks)) == 33
    assert len({styles.label(one) for one in arms}) == 32
    assert "black" not in COLOURS


@pytest.mark.filterwarnings("error")
def test_every_plot_is_a_png(tmp_path: Path, records: list[CellRecord]) -> None:
    plots = write_plots(tmp_path, records, rank(records, *LINES))
    names = ["ranking", "curves", "pareto", "bias_variance"]
    if len({record.arm for record in records}) == 1:  # nothing to rank, and no reference
        names = ["curves", "pareto"]
    assert list(plots) == names
    for name, path in plots.items():
        assert path == tmp_path / f"{name}.png"
        assert path.read_bytes().startswith(PNG)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{n}.png" for n in names)


@pytest.mark.filterwarnings("error")
def test_no_time_at_all_has_its_place(tmp_path: Path) -> None:
    records = [replace(c, results={**c.results, "cpu_seconds": 0.0}) for c in comparison()]
    assert "pareto" in write_plots(tmp_path, records, rank(records, *LINES))


def test_what_was_not_measured_is_not_drawn_and_an_old_plot_goes(tmp_path: Path) -> None:
    (tmp_path / "bias_variance.png").write_text("old")
    (tmp_path / "curves.png").write_text("old")
    failed = [diverged(arm("uniform"), 1)]
    assert write_plots(tmp_path, failed, rank(failed, *LINES)) == {}
    assert list(tmp_path.iterdir()) == []
    records = comparison(measured=False)
    assert "bias_variance" not in write_plots(tmp_path, records, rank(records, *LINES))


def test_drawing_needs_neither_a_display_nor_pyplot(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sstrain.comparison import plots, ranking; "
        "assert 'matplotlib' not in sys.modules; "
        "from measured_records import *; from constructed_records import LINES; "
        "records = comparison(); "
        "plots.write_plots(Path(sys.argv[1]), records, ranking.rank(records, *LINES)); "
        "assert 'matplotlib' in sys.modules; sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    path = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); "
    subprocess.run([sys.executable, "-c", path + code, str(tmp_path)], check=True)


def test_a_plot_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    records = comparison()
    ranking = rank(records, *LINES)
    with pytest.raises(OSError, match="No such file"):
        write_plots(tmp_path / "missing", records, ranking)
