"""Figures of rows that have several labels, against plain lists of each row's best classes."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small import make_config, make_dataset, make_vocabulary

from sstrain import kernels
from sstrain.data.batches import Batch
from sstrain.data.dataset import Dataset
from sstrain.data.vocabulary import Vocabulary
from sstrain.evaluation import exact
from sstrain.evaluation.exact import evaluate, predict_all
from sstrain.evaluation.metrics import Predictions, figures
from sstrain.evaluation.multilabel import inverse_propensities, row_figures
from sstrain.evaluation.saved_run import as_table
from sstrain.training.engine import Engine

V, D = 23, 15
Labels = list[list[int]]


def best(scores: NDArray[np.floating], k: int) -> list[int]:
    """Return the k best classes, best first; of equal scores the smaller id comes first."""
    return sorted(range(len(scores)), key=lambda j: (-scores[j], j))[:k]


def reference(
    scores: NDArray[np.floating], labels: Labels, inverse: NDArray[np.floating], top_k: list[int]
) -> dict[str, float]:
    """Return the figures of rows with at least one label, -1 for one that is no class."""
    found: dict[str, float] = {}
    for k in top_k:
        precision, recall, ndcg, gained, possible = 0.0, 0.0, 0.0, 0.0, 0.0
        for row, mine in zip(scores, labels, strict=True):
            right = [c in mine for c in best(row, k)]
            precision += sum(right) / k
            recall += sum(right) / len(mine)
            dcg = sum(hit / math.log2(place + 2) for place, hit in enumerate(right))
            ndcg += dcg / sum(1 / math.log2(place + 2) for place in range(min(k, len(mine))))
            gained += sum(inverse[c] for c in best(row, k) if c in mine) / k
            possible += sum(sorted((inverse[c] for c in mine), reverse=True)[:k]) / k
        rows = len(labels)
        found |= {f"precision_{k}": precision / rows, f"recall_{k}": recall / rows}
        found |= {f"ndcg_{k}": ndcg / rows, f"psp_{k}": gained / possible}
    return found


def examples_of(labels: Labels) -> dict[str, Any]:
    """Return the arrays of a data set whose rows have these labels."""
    return {
        "targets": np.array([c for mine in labels for c in mine], np.int32),
        "weights": np.array([1 / len(mine) for mine in labels for _ in mine], np.float32),
        "rows": np.array([i for i, mine in enumerate(labels) for _ in mine], np.int64),
    }


def predicted(scores: NDArray[np.float32], labels: Labels) -> tuple[Predictions, NDArray[np.int64]]:
    """Return what an evaluation keeps of rows of scores, and the row of each label."""
    arrays = examples_of(labels)
    rows, targets = arrays["rows"], arrays["targets"]
    losses = np.where(targets >= 0, -scores[rows, targets].astype(float), np.nan)
    ranks = np.empty(len(targets), np.int64)
    kernels.rank_targets(scores, rows, targets, np.zeros(len(scores)), ranks)
    confidences = scores.max(axis=1).astype(float)[rows]
    return Predictions(targets, losses, ranks, confidences, arrays["weights"]), rows


def drawn_labels(rng: np.random.Generator, num_rows: int, num_classes: int) -> Labels:
    """Return labels of rows: at least one each, some of them no class."""
    found: Labels = []
    for _ in range(num_rows):
        known = int(rng.integers(0, min(num_classes, 7) + 1))
        unknown = int(rng.integers(0 if known else 1, 3))
        mine = [*rng.choice(num_classes, known, replace=False).tolist(), *[-1] * unknown]
        found.append([mine[j] for j in rng.permutation(len(mine))])
    return found


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_rows=st.integers(1, 20),
    num_classes=st.integers(1, 30),
    spread=st.sampled_from([1, 4, 10**6]),  # few values: many ties
)
def test_figures_equal_the_reference(
    seed: int, num_rows: int, num_classes: int, spread: int
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, spread, (num_rows, num_classes)).astype(np.float32)
    labels = drawn_labels(rng, num_rows, num_classes)
    inverse = rng.uniform(1, 30, num_classes + 1)
    examples, rows = predicted(scores, labels)
    top_k = [1, 2, 5, 100]
    found = row_figures(examples, rows, inverse[examples.targets], top_k)
    assert found == pytest.approx(reference(scores, labels, inverse, top_k), rel=1e-6)
    # With 1/m as the weight of each of m labels, top_k is recall.
    of_labels = figures(examples, top_k)
    for k in top_k:
        assert of_labels[f"top_{k}"] == pytest.approx(found[f"recall_{k}"], rel=1e-6)
        assert 0 <= found[f"psp_{k}"] <= 1 + 1e-12
        assert 0 <= found[f"ndcg_{k}"] <= 1 + 1e-12


def test_a_case_worked_out_by_hand() -> None:
    scores = np.array([[9, 8, 7, 6], [1, 2, 3, 4]], np.float32)
    labels = [[3, 0], [2, -1, -1]]  # ranks 4 and 1; rank 2, and two that training never saw
    examples, rows = predicted(scores, labels)
    inverse = np.array([2.0, 3, 4, 5, 10])
    found = row_figures(examples, rows, inverse[examples.targets], [1, 3])
    second = 1 / math.log2(3)
    assert found == pytest.approx(
        {
            "precision_1": 1 / 2,
            "recall_1": (1 / 2 + 0) / 2,
            "ndcg_1": 1 / 2,
            "psp_1": 2 / (5 + 10),
            "precision_3": 1 / 3,
            "recall_3": (1 / 2 + 1 / 3) / 2,
            "ndcg_3": (1 / (1 + second) + second / (1 + second + 1 / 2)) / 2,
            "psp_3": (2 + 4) / (5 + 2 + 10 + 10 + 4),
        },
        rel=1e-7,
    )


def test_figures_are_those_of_napkinxc() -> None:
    """Recorded from ``napkinxc.metrics`` 0.7.2, whose last places are float64's."""
    scores = np.sin(1.7 * np.arange(48)).reshape(6, 8).astype(np.float32)
    labels = [[0, 3, 5], [1], [2, 7, 4, 6], [0, 1], [6], [5, 2]]
    inverse = inverse_propensities(np.array([9, 5, 4, 1, 1, 1, 1, 1]), 11, 0.55, 1.5)
    examples, rows = predicted(scores, labels)
    found = row_figures(examples, rows, inverse[examples.targets], [1, 3, 5])
    expected = {
        "precision": [0.5, 0.3333333333333333, 0.3333333333333333],
        "recall": [0.2916666666666667, 0.5972222222222222, 0.8194444444444443],
        "ndcg": [0.5, 0.544226772831437, 0.6574856957877889],
        "psp": [0.5431423715617836, 0.5201876946227957, 0.7772382138638021],
    }
    for name, values in expected.items():
        for k, value in zip((1, 3, 5), values, strict=True):
            assert found[f"{name}_{k}"] == pytest.approx(value, rel=1e-12), (name, k)


