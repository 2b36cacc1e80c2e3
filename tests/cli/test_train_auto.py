"""`sampler: {type: auto}` as a process: what it tells, writes and keeps."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import model_hash, sequence_text, sstrain

CONFIG = """\
output: run
data:
  train: {path: words.txt, format: sequence, min_count: 1}
  validation: 0.2
sampler: {type: auto, seconds: 3}
optimizer: {type: adagrad, learning_rate: 0.3}
training: {epochs: 1, batch_size: 16, threads: 1}
checkpoint: {every: 40 steps, keep: 2}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("auto")
    (folder / "words.txt").write_text(sequence_text(600, 60, seed=3))
    (folder / "config.yaml").write_text(CONFIG)
    done = sstrain("train", "--config", "config.yaml", folder=folder)
    assert done.returncode == 0, done.stderr
    (folder / "stderr").write_text(done.stderr)
    return folder


def chosen(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((run / "config.yaml").read_text())["sampler"]
    return found


def test_the_choice_is_told_with_its_reasons(home: Path) -> None:
    told = (home / "stderr").read_text()
    sampler = chosen(home / "run")
    assert "measuring proposals for about 3 CPU seconds" in told
    assert "asked for: a squared error of a batch's gradient" in told
    assert f"chosen: {sampler['type']}" in told
    assert f"num_samples {sampler['num_samples']}" in told


def test_the_choice_stands_in_the_run(home: Path) -> None:
    sampler = chosen(home / "run")
    assert sampler["type"] != "auto"
    kept = json.loads((home / "run" / "environment.json").read_text())["sampler_choice"]
    assert kept["chosen"] == sampler
    measured = [one["sampler"]["type"] for one in kept["measured"]]
    assert measured[0] == "unigram"
    assert {"uniform", "cooccurrence"} < set(measured)  # the words are about equally frequent
    assert all(figures["seconds"] > 0 for one in kept["measured"] for figures in one["figures"])


def test_the_run_repeats_from_its_own_config(home: Path) -> None:
    arguments = ["--config", "run/config.yaml", "--output", "again"]
    done = sstrain("train", *arguments, folder=home)
    assert done.returncode == 0, done.stderr
    assert "measuring proposals" not in done.stderr
    assert model_hash(home / "again") == model_hash(home / "run")


def test_a_run_goes_on_with_its_choice(home: Path) -> None:
    done = sstrain("train", "--config", "config.yaml", "--resume", folder=home)
    assert done.returncode == 0, done.stderr
    assert "the run is finished" in done.stderr
    # As if it had been killed after its first checkpoint.
    run = home / "run"
    (first, last) = sorted(run.glob("checkpoints/step-*"))
    for link in ("best", "last"):
        (run / "checkpoints" / link).unlink()
    whole = (last / "model.safetensors").read_bytes()
    for file in last.iterdir():
        file.unlink()
    last.rmdir()
    done = sstrain("train", "--config", "config.yaml", "--resume", folder=home)
    assert done.returncode == 0, done.stderr
    assert "measuring proposals" not in done.stderr
    assert f"going on from {first}" in done.stderr
    assert (run / "checkpoints" / "last" / "model.safetensors").read_bytes() == whole
    assert "sampler_choice" in json.loads((run / "environment.json").read_text())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("objective={type: nce}", "auto chooses by the error of the gradient"),
        ("training.stages=[{epochs: 1}, {epochs: 1}]", "auto chooses one sampler for a whole run"),
        ("objective={type: exact}", "objective exact draws no samples"),
    ],
)
def test_what_it_cannot_choose_for_is_refused(home: Path, change: str, message: str) -> None:
    settings = ["--set", change]
    if "stages" in change:
        settings += ["--set", "training.epochs=2"]
    done = sstrain("config", "check", "config.yaml", *settings, folder=home)
    assert done.returncode == 2
    assert message in done.stderr
