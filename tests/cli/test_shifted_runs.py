"""Runs with negative sampling, whose scores lack log q: every command adds it again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import metrics, sstrain, svmlight_text
from reference.softmax import log_partition
from safetensors.numpy import load_file

from sstrain.cli import main

Capture = pytest.CaptureFixture[str]

CONFIG = """\
output: run
data: {train: {path: train.svm, format: svmlight}, validation: {path: valid.svm}}
objective: {type: negative_sampling}
sampler: {type: unigram, power: 1.0, num_samples: 8, share: example}
optimizer: {type: adagrad, learning_rate: 0.3}
training: {epochs: 3, batch_size: 16}
"""
#: The objective of stages alone; the run's own is another.
STAGED = """\
output: staged
data: {train: {path: train.svm, format: svmlight}, validation: {path: valid.svm}}
optimizer: {type: adagrad, learning_rate: 0.3}
training:
  batch_size: 16
  stages:
  - epochs: 2
    objective: {type: negative_sampling}
    sampler: {type: unigram, power: 1.0, num_samples: 8, share: example}
  - epochs: 2
    objective: {type: negative_sampling}
    sampler: {type: unigram, power: 1.0, num_samples: 4}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shifted")
    (folder / "train.svm").write_text(svmlight_text(600, 12, 20, seed=1))
    (folder / "valid.svm").write_text(svmlight_text(100, 12, 20, seed=2))
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "staged.yaml").write_text(STAGED)
    for name in ("config", "staged"):
        done = sstrain("train", "--config", f"{name}.yaml", folder=folder)
        assert done.returncode == 0, done.stderr
    return folder


def last_log_loss(run: Path) -> float:
    return float([line for line in metrics(run) if line["event"] == "eval"][-1]["log_loss"])


def figures(capsys: Capture, run: Path, *arguments: str) -> dict[str, Any]:
    assert main(["eval", str(run), "--checkpoint", "last", "--json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def plain_log_loss(run: Path, data: Path, shifted: bool) -> float:
    """Return the log-loss by numpy, of the scores with or without log q."""
    tensors = load_file(run / "checkpoints" / "last" / "model.safetensors")
    weight, bias = (tensors[name].astype(float) for name in ("weight", "bias"))
    with np.load(run / "counts.npz") as counts:
        shares = counts["class_counts"] / counts["class_counts"].sum()
    place = {name: j for j, name in enumerate((run / "classes.txt").read_text().split())}
    features = {name: j for j, name in enumerate((run / "features.txt").read_text().split())}
    losses = []
    for line in data.read_text().splitlines():
        label, *cells = line.split()
        if label in place:
            scores = bias + (np.log(shares) if shifted else 0)
            for cell in cells:
                name, value = cell.split(":")
                scores = scores + float(value) * weight[features[name]]
            losses.append(log_partition(scores) - scores[place[label]])
    return float(np.mean(losses))


def test_training_and_eval_report_the_log_loss_with_log_q(home: Path, capsys: Capture) -> None:
    run, data = home / "run", home / "valid.svm"
    found = figures(capsys, run, "--data", str(data))["log_loss"]
    assert found == pytest.approx(last_log_loss(run), rel=1e-6)
    assert found == pytest.approx(plain_log_loss(run, data, shifted=True), rel=1e-5)
    assert found < plain_log_loss(run, data, shifted=False) - 0.05


def test_predict_gives_probabilities_with_log_q(home: Path, capsys: Capture) -> None:
    (home / "one.svm").write_text("0 1:1\n")
    arguments = [str(home / "run"), str(home / "one.svm"), "--top-k", "12", "--checkpoint", "last"]
    assert main(["predict", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["probabilities"]) == pytest.approx(1, abs=1e-4)
    for label, probability in zip(found["labels"][:4], found["probabilities"], strict=False):
        (home / "label.svm").write_text(f"{label} 1:1\n")
        loss = plain_log_loss(home / "run", home / "label.svm", shifted=True)
        assert probability == pytest.approx(np.exp(-loss), rel=1e-4)


def test_the_stage_of_the_checkpoint_says_what_its_scores_are(home: Path, capsys: Capture) -> None:
    run, data = home / "staged", home / "valid.svm"
    found = figures(capsys, run, "--data", str(data))["log_loss"]
    assert found == pytest.approx(last_log_loss(run), rel=1e-6)
    assert found == pytest.approx(plain_log_loss(run, data, shifted=True), rel=1e-5)


EXACT = "{epochs: 1, objective: {type: exact}}"
OTHER_Q = "{epochs: 1, objective: {type: negative_sampling}, sampler: {type: uniform}}"


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (
            f"{{epochs: 1}}, {EXACT}",
            "negative_sampling learns scores less log q, and exact does not",
        ),
        (
            f"{EXACT}, {{epochs: 1}}",
            "negative_sampling learns scores less log q, and exact does not",
        ),
        (f"{{epochs: 1}}, {OTHER_Q}", "learns scores less log q, and another q follows"),
    ],
)
def test_stages_that_change_what_scores_mean_are_refused(
    stages: str, message: str, home: Path, capsys: Capture
) -> None:
    text = CONFIG.replace("epochs: 3,", f"stages: [{stages}],")
    (home / "refused.yaml").write_text(text)
    assert main(["config", "check", str(home / "refused.yaml")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("objective", ["negative_sampling", "importance"])
def test_a_warm_start_is_from_scores_of_the_same_meaning(
    objective: str, home: Path, capsys: Capture
) -> None:
    text = CONFIG.replace("negative_sampling", objective).replace("output: run", "output: warm")
    (home / "warm.yaml").write_text(text + "model: {type: dense, from: run}\n")
    code = main(["train", "--config", str(home / "warm.yaml"), "--overwrite"])
    assert code == (0 if objective == "negative_sampling" else 2)
    told = capsys.readouterr().err
    assert ("lack log q, and objective importance learns scores that do not" in told) == (code == 2)


@pytest.mark.parametrize("name", ["run", "staged"])
def test_a_pruned_run_scores_as_the_one_it_came_of(
    name: str, home: Path, tmp_path: Path, capsys: Capture
) -> None:
    pruned, data = tmp_path / "pruned", str(home / "valid.svm")
    arguments = [str(home / name), "--keep", "100%", "--output", str(pruned)]
    assert main(["prune", *arguments, "--checkpoint", "last"]) == 0
    capsys.readouterr()
    before, after = (figures(capsys, run, "--data", data) for run in (home / name, pruned))
    assert after["log_loss"] == pytest.approx(before["log_loss"], rel=1e-6)


def test_an_index_is_refused(home: Path, tmp_path: Path, capsys: Capture) -> None:
    config = CONFIG.replace("output: run", "output: factors\nmodel: {type: low_rank, rank: 3}")
    (home / "factors.yaml").write_text(config)
    assert sstrain("train", "--config", "factors.yaml", folder=home).returncode == 0
    assert main(["index", str(home / "factors")]) == 2
    assert "has taught it scores less log q (negative sampling)" in capsys.readouterr().err


def test_what_q_was_must_be_known_to_add_it(home: Path, capsys: Capture) -> None:
    text = CONFIG.replace("type: unigram, power: 1.0", "type: learned_unigram")
    (home / "moving.yaml").write_text(text)
    assert main(["config", "check", str(home / "moving.yaml")]) == 2
    message = capsys.readouterr().err
    assert "negative_sampling" in message
    assert "learned_unigram" in message
