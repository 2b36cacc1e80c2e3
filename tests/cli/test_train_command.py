"""``sstrain train`` as a process: what a run's folder holds, and a step against plain numpy."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from commands import ENVIRONMENT, RUN_FILES, metrics, model_hash, sha256, sstrain, svmlight_text
from numpy.typing import NDArray
from safetensors.numpy import load_file

Floats = NDArray[np.float64]


def test_results_go_to_stdout_and_all_else_to_stderr(svmlight_run: Path) -> None:
    out = (svmlight_run.parent / "stdout").read_text().splitlines()
    names = [line.split()[0] for line in out]
    assert names == ["run", "best", "trained", "metrics", "picture"]
    assert out[0].endswith(str(svmlight_run))
    err = (svmlight_run.parent / "stderr").read_text()
    assert "step 5: loss" in err
    assert "validation log-loss" in err
    assert "test: 2 of 88 examples have a label that training never saw, such as '777'" in err
    assert "test: 3 features ignored" in err
    assert "\r" not in err  # no bar where stderr is no terminal


@pytest.mark.parametrize("run", ["svmlight_run", "sequence_run"])
def test_the_folder_is_that_of_the_contract(run: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(run)
    assert {path.name for path in folder.iterdir()} == RUN_FILES | {"checkpoints"}
    checkpoints = folder / "checkpoints"
    steps = sorted(path.name for path in checkpoints.iterdir() if not path.is_symlink())
    last = json.loads((checkpoints / "last" / "state.json").read_text())
    assert os.readlink(checkpoints / "last") == steps[-1] == f"step-{last['step']:09}"
    assert last["step"] == metrics(folder)[-1]["step"]
    best = {"best"} if run == "svmlight_run" else set()
    assert {path.name for path in checkpoints.iterdir()} == {*steps, "last", *best}
    for step in steps:
        manifest = json.loads((checkpoints / step / "manifest.json").read_text())
        files = {path.name for path in (checkpoints / step).iterdir()}
        assert files == {*manifest["files"], "manifest.json"}
        assert {"model.safetensors", "sampler.safetensors", "state.json"} <= files
        for name, record in manifest["files"].items():
            assert record["sha256"] == sha256(checkpoints / step / name)
    assert {"step", "epoch", "position"} <= last.keys()
    assert (checkpoints / "last" / "optimizer.safetensors").exists()


def test_classes_and_features_are_in_the_order_of_the_tensors(svmlight_run: Path) -> None:
    rows = [line.split() for line in (svmlight_run.parent / "train.svm").read_text().splitlines()]
    counts = Counter(row[0] for row in rows)
    classes = (svmlight_run / "classes.txt").read_text().splitlines()
    assert [counts[label] for label in classes] == sorted(counts.values(), reverse=True)
    assert set(classes) == counts.keys()
    features = (svmlight_run / "features.txt").read_text().splitlines()
    indices = {int(cell.split(":")[0]) for row in rows for cell in row[1:]}
    assert features == [str(index) for index in sorted(indices)]
    tensors = load_file(svmlight_run / "checkpoints" / "last" / "model.safetensors")
    assert {name: (t.shape, t.dtype) for name, t in tensors.items()} == {
        "weight": ((len(features), len(classes)), np.dtype(np.float32)),
        "bias": ((len(classes),), np.dtype(np.float32)),
    }


def test_the_environment_names_every_data_file(svmlight_run: Path) -> None:
    described = json.loads((svmlight_run / "environment.json").read_text())
    files = [svmlight_run.parent / name for name in ("train.svm", "valid.svm", "test.svm")]
    assert described["data_files"] == [
        {"path": str(file), "bytes": file.stat().st_size, "sha256": sha256(file)} for file in files
    ]
    assert {"python", "numpy", "numba", "cpu", "threads"} <= described.keys()


def test_metrics_have_the_keys_of_the_contract(svmlight_run: Path) -> None:
    lines = metrics(svmlight_run)
    common = {"event", "step", "epoch", "examples", "wall_seconds", "cpu_seconds"}
    figures = {"log_loss", "perplexity", "top_1", "top_5", "mrr", "ece", "num_examples"}
    counts = {"num_unknown_labels", "num_unknown_features"}
    expected = {
        "train": {"loss", "learning_rate"},
        "eval": {"split", *figures, *counts, "bands"},
        "end": set(),
    }
    assert [line["event"] for line in lines].count("end") == 1
    assert lines[-1]["event"] == "end"
    for line in lines:
        assert common | expected[line["event"]] <= line.keys()
    steps_per_epoch = 13  # 200 rows in batches of 16, the last one of 8
    evaluations = [line for line in lines if line["event"] == "eval"]
    assert [line["step"] for line in evaluations] == [13, 26, 39]
    assert [line["examples"] for line in evaluations] == [200, 400, 600]
    assert {line["split"] for line in evaluations} == {"validation"}
    trained = [line for line in lines if line["event"] == "train"]
    assert [line["step"] for line in trained] == [*range(5, 39, 5), 39]
    for line in lines:
        assert line["epoch"] == pytest.approx(line["step"] / steps_per_epoch, abs=1e-6)
    for key in ("wall_seconds", "cpu_seconds", "step"):
        assert [line[key] for line in lines] == sorted(line[key] for line in lines)


def test_the_config_trains_the_same_run_again(svmlight_run: Path, tmp_path: Path) -> None:
    options = ["--config", svmlight_run / "config.yaml", "--output", "again"]
    done = sstrain("train", *options, "--set", "training.threads=1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert model_hash(tmp_path / "again") == model_hash(svmlight_run)
    assert model_hash(tmp_path / "again", "best") == model_hash(svmlight_run, "best")
    first, second = (
        yaml.safe_load((run / "config.yaml").read_text())
        for run in (svmlight_run, tmp_path / "again")
    )
    assert second["output"] == str(tmp_path / "again")
    assert second["training"]["threads"] == 1
    second["output"], second["training"]["threads"] = first["output"], "auto"
    assert first == second
    assert Path(first["data"]["train"]["path"]).is_absolute()


def dense_rows(path: Path) -> tuple[Floats, list[str]]:
    """Parse a file of indices from 1: a dense array of the rows, and their labels."""
    lines = [line.split() for line in path.read_text().splitlines()]
    width = max(int(cell.split(":")[0]) for row in lines for cell in row[1:])
    rows = np.zeros((len(lines), width))
    for i, (_, *cells) in enumerate(lines):
        for cell in cells:
            index, value = cell.split(":")
            rows[i, int(index) - 1] = float(value)
    return rows, [row[0] for row in lines]


ONE_STEP = """\
data: {train: {path: train.svm, format: svmlight}}
model: {bias_init: zeros}
optimizer: {type: sgd, learning_rate: 1}
"""


def one_step(folder: Path, *settings: str, batch: int) -> tuple[dict[str, Any], list[str]]:
    """Return the tensors and the classes after one step on the whole of train.svm."""
    (folder / "config.yaml").write_text(ONE_STEP)
    whole = ["training.epochs=1", f"training.batch_size={batch}"]
    overrides = [word for setting in (*whole, *settings) for word in ("--set", setting)]
    done = sstrain("train", "--config", "config.yaml", *overrides, "--output=r", folder=folder)
    assert done.returncode == 0, done.stderr
    tensors = load_file(folder / "r" / "checkpoints" / "last" / "model.safetensors")
    return tensors, (folder / "r" / "classes.txt").read_text().splitlines()


def expected_step(folder: Path, classes: list[str]) -> tuple[Floats, Floats]:
    """Return the weights and the bias after the exact step, docs/derivation.md (3), (4), (25).

    All scores are 0, so that every class has the probability 1 / V.
    """
    rows, labels = dense_rows(folder / "train.svm")
    one_hot = np.array([[label == c for c in classes] for label in labels], float)
    d_scores = 1 / len(classes) - one_hot
    return -rows.T @ d_scores / len(rows), -d_scores.mean(axis=0)


def test_one_exact_step_from_zero_weights(tmp_path: Path) -> None:
    (tmp_path / "train.svm").write_text(svmlight_text(150, 12, 20, seed=5))
    tensors, classes = one_step(tmp_path, "objective={type: exact}", batch=150)
    weight, bias = expected_step(tmp_path, classes)
    np.testing.assert_allclose(tensors["weight"], weight, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(tensors["bias"], bias, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("drawing", "tolerance"),
    [
        ("num_samples: 12, replacement: false", 1e-6),  # all classes, each once
        ("num_samples: 100000", 6e-3),
    ],
)
def test_the_sampled_step_tends_to_the_exact_one(
    drawing: str, tolerance: float, tmp_path: Path
) -> None:
    every_class = "".join(f"{10 * j} {j + 1}:1\n" for j in range(12))
    (tmp_path / "train.svm").write_text(svmlight_text(48, 12, 20, seed=7) + every_class)
    q = np.random.default_rng(7).uniform(1, 3, 12)
    lines = [f"{10 * j}\t{q[j] / q.sum():.17g}\n" for j in reversed(range(12))]
    (tmp_path / "q.tsv").write_text("".join(lines))
    sampler = f"sampler={{type: file, path: q.tsv, {drawing}}}"
    tensors, classes = one_step(tmp_path, sampler, batch=60)
    weight, bias = expected_step(tmp_path, classes)
    assert np.abs(tensors["weight"] - weight).max() < tolerance
    assert np.abs(tensors["bias"] - bias).max() < tolerance
    assert np.abs(bias).max() > 10 * tolerance


def test_a_command_starts_without_scipys_linear_algebra(tmp_path: Path) -> None:
    """It would take a third of a second of each start."""
    (tmp_path / "a.svm").write_text(svmlight_text(60, 5, 8, seed=1))
    config = "output: run\ndata: {train: {path: a.svm, format: svmlight}}\n"
    (tmp_path / "c.yaml").write_text(config + "sampler: {num_samples: 3}\n")
    code = (
        "import sys; from sstrain.cli import main; status = main(['train', '--config', 'c.yaml'])\n"
        "print(status, 'numba' in sys.modules, 'scipy.linalg' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "0 True False", done.stderr
