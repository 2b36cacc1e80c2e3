"""Evaluation and prediction over all classes in batches, against one plain product."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import metrics as reference
from reference.softmax import probabilities
from small import dense_matrix, make_config, make_dataset, make_vocabulary

from sstrain import kernels
from sstrain.data.dataset import Dataset
from sstrain.data.vocabulary import Vocabulary
from sstrain.evaluation import exact
from sstrain.evaluation.exact import evaluate, predict_all, scoring_batch_size
from sstrain.evaluation.prediction import predictions
from sstrain.models.averaging import AveragedTensor
from sstrain.models.base import Layout
from sstrain.training.engine import Engine
from sstrain.training.saved import SavedModel

N, V, D = 600, 23, 15


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine some steps from its start, without an average."""
    return trained()


def trained(**optimizer: Any) -> Engine:
    optimizer = {"type": "adagrad", "learning_rate": 0.3, **optimizer}
    found = Engine(make_config(optimizer=optimizer), make_dataset(90, V, D), make_vocabulary(V, D))
    for _ in range(11):
        found.step()
    return found


def held_out() -> Dataset:
    """Random rows, of which some have a label that training never saw."""
    dataset = make_dataset(N, V, D, seed=8)
    dataset.targets[::7] = -1
    return dataset


def whole(tensor: Any) -> NDArray[Any]:
    return tensor.whole() if isinstance(tensor, AveragedTensor) else np.asarray(tensor)


def plain_scores(tensors: Any, dataset: Dataset) -> NDArray[np.float64]:
    weight, bias = whole(tensors["weight"]), whole(tensors["bias"])
    return np.asarray(dense_matrix(dataset, D) @ weight.astype(float) + bias.astype(float))


@pytest.mark.parametrize("average_from", [None, "0 steps", "5 steps", "40 steps"])
def test_figures_are_those_of_the_saved_tensors(average_from: str | None) -> None:
    engine = trained(average_from=average_from)
    dataset, vocabulary = held_out(), vocabulary_of()
    found = evaluate(engine.model, dataset, vocabulary, (1, 5))
    scores = plain_scores(engine.tensors()["model"], dataset)
    targets = dataset.targets.astype(np.int64)
    expected = reference.evaluate(scores, targets)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    names = reference.bands(vocabulary.class_counts)
    for band in ("head", "torso", "tail"):
        chosen = [i for i, c in enumerate(targets) if c >= 0 and names[c] == band]
        expected = reference.evaluate(scores[chosen], targets[chosen])
        assert found["bands"][band] == pytest.approx(expected, rel=1e-5)


def vocabulary_of() -> Vocabulary:
    return make_vocabulary(V, D)


def arrays(model: Layout, dataset: Dataset) -> list[Any]:
    found = predict_all(model, dataset, vocabulary_of())
    return [found.losses.tobytes(), found.ranks.tobytes(), found.confidences.tobytes()]


def test_neither_threads_nor_batches_change_a_bit(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = held_out()
    kernels.use_threads(1)
    expected = arrays(engine.model, dataset)
    kernels.use_threads(None)
    assert arrays(engine.model, dataset) == expected
    for size in (1, 7, 1000):
        monkeypatch.setattr(exact, "_MAX_BATCH", size)
        assert arrays(engine.model, dataset) == expected


def test_evaluation_leaves_the_model_as_it_is(engine: Engine) -> None:
    def tensors() -> list[bytes]:
        parts = engine.tensors().values()
        return [whole(t).tobytes() for part in parts for t in part.values()]

    before = tensors()
    evaluate(engine.model, held_out(), vocabulary_of(), (1,))
    assert tensors() == before


def test_every_batch_is_told(engine: Engine) -> None:
    told: list[int] = []
    predict_all(engine.model, held_out(), vocabulary_of(), told.append)
    assert told == [256, 256, 88]


@pytest.mark.parametrize("num_classes", [1, 1000, 100_000, 1_000_000, 10_000_000])
def test_scores_held_at_once_are_bounded(num_classes: int) -> None:
    size = scoring_batch_size(num_classes)
    assert 1 <= size <= 256
    assert size == 1 or 4 * size * num_classes <= 64 << 20


def best(engine: Engine, lines: Sequence[bytes], k: int) -> list[tuple[list[str], list[float]]]:
    vocabulary = Vocabulary(
        classes=[f"c{j}" for j in range(V)],
        class_counts=make_vocabulary(V, D).class_counts,
        features=[str(j + 1) for j in range(D)],
        feature_counts=np.ones(D, np.int64),
        fitted={"index_base": 1},
    )
    saved = SavedModel(engine.config, vocabulary, engine.model, engine.scorer, 11, {})
    return list(predictions(saved, lines, "lines", k, print))


@pytest.mark.parametrize("k", [1, 5, V, V + 10])
def test_predictions_are_the_best_classes(k: int, engine: Engine) -> None:
    model: Any = engine.model
    lines = [f"{j % D + 1}:{j / 100:.2f}".encode() for j in range(300)]
    found = best(engine, lines, k)
    assert len(found) == 300
    for j in (0, 1, 255, 256, 299):
        scores = model.bias + float(f"{j / 100:.2f}") * model.weight[j % D].astype(float)
        order = np.argsort(-scores, kind="stable")[:k]
        labels, probable = found[j]
        assert labels == [f"c{c}" for c in order]
        assert probable == pytest.approx(probabilities(scores)[order], rel=1e-5)


def test_of_equal_scores_the_more_frequent_class_comes_first(engine: Engine) -> None:
    model: Any = engine.model
    before = model.bias.copy()
    try:
        model.bias[:] = 0
        ((labels, probable),) = best(engine, [b""], 4)
    finally:
        model.bias[:] = before
    assert labels == ["c0", "c1", "c2", "c3"]
    assert probable == pytest.approx([1 / V] * 4)


def test_no_lines_no_predictions(engine: Engine) -> None:
    assert best(engine, [], 3) == []
