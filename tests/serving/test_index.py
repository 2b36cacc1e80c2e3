"""The index in a run's folder: which model it is of, what is refused, what a failure leaves."""

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import flip_last_byte, model_hash, snapshot
from factored import factored

from sstrain.errors import FailureError, UserError
from sstrain.serving import index as indexing
from sstrain.serving.hnsw import Index
from sstrain.serving.index import BuiltIndex, index_model, load_index
from sstrain.serving.recall import recall_at
from sstrain.training.saved import SavedModel, load_model


def build(run: Path, saved: SavedModel, num_examples: int = 1000) -> BuiltIndex:
    return index_model(run, saved, num_examples, lambda line: None)


@pytest.fixture
def run(svmlight_run: Path, tmp_path: Path) -> Path:
    """A run that may be changed."""
    copy = tmp_path / "run"
    shutil.copytree(svmlight_run, copy, symlinks=True)
    return copy


@pytest.fixture(scope="module")
def dense(svmlight_run: Path) -> SavedModel:
    return load_model(svmlight_run, "last", lambda line: None)


@pytest.fixture(scope="module")
def saved(dense: SavedModel) -> SavedModel:
    return factored(dense)


def test_an_index_finds_what_all_scores_say(run: Path, saved: SavedModel) -> None:
    built = build(run, saved)
    assert (built.path, built.step, built.num_classes) == (run / "index", saved.step, 12)
    queries = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32)
    model: Any = saved.model
    scores = queries.astype(float) @ model.class_factors.T.astype(float) + model.bias
    classes, found = load_index(run, saved).search(queries, 5)
    np.testing.assert_array_equal(classes, np.argsort(-scores, axis=1)[:, :5])
    # Absolute, since sums of terms of size 1 may come near 0.
    np.testing.assert_allclose(found, -np.sort(-scores, axis=1)[:, :5], rtol=0, atol=2e-6)


def test_the_record_tells_the_model_the_parameters_and_the_recall(
    run: Path, saved: SavedModel
) -> None:
    built = build(run, saved, num_examples=40)
    record = json.loads((run / "index" / "index.json").read_text())
    assert record.pop("graph_sha256") == indexing._sha256(run / "index" / "graph.faiss")
    assert record == {
        "format_version": 1,
        "step": 39,
        "model_sha256": model_hash(run, "last"),
        "kind": "hnsw",
        "parameters": {"neighbours": 32, "build_candidates": 40},
        "recall": {
            "split": "test",
            "num_examples": 40,
            "recall_1": 1.0,
            "recall_5": 1.0,
            "recall_10": 1.0,
        },
    }
    assert built.bytes == sum(path.stat().st_size for path in (run / "index").iterdir())
    assert (run / "index").stat().st_mode & 0o777 == 0o777 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("without", "split", "count"), [((), "test", 83 + 5), (("test",), "validation", 70)]
)
def test_recall_is_measured_on_what_was_held_out(
    without: tuple[str, ...], split: str, count: int, run: Path, saved: SavedModel
) -> None:
    data = saved.config.data.model_copy(update=dict.fromkeys(without))
    config = saved.config.model_copy(update={"data": data})
    recall = build(run, replace(saved, config=config)).recall
    assert (recall.split, recall.num_examples) == (split, count)


def test_without_held_out_data_training_rows_serve(run: Path, saved: SavedModel) -> None:
    data = saved.config.data.model_copy(update={"test": None, "validation": None})
    config = saved.config.model_copy(update={"data": data})
    recall = build(run, replace(saved, config=config), 150).recall
    assert (recall.split, recall.num_examples) == ("train", 150)


def test_equal_models_have_equal_indices(run: Path, saved: SavedModel) -> None:
    build(run, saved)
    first = {path.name: path.read_bytes() for path in (run / "index").iterdir()}
    build(run, saved)
    assert {path.name: path.read_bytes() for path in (run / "index").iterdir()} == first
    assert len(first) == 2
    assert [path.name for path in run.iterdir() if "index" in path.name] == ["index"]


def test_loading_changes_nothing(run: Path, saved: SavedModel) -> None:
    build(run, saved)
    before = snapshot(run)
    load_index(run, saved)
    assert snapshot(run) == before


