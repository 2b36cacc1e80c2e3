"""Every layout through the command: killed and resumed, scored, asked, planned, compared."""

import csv
import json
import os
import signal
import time
from pathlib import Path

import pytest
from commands import assert_same_run, metrics, sstrain, start, svmlight_text
from layout_cases import CASES, Case

CONFIG = """\
output: run
data: {train: {path: train.svm, format: svmlight}, validation: {path: valid.svm}}
sampler: {num_samples: 6}
optimizer: {type: adagrad, learning_rate: 0.2, l2: 0.01, l2_interval: 13, average_from: 1 epoch}
training: {epochs: 6, batch_size: 8, threads: 1, log_every: 7 steps}
evaluation: {every: 60 steps}
checkpoint: {every: 20 steps, keep: 2}
"""
COMPARISON = """\
base: config.yaml
samplers: [{type: unigram}]
num_samples: [4]
seeds: [1]
budget: {epochs: 1}
diagnostics: {examples: 16, draws: 32}
"""
DEADLINE = 60.0
SOURCE = "dense-run"

each_layout = pytest.mark.parametrize("case", [case for case in CASES if case.first], ids=str)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with configs, their data, and a dense run that another can go on from."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "train.svm").write_text(svmlight_text(400, 12, 20, seed=1))
    (folder / "valid.svm").write_text(svmlight_text(100, 12, 20, seed=2))
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "compare.yaml").write_text(COMPARISON)
    done = sstrain("train", "--config", "config.yaml", "--output", SOURCE, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


def section(case: Case) -> str:
    """Return a case's ``model`` as a value for ``--set``."""
    keys = case.model | ({"from": SOURCE} if "from" in case.model else {})
    return json.dumps(keys)


def killed(arguments: list[str], run: Path, folder: Path) -> int:
    """Kill a run some steps after its first checkpoint; return the last step that it logged."""
    process = start(*arguments, folder=folder)
    limit = time.monotonic() + DEADLINE
    while not (run / "checkpoints" / "last").exists() or last_logged(run) < 30:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == -signal.SIGKILL
    return last_logged(run)


def last_logged(run: Path) -> int:
    lines = (run / "metrics.jsonl").read_bytes().split(b"\n")[:-1]
    return int(json.loads(lines[-1])["step"]) if lines else 0


@each_layout
def test_a_run_that_is_killed_and_resumed_ends_as_one_that_is_not(home: Path, case: Case) -> None:
    whole, run = home / f"{case}-whole", home / f"{case}-killed"
    options = ["train", "--config", "config.yaml", "--set", f"model={section(case)}"]
    done = sstrain(*options, "--output", whole.name, folder=home)
    assert done.returncode == 0, done.stderr
    options += ["--output", run.name, "--resume", "--set"]
    step = killed([*options, "training.threads=1"], run, home)
    assert step < metrics(whole)[-1]["step"]
    done = sstrain(*options, "training.threads=2", folder=home)
    assert done.returncode == 0, done.stderr
    assert "going on from" in done.stderr
    assert_same_run(run, whole)
    check_scores(whole, home)


def check_scores(run: Path, folder: Path) -> None:
    """Check that `eval` finds what training did, and that `predict` gives probabilities."""
    done = sstrain("eval", run.name, "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    losses = {line["step"]: line["log_loss"] for line in metrics(run) if line["event"] == "eval"}
    best = int(os.readlink(run / "checkpoints" / "best").removeprefix("step-"))
    assert found["log_loss"] == pytest.approx(losses[best], rel=1e-6)
    done = sstrain("predict", run.name, "-", "--top-k", 12, folder=folder, stdin="0 1:1 3:0.5\n")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert len(set(answer["labels"])) == 12
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5)


@each_layout
def test_samplers_are_compared_on_every_layout(home: Path, case: Case) -> None:
    options = ["--set", f"base.model={section(case)}", "--output", f"{case}-comparison"]
    done = sstrain("compare-samplers", "--config", "compare.yaml", *options, folder=home)
    assert done.returncode == 0, done.stderr
    with (home / f"{case}-comparison" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["objective"] for row in rows] == ["exact", "importance"]
    assert {row["status"] for row in rows} == {"finished"}
    assert all(float(row["log_loss"]) < 3 for row in rows)
    assert (home / f"{case}-comparison" / "diagnostics.csv").read_text().count("\n") > 20
