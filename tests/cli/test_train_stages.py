"""Runs in stages as processes: shipped config, kills within a stage and at its ends."""

import json
import signal
import time
from pathlib import Path

import pytest
from commands import assert_same_run, metrics, sstrain, start, svmlight_text

#: 75 steps an epoch: the stages end at steps 75, 225 and 300.
CONFIG = """\
output: killed
data: {train: {path: train.svm, format: svmlight}, validation: {path: valid.svm}}
sampler: {num_samples: 8}
optimizer: {learning_rate: 0.2, schedule: linear, l2: 0.001, average_from: 1 epoch}
training:
  batch_size: 8
  threads: 1
  log_every: 5 steps
  stages:
  - {epochs: 1}
  - {epochs: 2, num_samples: 5, sampler: {type: uniform, share: example}}
  - {epochs: 1, objective: {type: exact}, optimizer: {learning_rate: 0.1}}
evaluation: {every: 30 steps}
checkpoint: {every: 25 steps, keep: 2}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config, its data, and in ``whole`` a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("stages")
    (folder / "train.svm").write_text(svmlight_text(600, 12, 20, seed=1))
    (folder / "valid.svm").write_text(svmlight_text(200, 12, 20, seed=2))
    (folder / "config.yaml").write_text(CONFIG)
    done = sstrain("train", "--config", "config.yaml", "--output", "whole", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "stage 2 of 3: objective importance, sampler uniform with 5 samples" in done.stderr
    assert "stage 3 of 3: objective exact" in done.stderr
    return folder


def lines(run: Path) -> int:
    path = run / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_run_killed_in_several_stages_ends_as_one_that_is_not(home: Path) -> None:
    run = home / "killed"
    command = ["train", "--config", "config.yaml", "--resume"]
    for number, count in ((signal.SIGKILL, 22), (signal.SIGTERM, 40), (signal.SIGKILL, 59)):
        process = start(*command, folder=home)
        limit = time.monotonic() + 60
        while lines(run) < count:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < limit
            time.sleep(0.001)
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode != 0
    done = sstrain(*command, folder=home)
    assert done.returncode == 0, done.stderr
    assert "going on from" in done.stderr
    assert_same_run(run, home / "whole")


def test_a_checkpoint_holds_what_its_stage_remembers(home: Path) -> None:
    last = home / "whole" / "checkpoints" / "last"
    assert json.loads((last / "state.json").read_text())["stage"] == 3
    assert not (last / "sampler.safetensors").exists()
    before = home / "whole" / "checkpoints" / "step-000000275"
    assert json.loads((before / "state.json").read_text())["stage"] == 3
    assert metrics(home / "whole")[-1]["step"] == 300


def test_the_shipped_config_is_valid(tmp_path: Path) -> None:
    config = Path(__file__).parents[2] / "configs" / "stages.yaml"
    done = sstrain("config", "check", config, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    done = sstrain("config", "show", config, folder=tmp_path)
    assert done.stdout.count("num_samples: 256") == 1
    assert "  epochs: 4\n" in done.stdout
