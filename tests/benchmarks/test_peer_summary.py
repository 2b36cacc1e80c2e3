"""What follows from measured rows: medians, goals, equal time, the page."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from peers import plots, report, results
from peers.results import FAILED, FINISHED, NOT_INSTALLED, PART, STOPPED, Row
from peers.summary import equal_time, frontier, points, reach, spread, summarise


def row(
    tool: str, setting: str, cpu: float, loss: float | None, top_1: float | None, repeat: int = 1
) -> Row:
    return Row(
        "kjv", tool, setting, repeat, FINISHED, cpu_seconds=cpu, wall_seconds=cpu,
        log_loss=loss, top_1=top_1, top_5=0.5, version="1.0", machine="m", date="2026-01-01",
    )  # fmt: skip


ROWS = [
    row("sstrain", "short", 2.0, 4.6, 0.22),
    row("sstrain", "middle", 5.0, 4.2, 0.25),
    row("sstrain", "long", 30.0, 4.0, 0.27),
    row("fasttext", "hs 100, 5 epochs, lr .1", 15.0, 4.5, 0.24),
    row("fasttext", "hs 100, 10 epochs, lr .2", 41.0, 4.7, 0.25),
    row("pytorch", "a", 1.0, 5.0, 0.1),
    row("pytorch", "b", 40.0, 4.2, 0.28),
    row("omikuji", "defaults", 200.0, None, 0.27),
    Row(
        "kjv", "pecos", "XR-Linear, defaults", 1, FAILED, "exit code 1: a | b", machine="m",
        date="2026-01-01",
    ),
    Row("kjv", "napkinxc", "PLT", 1, NOT_INSTALLED, "no wheel", machine="m", date="2026-01-01"),
    Row(
        "kjv", "vowpal_wabbit", "plt, 1 pass", 1, STOPPED, "stopped after 60 s", 60.0, share=0.25,
        extrapolated_seconds=240.0, machine="m", date="2026-01-01",
    ),
]  # fmt: skip


def test_medians_over_repeats() -> None:
    found = spread([3.0, None, 1.0, 8.0])
    assert found is not None
    assert (found.median, found.low, found.high) == (3.0, 1.0, 8.0)
    assert spread([None]) is None
    (point,) = points([row("pytorch", "a", cpu, 4.0, 0.2, i) for i, cpu in enumerate((9, 2, 5))])
    assert point.cpu_seconds == 5


def test_a_repeat_that_failed_is_not_overlooked() -> None:
    failed = Row("kjv", "pytorch", "a", 2, FAILED, "ended by SIGSEGV")
    (point,) = points([row("pytorch", "a", 1.0, 4.0, 0.2), failed])
    assert (point.status, point.reason) == (FAILED, "ended by SIGSEGV")


def test_first_setting_that_reaches_the_best_peer() -> None:
    found = summarise(points(ROWS), "kjv").reaches
    named = {(one.figure, one.peer.tool, one.peer.setting): one for one in found}
    loss = named["log_loss", "pytorch", "b"]
    assert loss.ours is not None
    assert (loss.ours.setting, loss.ratio, loss.met) == ("middle", 5 / 40, True)
    # Nothing of sstrain's reaches .28.
    top = named["top_1", "pytorch", "b"]
    assert (top.ours, top.ratio, top.met) == (None, None, False)
    fast = named["log_loss", "fasttext", "hs 100, 5 epochs, lr .1"]
    assert (fast.ratio, fast.goal, fast.met) == (5 / 15, 1 / 8, False)
    faster = named["top_1", "fasttext", "hs 100, 10 epochs, lr .2"]
    assert (faster.ratio, faster.met) == (5 / 41, True)


def test_equal_time() -> None:
    ours = [point for point in points(ROWS) if point.tool == "sstrain"]
    peers = {(p.tool, p.setting): p for p in points(ROWS)}
    better = equal_time(ours, peers["fasttext", "hs 100, 5 epochs, lr .1"], "log_loss")
    assert better.ours is not None
    assert better.ours.setting == "middle"
    assert better.lead == pytest.approx(0.3)
    worse = equal_time(ours, peers["pytorch", "b"], "top_1")
    assert worse.lead == pytest.approx(-0.01)
    assert equal_time(ours, peers["pytorch", "a"], "top_1").ours is None


def test_reach_takes_the_cheapest_not_the_best() -> None:
    ours = [p for p in points(ROWS) if p.tool == "sstrain"]
    peer = next(p for p in points(ROWS) if p.setting == "a")
    found = reach(ours, peer, "log_loss", 0.25)
    assert found.ours is not None
    assert found.ours.setting == "short"
    assert found.ratio == 2


def test_frontier_leaves_out_what_costs_more_and_gives_less() -> None:
    fast = [point for point in points(ROWS) if point.tool == "fasttext"]
    assert [len(frontier(fast, "log_loss")), len(frontier(fast, "top_1"))] == [1, 2]


def test_rows_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    results.write(path, ROWS)
    assert results.read(path) == ROWS
    assert results.read(tmp_path / "none.csv") == []
    again = replace(ROWS[0], cpu_seconds=7.0)
    assert results.add(path, again) == [*ROWS[1:], again]
    assert results.read(path) == [*ROWS[1:], again]
    assert os.listdir(tmp_path) == ["results.csv"]


def test_page_has_every_row_and_says_why(tmp_path: Path) -> None:
    page = report.page(ROWS, plots.draw(ROWS, tmp_path / "plots"))
    assert "![kjv-log_loss](plots/kjv-log_loss.png)" in page
    assert (tmp_path / "plots" / "kjv-top_1.png").stat().st_size > 10_000
    assert r"exit code 1: a \| b |" in page
    assert "| no wheel |" in page
    assert "| 240 | stopped after 60 s |" in page
    assert "| 1/8.0 | 1/4: met | long | 1/1.3 |" in page
    assert "Not among the best, since they did not end: PECOS (XR-Linear, defaults), failed" in page
    assert "Not measured on this set: scikit-learn, liblinear." in page
    assert "PyTorch (CPU) (b) is better by 0.0100 in top-1: 0.2800 in 40.0 s" in page
    assert "PyTorch (CPU) (a), log-loss: no setting of sstrain is as cheap." in page
    assert "omikuji (defaults) is equal in top-1: 0.2700 in 200 s" in page
    assert "sstrain is better in 5 of 7" in page
    assert "takes no more), in 0 of them by no more than chance" in page
    # Tables have the same number of cells in each line.
    for block in page.split("\n\n"):
        if block.startswith("|"):
            widths = {line.replace(r"\|", "").count("|") for line in block.splitlines()}
            assert len(widths) == 1, block


def test_one_line() -> None:
    assert report.one_line(ROWS[0]) == "2.0 CPU s, log-loss 4.6000, top-1 0.2200, top-5 0.5000"
    assert report.one_line(ROWS[-1]) == "stopped: stopped after 60 s; all: 240 s"
    part = Row("kjv", "liblinear", "a", 1, PART, "8 of 100 classes")
    assert report.one_line(part) == "part: 8 of 100 classes"
