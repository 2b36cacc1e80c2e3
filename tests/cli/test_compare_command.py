"""`sstrain compare-samplers` as a process: files, workers, kills, resumes, mistakes."""

import csv
import json
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from commands import model_hash, sequence_text, snapshot, sstrain, start

CONFIG = """
output: out
base: {base}
objectives: [{{type: importance}}]
samplers: [{{type: uniform}}, {{type: unigram, power: 1.0}}]
num_samples: [4]
seeds: [1, 2]
budget: {{epochs: 2}}
diagnostics: {{examples: 16, draws: 32}}
"""
BASE = """
data:
  train: {path: words.txt, format: sequence, min_count: 1}
  validation: 0.2
training: {batch_size: 16, threads: 1}
optimizer: {type: adagrad, learning_rate: 0.3, schedule: linear}
evaluation: {every: 1 epoch, top_k: [1, 3]}
"""
FILES = {
    "bias_variance.png",
    "cells",
    "config.yaml",
    "curves.csv",
    "curves.png",
    "diagnostics.csv",
    "environment.json",
    "pareto.png",
    "ranking.png",
    "report.html",
    "results.csv",
    "summary.json",
}
TIMES = ("cpu_seconds", "wall_seconds", "examples_per_cpu_second")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "words.txt").write_text(sequence_text(150, 30, seed=3))
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "compare.yaml").write_text(CONFIG.format(base="base.yaml"))
    return tmp_path


def rows(path: Path) -> list[dict[str, str]]:
    """Return a table's rows without what a clock measured."""
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    return [
        {name: value for name, value in row.items() if name not in TIMES}
        for row in table
        if row.get("quantity") != "nanoseconds_a_draw"
    ]


def tables(output: Path) -> dict[str, Any]:
    return {name: rows(output / f"{name}.csv") for name in ("results", "curves", "diagnostics")}


def compare(folder: Path, *arguments: str) -> Any:
    return sstrain("compare-samplers", "--config", "compare.yaml", *arguments, folder=folder)


def test_a_comparison_and_what_it_leaves(folder: Path) -> None:
    done = compare(folder)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (folder / "out").iterdir()} - {".lock"} == FILES
    results = rows(folder / "out" / "results.csv")
    assert len(results) == 6
    assert {row["status"] for row in results} == {"finished"}
    assert [row["objective"] for row in results if not row["sampler"]] == ["exact", "exact"]
    assert {row["sampler"] for row in results} == {"", "uniform", "unigram(power=1.0)"}
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert summary["recommendation"]["sentence"] in done.stdout
    assert "unigram(power=1.0)" in done.stdout
    assert "finished" in done.stderr
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 4
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_report_says_what_an_objective_leaves_biased(folder: Path) -> None:
    settings = [
        "objectives=[{type: sampled_softmax}]",
        "samplers=[{type: uniform, replacement: true}]",
        "reference=false",
        "diagnostics=off",
    ]
    done = compare(folder, *(part for setting in settings for part in ("--set", setting)))
    assert done.returncode == 0, done.stderr
    said = "sampled_softmax with independent draws: "
    assert said in done.stdout
    assert said in (folder / "out" / "report.html").read_text(encoding="utf-8")
    settings[1] = "samplers=[{type: uniform}]"
    flags = [part for setting in settings for part in ("--set", setting)]
    done = compare(folder, *flags, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert said not in done.stdout


def test_a_cell_is_the_run_that_train_makes(folder: Path) -> None:
    assert compare(folder, "--set", "diagnostics=off").returncode == 0
    settings = ["seed=2", "training.epochs=2", "sampler={type: uniform, num_samples: 4}"]
    flags = [part for setting in settings for part in ("--set", setting)]
    done = sstrain("train", "--config", "base.yaml", "--output", "run", *flags, folder=folder)
    assert done.returncode == 0, done.stderr
    (cell,) = (
        row
        for row in rows(folder / "out" / "results.csv")
        if row["sampler"] == "uniform" and row["seed"] == "2"
    )
    assert cell["weights_sha256"] == model_hash(folder / "run")


def test_workers_change_nothing(folder: Path) -> None:
    for workers in (1, 2):
        setting = f"workers={workers}"
        done = compare(folder, "--set", setting, "--output", f"out{workers}")
        assert done.returncode == 0, done.stderr
    assert tables(folder / "out1") == tables(folder / "out2")
    assert not (folder / "out2" / ".sstrain-data").exists()


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGKILL, 1), (signal.SIGINT, 2)])
def test_a_comparison_resumed_equals_one_that_was_not_stopped(
    folder: Path, number: int, workers: int
) -> None:
    assert compare(folder, "--output", "whole").returncode == 0
    call = ["compare-samplers", "--config", "compare.yaml", "--set", f"workers={workers}"]
    process = start(*call, folder=folder)
    cells = folder / "out" / "cells"
    while process.poll() is None and not list(cells.glob("*.json")):
        time.sleep(0.02)
    process.send_signal(number)
    _, messages = process.communicate()
    if number == signal.SIGINT:
        assert process.returncode == 130, messages
        assert "cells are kept; go on with" in messages
        assert messages.rstrip().endswith("--resume")
    kept = snapshot(cells)
    assert 0 < len(kept) < 12
    resumed = sstrain(*call, "--resume", folder=folder)
    assert resumed.returncode == 0, resumed.stderr
    after = snapshot(cells)
    assert {name: after[name] for name in kept if name.endswith("json")} == {
        name: value for name, value in kept.items() if name.endswith("json")
    }
    assert tables(folder / "out") == tables(folder / "whole")


