"""Pruning a run: what is written, from the files alone, and what it says."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import RUN_FILES, sha256, snapshot
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from sstrain.data.vocabulary import VOCABULARY_FILES
from sstrain.errors import UserError
from sstrain.training.pruning import Pruned, prune
from sstrain.training.run_folder import open_run
from sstrain.training.saved import load_model

Floats = NDArray[np.float64]


def quiet(line: str) -> None:
    """Take a line that no one needs."""


def model_file(run: Path, checkpoint: str = "best") -> Path:
    return run / "checkpoints" / checkpoint / "model.safetensors"


def dense_weights(run: Path, checkpoint: str = "best") -> Floats:
    """Return the weights of a dense or a sparse run as an array [D, V], by its file alone."""
    tensors = load_file(model_file(run, checkpoint))
    if "weight" in tensors:
        return tensors["weight"].astype(float)
    weights = np.zeros((len(tensors["indptr"]) - 1, len(tensors["bias"])))
    for row in range(len(weights)):
        part = slice(tensors["indptr"][row], tensors["indptr"][row + 1])
        assert np.all(np.diff(tensors["indices"][part]) > 0)
        weights[row, tensors["indices"][part]] = tensors["values"][part]
    return weights


@pytest.fixture(scope="module")
def pruned(svmlight_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Pruned:
    """A run that keeps a tenth of another's weights."""
    return prune(svmlight_run, 0.1, tmp_path_factory.mktemp("pruned") / "run", None, quiet)


def test_the_largest_weights_of_the_best_checkpoint_are_kept(
    svmlight_run: Path, pruned: Pruned
) -> None:
    before, after = dense_weights(svmlight_run), dense_weights(pruned.path)
    kept = after != 0
    assert kept.sum() == round(0.1 * before.size) == pruned.kept
    assert pruned.cells == before.size
    np.testing.assert_array_equal(after, np.where(kept, before, 0))
    assert np.abs(before[kept]).min() >= np.abs(before[~kept]).max()
    tensors = load_file(model_file(pruned.path))
    assert {name: array.dtype for name, array in tensors.items()} == {
        "indptr": np.int64,
        "indices": np.int32,
        "values": np.float32,
        "bias": np.float32,
    }
    np.testing.assert_array_equal(tensors["bias"], load_file(model_file(svmlight_run))["bias"])


def test_it_is_the_folder_of_a_finished_run(svmlight_run: Path, pruned: Pruned) -> None:
    run, old = open_run(pruned.path), open_run(svmlight_run)
    assert {path.name for path in pruned.path.iterdir()} == (
        RUN_FILES - {".lock", "loss.png"} | {"checkpoints"}
    )
    for name in VOCABULARY_FILES:
        assert (pruned.path / name).read_bytes() == (svmlight_run / name).read_bytes()
    assert run.config.model.model_dump() == {
        "type": "sparse",
        "from": str(svmlight_run),
        "keep": 0.1,
        "bias_init": "log_prior",
        "dtype": "float32",
    }
    assert run.config.output == str(pruned.path)
    changed = {"model": old.config.model, "output": old.config.output}
    assert run.config.model_copy(update=changed) == old.config
    assert run.checkpoints.linked("best") == run.checkpoints.linked("last") == 26
    assert run.environment["data_files"] == old.environment["data_files"]
    manifest = json.loads((svmlight_run / "checkpoints" / "best" / "manifest.json").read_text())
    assert run.environment["warm_start"] == {
        "run": str(svmlight_run),
        "step": 26,
        "model_sha256": manifest["files"]["model.safetensors"]["sha256"],
    }


def test_the_figures_are_those_before_and_after(svmlight_run: Path, pruned: Pruned) -> None:
    assert pruned.split == "validation"
    scored = [json.loads(line) for line in (svmlight_run / "metrics.jsonl").open()]
    best = next(line for line in scored if line["event"] == "eval" and line["step"] == 26)
    assert pruned.before.figures["log_loss"] == best["log_loss"]
    lines = [json.loads(line) for line in (pruned.path / "metrics.jsonl").open()]
    assert [line["event"] for line in lines] == ["eval", "end"]
    assert lines[0]["log_loss"] == pruned.after.figures["log_loss"] != best["log_loss"]
    weights = dense_weights(svmlight_run)
    num_features, num_classes = weights.shape
    assert pruned.before.weights == 4 * weights.size + 4 * num_classes
    assert pruned.after.weights == 8 * pruned.kept + 8 * (num_features + 1) + 4 * num_classes
    assert pruned.before.model_file == model_file(svmlight_run).stat().st_size
    assert pruned.after.model_file == model_file(pruned.path).stat().st_size