def test_a_row_counts_by_its_weight() -> None:
    rng = np.random.default_rng(5)
    scores = rng.normal(size=(6, 9)).astype(np.float32)
    labels = drawn_labels(rng, 6, 9)
    inverse = rng.uniform(1, 9, 10)
    examples, rows = predicted(scores, labels)
    times = np.array([1, 0, 3, 1, 2, 0])
    heavy = replace(examples, weights=examples.weights * (times[rows] / 2).astype(np.float32))
    repeated = np.repeat(np.arange(6), times)
    expected = reference(scores[repeated], [labels[i] for i in repeated], inverse, [1, 4])
    found = row_figures(heavy, rows, inverse[examples.targets], [1, 4])
    assert found == pytest.approx(expected, rel=1e-6)
    none = replace(examples, weights=np.zeros_like(examples.weights))
    found = row_figures(none, rows, inverse[examples.targets], [1])
    assert found == {"precision_1": None, "recall_1": None, "ndcg_1": None, "psp_1": None}


def test_rows_between_that_have_no_label_are_left_out() -> None:
    scores = np.random.default_rng(6).normal(size=(4, 9)).astype(np.float32)
    examples, rows = predicted(scores, [[1, 5], [0], [3, -1], [8]])
    inverse = np.ones(len(rows))
    expected = row_figures(examples, rows, inverse, [2])
    assert row_figures(examples, 3 * rows + 1, inverse, [2]) == expected


def test_no_rows_no_figures() -> None:
    none = np.empty(0)
    examples = Predictions(
        none.astype(np.int32), none, none.astype(np.int64), none, none.astype(np.float32)
    )
    found = row_figures(examples, none.astype(np.int64), none, [1])
    assert found == {"precision_1": None, "recall_1": None, "ndcg_1": None, "psp_1": None}


