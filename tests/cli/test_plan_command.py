"""``sstrain plan`` as a process; what it forecasts is tested with the plan itself."""

import json
import re
from pathlib import Path

import pytest
from commands import snapshot, sstrain

from sstrain.cli import main

TOTALS = {"memory_bytes", "available_bytes", "fits", "checkpoint_bytes"}


def test_one_object_on_stdout_and_nothing_written(svmlight_run: Path) -> None:
    home = svmlight_run.parent
    before = snapshot(home)
    done = sstrain("plan", "--config", "config.yaml", "--json", folder=home)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert {*TOTALS, "examples_per_second", "epoch_seconds", "run_seconds"} <= found.keys()
    assert (found["examples"], found["classes"]) == (200, 12)
    assert found["fits"] is True
    assert snapshot(home) == before


def test_a_readable_plan(svmlight_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(svmlight_run.parent / "config.yaml")
    assert main(["plan", "--config", config, "--set", "training.epochs=1"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("200 training examples, V = 12 classes, D = 20 features\n")
    assert "weights" in out
    assert re.search(r"[0-9]+ examples/s, an epoch in 0:00:\d\d, the run in 0:00:\d\d\n", out)
    assert "measuring" in err


def test_mistakes_of_the_config(svmlight_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(svmlight_run.parent / "config.yaml")
    assert main(["plan", "--config", config, "--set", "sampler.num_sample=3"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "did you mean 'num_samples'?" in err


def test_memory_that_runs_out_all_the_same_is_one_line(
    svmlight_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise MemoryError("Unable to allocate 1.00 GiB")

    monkeypatch.setattr("sstrain.training.plan.load", full)
    assert main(["plan", "--config", str(svmlight_run.parent / "config.yaml")]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "out of memory (Unable to allocate 1.00 GiB); `sstrain plan` tells what a run takes"
    )