def test_a_finished_comparison_is_not_run_again(folder: Path) -> None:
    assert compare(folder).returncode == 0
    before = snapshot(folder / "out")
    assert compare(folder).returncode == 2
    again = compare(folder, "--resume")
    assert again.returncode == 0
    assert "nothing to do" in again.stderr
    assert snapshot(folder / "out") == before
    other = compare(folder, "--resume", "--set", "num_samples=[8]")
    assert other.returncode == 2
    assert "num_samples: [4] in the comparison, [8] now" in other.stderr
    assert compare(folder, "--overwrite", "--set", "num_samples=[8]").returncode == 0
    assert {row["num_samples"] for row in rows(folder / "out" / "results.csv")} == {"", "8"}


def test_a_cell_that_diverges_is_a_row_and_the_rest_goes_on(folder: Path) -> None:
    done = compare(
        folder,
        "--set",
        "base.optimizer={type: sgd, learning_rate: 300.0}",
        "--set",
        "reference=false",
    )
    assert done.returncode == 0, done.stderr
    results = rows(folder / "out" / "results.csv")
    failed = [row for row in results if row["status"] == "diverged"]
    assert failed
    assert all(row["log_loss"] == "" and row["reason"] for row in failed)
    assert "diverged" in (folder / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["samplers=[]"], "samplers: empty"),
        (["samplers=[{type: uniform}, {type: uniform, share: batch}]"], "samplers.1"),
        (["num_samples=[]"], "num_samples: empty"),
        (["budget={epochs: 0}"], "budget.epochs: out of range"),
        (["base.data.validation=null"], "validation"),
        (["base=nothing.yaml"], "nothing.yaml"),
        (["base.training.batch_size=0"], "base.training.batch_size"),
        (["budget={seconds: 1}"], "schedule"),
        (["num_samples=[100]", "samplers=[{type: uniform, replacement: false}]"], "num_samples"),
    ],
)
def test_a_mistake_is_told_in_a_line(folder: Path, settings: list[str], expected: str) -> None:
    flags = [part for setting in settings for part in ("--set", setting)]
    done = compare(folder, *flags)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3
    assert not (folder / "out").exists()


def test_a_folder_of_a_run_is_left_alone(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "metrics.jsonl").write_text("")
    done = compare(folder, "--overwrite")
    assert done.returncode == 2
    assert "holds a run of sstrain train" in done.stderr


def test_a_run_is_not_trained_into_a_comparison(folder: Path) -> None:
    assert compare(folder, "--set", "diagnostics=off").returncode == 0
    before = snapshot(folder / "out")
    for flag in ("--resume", "--overwrite"):
        done = sstrain("train", "--config", "base.yaml", "--output", "out", flag, folder=folder)
        assert done.returncode == 2
        assert "holds a comparison" in done.stderr
    assert snapshot(folder / "out") == before


def test_a_worker_that_is_killed_is_told_and_its_cell_run_again(folder: Path) -> None:
    settings = ["--set", "workers=2", "--set", "seeds=[1, 2, 3, 4, 5, 6]"]
    call = ["compare-samplers", "--config", "compare.yaml", *settings]
    process = start(*call, folder=folder)
    while process.poll() is None and not list((folder / "out" / "cells").glob("*.json")):
        time.sleep(0.02)
    workers = [child for child in psutil.Process(process.pid).children() if _works(child)]
    workers[0].kill()
    _, messages = process.communicate()
    assert process.returncode == 1
    assert "its process was killed, perhaps for want of memory" in messages
    assert "Traceback" not in messages
    assert sstrain(*call, "--resume", folder=folder).returncode == 0
    assert len(rows(folder / "out" / "results.csv")) == 18


def _works(process: psutil.Process) -> bool:
    return any("spawn_main" in word for word in process.cmdline())


def test_a_budget_in_seconds(folder: Path) -> None:
    settings = ["budget={seconds: 0.2}", "base.optimizer.schedule=constant", "diagnostics=off"]
    done = compare(folder, *(part for setting in settings for part in ("--set", setting)))
    assert done.returncode == 0, done.stderr
    assert all(int(row["step"]) > 0 for row in rows(folder / "out" / "results.csv"))
    assert "a budget in seconds" in done.stdout


def test_another_tolerance_runs_no_cell_again(folder: Path) -> None:
    assert compare(folder, "--set", "diagnostics=off").returncode == 0
    cells = snapshot(folder / "out" / "cells")
    done = compare(folder, "--resume", "--set", "diagnostics=off", "--set", "tolerance=0.5")
    assert done.returncode == 0, done.stderr
    assert "50%" in done.stdout
    assert snapshot(folder / "out" / "cells") == cells


def test_more_workers_than_cores_are_allowed_and_said(folder: Path) -> None:
    done = compare(folder, "--set", "workers=64", "--set", "seeds=[1]", "--set", "diagnostics=off")
    assert done.returncode == 0, done.stderr
    assert "workers: 64" in done.stderr


def test_diagnostics_while_a_run_trains(folder: Path) -> None:
    settings = ["--set", "diagnostics={every: 5 steps, examples: 16, draws: 32}"]
    assert (
        sstrain("train", "--config", "base.yaml", "--output", "a", *settings, folder=folder)
    ).returncode == 0
    assert sstrain("train", "--config", "base.yaml", "--output", "b", folder=folder).returncode == 0
    assert model_hash(folder / "a") == model_hash(folder / "b")
    lines = [json.loads(line) for line in (folder / "a" / "metrics.jsonl").read_text().splitlines()]
    measured = [line for line in lines if line["event"] == "diagnostics"]
    assert [line["step"] for line in measured[:3]] == [5, 10, 15]
    assert {"bias_norm", "variance"} <= {row["quantity"] for row in measured[0]["figures"]}
