"""A warm start through the commands: train, plan and compare-samplers, and what they refuse."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from commands import model_hash, snapshot, sstrain, svmlight_text

from sstrain.cli import main

CONFIG = """\
output: old
data: {train: {path: a.svm, format: svmlight}, validation: 0.2}
sampler: {num_samples: 4}
training: {epochs: 1, batch_size: 16, threads: 1}
"""
WARM = CONFIG.replace("old", "new").replace("a.svm", "b.svm") + "model: {type: dense, from: old}\n"
COMPARISON = """\
output: out
base: new.yaml
samplers: [{type: uniform}, {type: unigram}]
num_samples: [4]
seeds: [1]
budget: {examples: 16}
diagnostics: "off"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run in ``old``, and configs that start from it."""
    monkeypatch.chdir(tmp_path)
    Path("a.svm").write_text(svmlight_text(200, 6, 9, seed=1))
    Path("b.svm").write_text(svmlight_text(200, 6, 9, seed=2))
    for name, text in (("old", CONFIG), ("new", WARM), ("compare", COMPARISON)):
        Path(f"{name}.yaml").write_text(text)
    assert main(["train", "--config", "old.yaml"]) == 0
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that ends with 2 and changes nothing; return its last line."""
    capsys.readouterr()
    before = snapshot(Path())
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert snapshot(Path()) == before
    assert "Traceback" not in err
    return err.splitlines()[-1]


def test_a_path_is_taken_from_where_it_stands(home: Path) -> None:
    (home / "sub").mkdir()
    done = sstrain("train", "--config", "../new.yaml", folder=home / "sub")
    assert done.returncode == 0, done.stderr
    assert f"warm start from {home}/old, step 11: 6 of 6 classes" in done.stderr
    again = ("--config", "../new.yaml", "--set", "model.from=../old", "--output", "again")
    done = sstrain("train", *again, folder=home / "sub")
    assert done.returncode == 0, done.stderr
    assert model_hash(home / "sub/again") == model_hash(home / "new")


def test_a_plan_counts_the_old_model(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["plan", "--config", "new.yaml", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["memory_bytes"]["warm_start"] == 0  # no more than the buffers take later
    assert found["epoch_seconds"] > 0


def log_losses(folder: str) -> list[dict[str, Any]]:
    with Path(folder, "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("workers", [1, 2])
def test_every_cell_of_a_comparison_begins_there(workers: int, home: Path) -> None:
    workers_option = ("--set", f"workers={workers}")
    for name, extra in (("cold", ("--set", "base.model.from=null")), ("warm", ())):
        arguments = ("--config", "compare.yaml", "--output", name, *workers_option, *extra)
        done = sstrain("compare-samplers", *arguments, folder=home)
        assert done.returncode == 0, done.stderr
        assert ("warm start from" in done.stderr) == (name == "warm")
    environment = json.loads(Path("warm/environment.json").read_text())
    assert environment["warm_start"]["model_sha256"] == model_hash(home / "old", "best")
    pairs = list(zip(log_losses("cold"), log_losses("warm"), strict=True))
    assert len(pairs) == 3
    for cold, warm in pairs:
        # One step from nothing, against one from a whole epoch.
        assert float(warm["log_loss"]) < float(cold["log_loss"]) - 0.05


def test_a_comparison_goes_on_from_the_same_weights_alone(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare-samplers", "--config", "compare.yaml"]) == 0
    Path("out/summary.json").unlink()
    assert main(["compare-samplers", "--config", "compare.yaml", "--resume"]) == 0
    Path("out/summary.json").unlink()
    assert main(["train", "--config", "old.yaml", "--set", "seed=2", "--overwrite"]) == 0
    line = refused(capsys, "compare-samplers", "--config", "compare.yaml", "--resume")
    assert line == (
        f"base.model.from: {home}/old is not what the comparison in {home}/out began with; restore "
        "it, or start again with --overwrite"
    )


def test_what_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("train", "plan"):
        line = refused(capsys, command, "--config", "new.yaml", "--set", "model.from=missing")
        assert line.startswith(f"model.from: {home}/missing: does not exist")
    line = refused(
        capsys, "train", "--config", "old.yaml", "--set", "model.from=old", "--overwrite"
    )
    assert "would be overwritten" in line
    line = refused(capsys, "compare-samplers", "--config", "compare.yaml", "--output", "old")
    assert "holds a run of sstrain train" in line
    line = refused(
        capsys, "compare-samplers", "--config", "compare.yaml", "--set", "base.model.from=a.svm"
    )
    assert line.startswith(f"model.from: {home}/a.svm: is not the folder of a run")
    Path("b.svm").write_text("1 1:1\n2 2:1\n" * 30)
    assert "no class in common" in refused(capsys, "train", "--config", "new.yaml")
