"""Runs that are killed, stopped or fail: what is left, and what a resume makes of it."""

import json
import random
import resource
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import (
    COMMAND,
    ENVIRONMENT,
    assert_same_run,
    metrics,
    snapshot,
    sstrain,
    start,
    svmlight_text,
)

#: Ends by early stopping, after some 750 steps, 30 checkpoints and 25 evaluations.
CONFIG = """\
output: killed
data: {train: {path: train.svm, format: svmlight}, validation: {path: valid.svm}}
sampler: {num_samples: 8}
optimizer: {type: adagrad, learning_rate: 0.2, l2: 0.01, l2_interval: 13, average_from: 1 epoch}
training: {epochs: 15, batch_size: 8, threads: 1, log_every: 7 steps, patience: 5}
evaluation: {every: 30 steps}
checkpoint: {every: 25 steps, keep: 2}
"""
DEADLINE = 60.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config, its data, and in ``whole`` a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "train.svm").write_text(svmlight_text(600, 12, 20, seed=1))
    (folder / "valid.svm").write_text(svmlight_text(200, 12, 20, seed=2))
    (folder / "config.yaml").write_text(CONFIG)
    done = sstrain("train", "--config", "config.yaml", "--output", "whole", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "stopping early" in done.stderr
    assert metrics(folder / "whole")[-1]["reason"] == "patience"
    return folder


def num_lines(run: Path) -> int:
    try:
        return (run / "metrics.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def signalled(
    process: subprocess.Popen[str], number: int, run: Path, lines: int
) -> tuple[int, str]:
    """Send a signal soon after a run has written so many lines; return code and stderr."""
    limit = time.monotonic() + DEADLINE
    while num_lines(run) < lines:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.001)
    process.send_signal(number)
    _, err = process.communicate(timeout=DEADLINE)
    return process.returncode, err


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(home: Path) -> None:
    whole, run = home / "whole", home / "killed"
    chance = random.Random(5)
    last = num_lines(whole)
    assert last > 110
    targets = [chance.randint(2, 25), chance.randint(40, 65), chance.randint(80, last - 25)]
    options = ["train", "--config", "config.yaml", "--resume", "--set"]
    steps = []
    for threads, lines in enumerate(targets, start=2):
        process = start(*options, f"training.threads={1 + threads % 2}", folder=home)
        code, err = signalled(process, signal.SIGKILL, run, lines)
        assert code == -signal.SIGKILL, err
        steps.append(metrics_until_torn(run)[-1]["step"])
    assert steps == sorted(steps)
    assert steps[-1] < metrics(whole)[-1]["step"]
    done = sstrain(*options, "checkpoint.every=2 minutes", folder=home)
    assert done.returncode == 0, done.stderr
    assert "going on from" in done.stderr
    assert_same_run(run, whole)


def metrics_until_torn(run: Path) -> list[dict[str, Any]]:
    content = (run / "metrics.jsonl").read_text()
    return [json.loads(line) for line in content[: content.rfind("\n") + 1].splitlines()]


def resume_command(err: str, step: int) -> list[str]:
    """Return the command that a stopped run printed, to be run with this Python."""
    first, second = err.splitlines()[-2:]
    assert first == f"stopped after step {step:,}, checkpoint saved; go on with"
    name, *arguments = shlex.split(second)
    assert name == "sstrain"
    return arguments


def last_step(run: Path) -> int:
    return int(json.loads((run / "checkpoints" / "last" / "state.json").read_text())["step"])


def test_ctrl_c_and_sigterm_save_a_checkpoint_and_say_how_to_go_on(
    home: Path, tmp_path: Path
) -> None:
    run = home / "a run"
    arguments = ["train", "--config", str(home / "config.yaml"), "--output", str(run)]
    for number, code, lines in ((signal.SIGINT, 130, 20), (signal.SIGTERM, 143, 70)):
        process = start(*arguments, folder=tmp_path)
        found, err = signalled(process, number, run, lines)
        assert found == code, err
        step = last_step(run)
        assert step >= metrics(run)[-1]["step"]
        arguments = resume_command(err, step)
        assert (run / "loss.png").exists()
    done = sstrain(*arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"going on from {run}/checkpoints/step-{step:09}" in done.stderr
    assert_same_run(run, home / "whole")
    names = {path.name for path in (home / "whole" / "checkpoints").iterdir()}
    assert {path.name for path in (run / "checkpoints").iterdir()} == names


def test_resuming_a_finished_run_changes_nothing(home: Path) -> None:
    before = snapshot(home / "whole")
    options = ["--config", "config.yaml", "--output", "whole", "--resume"]
    done = sstrain("train", *options, folder=home)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1].endswith("whole: the run is finished; nothing to do")
    assert done.stdout.startswith("run  ")
    assert snapshot(home / "whole") == before


SLOW = """
import sys, time
from sstrain.cli import main
from sstrain.training.engine import Engine

def step(engine):
    print("in a step", flush=True)
    time.sleep(600)

Engine.step = step
sys.exit(main())
"""


@pytest.fixture
def in_a_step(home: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of a step which takes minutes."""
    options = ["train", "--config", "config.yaml", "--output", tmp_path / "run"]
    process = subprocess.Popen(
        [COMMAND[0], "-c", SLOW, *map(str, options)],
        cwd=home,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in a step\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_signal_stops_at_once(in_a_step: subprocess.Popen[str]) -> None:
    in_a_step.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        in_a_step.wait(timeout=0.3)  # the step is being finished
    in_a_step.send_signal(signal.SIGINT)
    assert in_a_step.wait(timeout=10) == -signal.SIGINT


def test_a_rate_that_is_too_high_ends_with_1_and_keeps_the_last_checkpoint(
    home: Path, tmp_path: Path
) -> None:
    settings = [
        "optimizer={type: sgd, learning_rate: 4000, warmup: 40 steps}",
        "checkpoint={every: 1 steps, keep: 1}",
        "training.log_every=1 steps",
    ]
    options = [word for setting in settings for word in ("--set", setting)]
    run = tmp_path / "run"
    done = sstrain("train", "--config", "config.yaml", *options, "--output", run, folder=home)
    assert (done.returncode, done.stdout) == (1, "")
    last = last_step(run)
    rate = 4000 * (last + 1) / 40
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"diverged at step {last + 1} (epoch 1), learning rate {rate:.4g}: ")
    assert line.endswith(f"the last good checkpoint is {run}/checkpoints/step-{last:09}")
    assert "lower optimizer.learning_rate" in line
    assert metrics(run)[-1]["step"] == last
    done = sstrain("eval", run, "--json", folder=home)
    assert done.returncode == 0
    assert json.loads(done.stdout)["checkpoint"] == last


def test_a_full_disk_ends_with_1_and_says_what_stays(home: Path, tmp_path: Path) -> None:
    (tmp_path / "wide.svm").write_text(svmlight_text(600, 12, 2000, seed=1))
    options = ["--set", "data={train: {path: wide.svm, format: svmlight}}"]
    options += ["--set", "training.patience=null", "--set", "training.epochs=1"]

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [*COMMAND, "train", "--config", home / "config.yaml", *options, "--output", "run"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        preexec_fn=limit_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    line = done.stderr.splitlines()[-1]
    assert "the checkpoint of step 25 could not be written: the file would be larger than" in line
    assert line.endswith("there is none before it")
    assert not list((tmp_path / "run" / "checkpoints").iterdir())