def test_no_index(run: Path, saved: SavedModel) -> None:
    with pytest.raises(UserError) as error:
        load_index(run, saved)
    again = f"sstrain index {run} --checkpoint 39"
    assert str(error.value) == f"{run}: has no approximate index; build it: {again}"


def test_the_index_of_another_checkpoint_is_refused(run: Path, saved: SavedModel) -> None:
    build(run, saved)
    with pytest.raises(UserError) as error:
        load_index(run, replace(saved, step=26))
    assert str(error.value) == (
        f"{run / 'index'}: is of another model than checkpoint 26; found SHA-256 "
        f"{model_hash(run, 'last')[:12]}... of checkpoint 39; expected "
        f"{model_hash(run, 'best')[:12]}...; build it again: sstrain index {run} --checkpoint 26"
    )


def test_the_index_of_an_older_training_is_refused(run: Path, saved: SavedModel) -> None:
    build(run, saved)
    manifest = run / "checkpoints" / "last" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(model_hash(run, "last"), 64 * "0"))
    with pytest.raises(
        UserError, match=r"another model than checkpoint 39; found .* expected 0000"
    ):
        load_index(run, saved)


@pytest.mark.parametrize("damage", [flip_last_byte, Path.unlink])
def test_a_damaged_graph_is_told(damage: object, run: Path, saved: SavedModel) -> None:
    build(run, saved)
    graph = run / "index" / "graph.faiss"
    damage(graph)  # type: ignore[operator]
    with pytest.raises(UserError) as error:
        load_index(run, saved)
    again = f"sstrain index {run} --checkpoint 39"
    assert str(error.value) == f"{graph}: damaged or missing; build it again: {again}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "damaged: it holds no JSON"),
        ("[]", "damaged: expected a JSON object"),
        ("{}", "format version missing"),
        ('{"format_version": 1}', "is of another model than checkpoint 39; found SHA-256 None"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_damaged_record_is_told(
    content: str | None, message: str, run: Path, saved: SavedModel
) -> None:
    build(run, saved)
    record = run / "index" / "index.json"
    record.unlink() if content is None else record.write_text(content)
    with pytest.raises(UserError, match=message):
        load_index(run, saved)


def test_a_model_without_class_vectors_has_no_index(run: Path, dense: SavedModel) -> None:
    expected = f"{run}: its model is dense, which has no class vectors; "
    for attempt in (build, load_index):
        with pytest.raises(UserError, match=f"^{expected}an approximate index is for models of"):
            attempt(run, dense)
    assert not (run / "index").exists()


def test_an_index_that_does_not_fit_is_refused(
    run: Path, saved: SavedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "available_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"does not fit in memory; it needs 0\.00 GiB; 0\.00 GiB"):
        build(run, saved)


def test_data_that_changed_are_no_examples(run: Path, saved: SavedModel) -> None:
    vocabulary = replace(saved.vocabulary, features=[*saved.vocabulary.features[:-1], "999"])
    with pytest.raises(UserError, match=r"^data\.train: has changed since the run was trained"):
        build(run, replace(saved, vocabulary=vocabulary))
    assert not (run / "index").exists()


def test_a_full_disk_leaves_the_older_index(
    run: Path, saved: SavedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(index: Index, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    build(run, saved)
    before = snapshot(run)
    monkeypatch.setattr(Index, "write", write)
    with pytest.raises(FailureError, match=r"index: cannot be written: the disk is full$"):
        build(run, saved)
    assert snapshot(run) == before


def test_recall_counts_the_best_that_are_found() -> None:
    scores = np.array([[5, 4, 3, 2, 1], [0, 1, 2, 2, 2]], np.float32)
    best = np.array([[0, 1, 2], [2, 3, 4]], np.int32)
    found = np.array([[0, 2, 3], [4, 3, 1]], np.int32)
    # Classes 2, 3 and 4 of the second row are equal: each of them is a best one.
    expected = np.array([[1, 1], [1 / 2, 1], [2 / 3, 2 / 3]])
    np.testing.assert_allclose(recall_at([1, 2, 3], scores, best, found), expected)
