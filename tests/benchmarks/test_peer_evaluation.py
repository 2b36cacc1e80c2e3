"""The evaluator that all tools share, against plain computations and `sstrain eval`."""

import json
from pathlib import Path

import numpy as np
import pytest
from peers import evaluation
from peers.evaluation import best_of_lists, figures_of_first, figures_of_order, figures_of_scores
from peers.examples import load, read, save
from peers.tools.base import Context
from peers.tools.fasttext import huffman, tree_scores
from peers.tools.scikit_learn import spread
from peers.tools.sstrain import train
from safetensors.numpy import load_file


def test_scores_as_in_a_plain_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(scale=5, size=(50, 30)).astype(np.float32)
    scores[:, 7] = scores[:, 3]  # Ties: the class of smaller number comes first.
    targets = rng.integers(0, 30, 50)
    targets[::9] = -1
    targets[1:50:9] = 7
    monkeypatch.setattr(evaluation, "_BLOCK_BYTES", 7 * 30 * 4)
    monkeypatch.setattr(evaluation, "_CACHED_BYTES", 3 * 30 * 4)
    found = figures_of_scores(lambda rows: scores[rows].copy(), targets, 30, True)
    exact = scores.astype(np.float64)
    known = np.flatnonzero(targets >= 0)
    losses = [np.logaddexp.reduce(exact[i]) - exact[i, targets[i]] for i in known]
    assert found["log_loss"] == pytest.approx(np.mean(losses), rel=1e-7)
    for k in (1, 5):
        hits = [targets[i] in np.argsort(-exact[i], kind="stable")[:k] for i in known]
        assert found[f"top_{k}"] == pytest.approx(sum(hits) / 50)


def test_no_log_loss_without_probabilities() -> None:
    found = figures_of_scores(lambda rows: np.eye(3)[rows], np.array([0, 1, 1]), 3, False)
    assert found == {"log_loss": None, "top_1": pytest.approx(2 / 3), "top_5": 1}


def test_orders() -> None:
    best = best_of_lists([[4, 2], [0, 1, 2, 3, 4, 5], []])
    assert best.tolist() == [[4, 2, -1, -1, -1], [0, 1, 2, 3, 4], [-1] * 5]
    # An empty place is no hit for an unknown label.
    assert figures_of_order(best, np.array([2, 0, -1])) == {
        "log_loss": None,
        "top_1": pytest.approx(1 / 3),
        "top_5": pytest.approx(2 / 3),
    }
    first = figures_of_first(np.array([2, 1]), np.array([2, 0]))
    assert first == {"log_loss": None, "top_1": 0.5, "top_5": None}


def test_svmlight_pair(tmp_path: Path) -> None:
    (tmp_path / "train.svm").write_text("7 0:1 3:2.5\n2\n7 1:1\n5 3:1\n5 0:1\n7 0:1\n")
    (tmp_path / "test.svm").write_text("5 0:1 2:9\n9 1:1 4:1\n2\n")
    save(read(tmp_path / "train.svm", tmp_path / "test.svm"), tmp_path / "arrays")
    found = load(tmp_path / "arrays")
    assert found.train_targets.tolist() == [0, 2, 0, 1, 1, 0]
    assert found.test_targets.tolist() == [1, -1, 2]
    assert found.counts.tolist() == [3, 2, 1]
    # Features 2 and 4 are in no training row.
    assert found.test.toarray()[:, :4].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert found.train.toarray()[0, :4].tolist() == [1, 0, 0, 2.5]


def test_evaluator_equals_that_of_sstrain(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    files = tmp_path / "train.svm", tmp_path / "test.svm"
    for file, size, classes in zip(files, (300, 80), (10, 12), strict=True):
        labels, features = rng.integers(0, classes, size), rng.integers(0, 20, size)
        file.write_text("".join(f"{x} {y}:1\n" for x, y in zip(labels, features, strict=True)))
    options = {"train": {}, "objective": {"type": "exact"}, "training": {"epochs": 2}}
    (tmp_path / "work").mkdir()
    trained = train(300, options, Context(tmp_path / "work", 1, files))
    run = tmp_path / "work" / "run"
    weights = load_file(run / "checkpoints" / "last" / "model.safetensors")
    examples = read(*files)
    named = [int(name) for name in (run / "features.txt").read_text().split()]
    names = [int(name) for name in (run / "classes.txt").read_text().split()]
    ranks = dict(zip(np.loadtxt(files[0], usecols=0, dtype=int, encoding=None).tolist(),
                     examples.train_targets.tolist(), strict=False))  # fmt: skip
    columns = np.argsort([ranks[label] for label in names])
    scores = examples.test[:, named] @ weights["weight"] + weights["bias"]
    scores = scores[:, columns]
    found = figures_of_scores(lambda rows: scores[rows], examples.test_targets, 10, True)
    assert json.loads(json.dumps(trained.figures())) == pytest.approx(found, rel=1e-5)
    assert trained.measured["cpu_seconds"] is not None


@pytest.mark.parametrize("seed", [1, 2])
def test_huffman_tree_is_shortest_and_its_probabilities_sum_to_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = np.sort(rng.integers(1, 50, 40))[::-1]
    parent, right = huffman(counts)
    output, hidden = (rng.normal(size=size).astype(np.float32) for size in ((40, 5), (6, 5)))
    scores = tree_scores(output, parent, right)(hidden).T
    assert np.exp(scores).sum(axis=1) == pytest.approx(np.ones(6), rel=1e-5)
    depths: list[int] = []
    for leaf in range(40):
        node, depth, log_probability = leaf, 0, 0.0
        while parent[node] >= 0:
            margin = hidden[0] @ output[parent[node] - 40]
            log_probability -= np.logaddexp(0, -margin if right[node] else margin)
            node, depth = parent[node], depth + 1
        assert scores[0, leaf] == pytest.approx(log_probability, rel=1e-4)
        depths.append(depth)
    # The length of an optimal code is the sum of all merged weights.
    weights, shortest = sorted(counts.tolist()), 0
    while len(weights) > 1:
        merged = weights[0] + weights[1]
        weights, shortest = sorted([merged, *weights[2:]]), shortest + merged
    assert counts @ depths == shortest


def test_classes_spread_over_the_ranks() -> None:
    assert spread(100, 4).tolist() == [12, 37, 62, 87]
    assert spread(3, 8).tolist() == [0, 1, 2]