def vocabulary(num_rows: int = 200) -> Vocabulary:
    return replace(make_vocabulary(V, D), fitted={"num_rows": num_rows})


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine some steps from its start."""
    found = Engine(make_config(), make_dataset(90, V, D), vocabulary())
    for _ in range(11):
        found.step()
    return found


def held_out(num_rows: int = 300) -> tuple[Dataset, Labels]:
    """Return rows with several labels, and these."""
    labels = drawn_labels(np.random.default_rng(9), num_rows, V)
    return replace(make_dataset(num_rows, V, D, seed=8), **examples_of(labels)), labels


def expanded(dataset: Dataset) -> Dataset:
    """Return the examples each with a row of its own."""
    assert dataset.rows is not None
    parts = [
        np.arange(dataset.indptr[row], dataset.indptr[row + 1], dtype=np.int64)
        for row in dataset.rows
    ]
    entries = np.concatenate(parts)
    return replace(
        dataset,
        indptr=np.cumsum([0, *map(len, parts)]),
        indices=dataset.indices[entries],
        values=dataset.values[entries],
        lines=dataset.lines[dataset.rows],
        rows=None,
    )


def arrays(found: Predictions) -> list[bytes]:
    return [array.tobytes() for array in vars(found).values()]


def test_a_row_of_several_labels_is_as_many_examples(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, _ = held_out()
    expected = arrays(predict_all(engine.model, expanded(dataset), vocabulary()))
    for threads in (1, None):
        kernels.use_threads(threads)
        assert arrays(predict_all(engine.model, dataset, vocabulary())) == expected
    for size in (1, 7, 1000):
        monkeypatch.setattr(exact, "_MAX_BATCH", size)
        assert arrays(predict_all(engine.model, dataset, vocabulary())) == expected


def test_every_row_is_scored_once_and_every_example_told(engine: Engine) -> None:
    dataset, labels = held_out()
    told: list[int] = []
    scored: list[int] = []

    class Counted:
        """Counts the rows that are scored."""

        def score_all(self, batch: Batch) -> NDArray[np.float32]:
            scored.append(batch.size)
            return engine.model.score_all(batch)

    model: Any = Counted()
    predict_all(model, dataset, vocabulary(), told.append)
    assert scored == [256, 44]
    assert told == [sum(map(len, labels[:256])), sum(map(len, labels[256:]))]


def test_the_figures_of_an_evaluation(engine: Engine) -> None:
    dataset, labels = held_out()
    model: Any = engine.model
    scores = np.zeros((300, D))
    for i in range(300):
        part = slice(dataset.indptr[i], dataset.indptr[i + 1])
        scores[i, dataset.indices[part]] = dataset.values[part]
    scores = scores @ model.weight.astype(float) + model.bias.astype(float)
    found = evaluate(model, dataset, vocabulary(), (1, 5), propensity=(0.6, 2.6))
    counts = np.append(vocabulary().class_counts, 0)
    inverse = inverse_propensities(counts, 200, 0.6, 2.6)
    expected = reference(scores, labels, inverse, [1, 5])
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    assert (found["num_rows"], found["num_examples"]) == (300, sum(map(len, labels)))
    log_probabilities = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    known = [[c for c in mine if c >= 0] for mine in labels]
    losses = [-log_probabilities[i, mine].sum() / len(labels[i]) for i, mine in enumerate(known)]
    shares = [len(mine) / len(labels[i]) for i, mine in enumerate(known)]
    assert found["log_loss"] == pytest.approx(sum(losses) / sum(shares), rel=1e-5)
    assert not found["bands"]["head"].keys() & expected.keys()
    default = evaluate(model, dataset, vocabulary(), (1, 5))
    assert default["psp_5"] != found["psp_5"]
    assert default["ndcg_5"] == found["ndcg_5"]
    plain = evaluate(model, expanded(dataset), vocabulary(), (1, 5))
    assert plain == {k: v for k, v in found.items() if k not in expected and k != "num_rows"}


def test_the_table_shows_the_figures_of_rows(engine: Engine) -> None:
    dataset, _ = held_out()
    found = evaluate(engine.model, dataset, vocabulary(), (1, 5, 20))
    lines = as_table({"split": "test", "checkpoint": 3, **found}).splitlines()
    assert any(line.startswith("300 rows") for line in lines)
    assert any(line.split() == ["k", "1", "5", "20"] for line in lines)
    for name in ("precision", "recall", "ndcg", "psp"):
        (row,) = [line.split() for line in lines if line.startswith(f"{name} ")]
        assert row[1:] == [f"{found[f'{name}_{k}']:.4f}" for k in (1, 5, 20)]