def test_keeping_all_changes_no_score(svmlight_run: Path, tmp_path: Path) -> None:
    whole = prune(svmlight_run, 1.0, tmp_path / "run", "last", quiet)
    np.testing.assert_array_equal(
        dense_weights(whole.path, "last"), dense_weights(svmlight_run, "last")
    )
    before, after = whole.before.figures["log_loss"], whole.after.figures["log_loss"]
    assert after == pytest.approx(before, rel=1e-6)


def test_a_pruned_run_is_pruned_further(svmlight_run: Path, pruned: Pruned, tmp_path: Path) -> None:
    again = prune(pruned.path, 0.05, tmp_path / "again", None, quiet)
    at_once = prune(svmlight_run, 0.05, tmp_path / "at_once", None, quiet)
    np.testing.assert_array_equal(dense_weights(again.path), dense_weights(at_once.path))
    with pytest.raises(UserError, match=r"is pruned already; got keep 0\.2; expected at most the"):
        prune(pruned.path, 0.2, tmp_path / "more", None, quiet)


@pytest.mark.parametrize("held_out", ["test", "none", "changed", "gone"])
def test_what_cannot_be_scored_is_pruned_all_the_same(
    held_out: str, svmlight_run: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(svmlight_run.parent, home, symlinks=True)
    config = home / "run" / "config.yaml"
    text = config.read_text().replace(str(svmlight_run.parent), str(home))
    environment = home / "run" / "environment.json"
    environment.write_text(environment.read_text().replace(str(svmlight_run.parent), str(home)))
    source = r"^  {}:\n(    .*\n)*"
    if held_out in ("test", "none"):
        text = re.sub(source.format("validation"), "", text, flags=re.MULTILINE)
    if held_out == "none":
        text = re.sub(source.format("test"), "", text, flags=re.MULTILINE)
    config.write_text(text)
    if held_out == "changed":
        with (home / "valid.svm").open("a") as file:
            file.write("10 1:1\n")
    if held_out == "gone":
        (home / "train.svm").unlink()
    told: list[str] = []
    result = prune(home / "run", 0.3, tmp_path / "output", None, told.append)
    assert load_model(result.path, None, quiet).step == 26
    if held_out == "test":
        assert result.split == "test"
        return
    reasons = {
        "none": "neither a validation nor a test split",
        "changed": r"valid\.svm has changed since the run was trained",
        "gone": r"train\.svm",
    }
    (line,) = (line for line in told if line.startswith("not scored: "))
    assert re.search(reasons[held_out], line)
    assert result.split is None
    assert "log_loss" not in result.as_text()


def test_the_output_must_not_exist(svmlight_run: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = snapshot(tmp_path), snapshot(svmlight_run)
    for output in (tmp_path / "full", tmp_path / "file", svmlight_run):
        with pytest.raises(UserError, match="exists already; give another --output"):
            prune(svmlight_run, 0.1, output, None, quiet)
    with pytest.raises(UserError, match="is not a folder"):
        prune(svmlight_run, 0.1, tmp_path / "file" / "run", None, quiet)
    assert (snapshot(tmp_path), snapshot(svmlight_run)) == before
    (tmp_path / "empty").mkdir()
    prune(svmlight_run, 0.1, tmp_path / "empty", None, quiet)
    assert load_model(tmp_path / "empty", None, quiet).step == 26


@pytest.mark.parametrize("keep", [0, -0.1, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(keep: float, svmlight_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a share above 0, at most 1"):
        prune(svmlight_run, keep, tmp_path / "run", None, quiet)
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_stored_one_by_one_cannot_be_pruned(
    svmlight_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(svmlight_run, run, symlinks=True)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("type: dense", "type: low_rank\n  rank: 3"))
    with pytest.raises(UserError, match="is a low_rank model, whose weights are not stored one by"):
        prune(run, 0.1, tmp_path / "output", None, quiet)


def test_equal_magnitudes_are_kept_in_the_order_of_the_cells(
    svmlight_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(svmlight_run, run, symlinks=True)
    tensors: dict[str, Any] = load_file(model_file(run))
    rng = np.random.default_rng(1)
    tensors["weight"] = rng.choice(np.array([-2, -1, 0, 1], np.float32), tensors["weight"].shape)
    folder = (run / "checkpoints" / "best").resolve()
    save_file(tensors, folder / "model.safetensors")
    rewrite_manifest(folder)
    prune(run, 0.4, tmp_path / "output", None, quiet)
    weights = tensors["weight"].ravel()
    first = np.argsort(-np.abs(weights), kind="stable")[: round(0.4 * weights.size)]
    expected = np.zeros_like(weights)
    expected[first] = weights[first]
    found = dense_weights(tmp_path / "output")
    np.testing.assert_array_equal(found, expected.reshape(found.shape))


def rewrite_manifest(folder: Path) -> None:
    """Make a checkpoint whole again whose model file was changed."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    file = folder / "model.safetensors"
    manifest["files"][file.name] = {"bytes": file.stat().st_size, "sha256": sha256(file)}
    path.write_text(json.dumps(manifest))
