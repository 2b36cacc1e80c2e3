"""What is special to the sparse layout: its support, what it takes over, its checkpoints."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from small import make_config, make_dataset, make_vocabulary

from sstrain.errors import UserError
from sstrain.models import MODELS
from sstrain.models.base import Matching
from sstrain.models.dense import Dense
from sstrain.models.sparse import Sparse, SparseModel
from sstrain.optim.sgd import Sgd
from sstrain.training.engine import Engine

V, D, N = 23, 12, 45
SAME = Matching(np.arange(D), np.arange(V))


def section(**keys: Any) -> Sparse:
    return Sparse.model_validate({"from": "run", "keep": 0.2, **keys})


def dense_model(seed: int = 0, dtype: str = "float32") -> Any:
    """Return a dense model of random weights, of which a tenth are 0."""
    model = Dense.model_validate({"dtype": dtype}).allocate(D, V, Sgd())
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(D, V)) * (rng.random((D, V)) < 0.9)
    model.parameters["weight"].assign(weights.astype(np.float32))
    model.bias[:] = rng.normal(size=V)
    return model


def weights_of(model: Any, num_features: int = D, num_classes: int = V) -> NDArray[np.float32]:
    """Return all weights of a model as a dense array."""
    features, classes = np.divmod(np.arange(num_features * num_classes), num_classes)
    found: NDArray[np.float32] = model.weights(features, classes)
    return found.reshape(num_features, num_classes)


def kept_of(model: SparseModel) -> NDArray[np.bool_]:
    """Return which weights a model keeps."""
    kept = np.zeros((D, V), np.bool_)
    kept[np.repeat(np.arange(D), np.diff(model.indptr)), model.indices] = True
    return kept


def pruned(old: Any, **keys: Any) -> SparseModel:
    model = section(**keys).allocate(D, V, Sgd())
    model.take_over(old, SAME)
    return model


def make_engine(**sections: Any) -> Engine:
    """Return what trains a model that was pruned to a fifth."""
    model = {"type": "sparse", "from": "run", "keep": 0.2}
    config = make_config(model=model, **sections)
    engine = Engine(config, make_dataset(N, V, D, seed=1), make_vocabulary(V, D))
    engine.model.take_over(dense_model(), SAME)
    return engine


def test_it_is_a_layout_that_must_say_where_its_weights_are_from() -> None:
    assert MODELS["sparse"] is Sparse
    with pytest.raises(ValidationError, match="from"):
        Sparse.model_validate({"keep": 0.2})
    for keep in (0, -0.1, 1.01, float("nan")):
        with pytest.raises(ValidationError, match="keep"):
            section(keep=keep)


def test_less_than_one_weight_is_refused() -> None:
    section(keep=1 / (D * V)).check(D, V)
    with pytest.raises(UserError, match="less than one weight; give a larger share"):
        section(keep=0.4 / (D * V)).check(D, V)


@pytest.mark.parametrize("keep", [0.003, 0.2, 0.97, 1.0])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_largest_weights_and_the_whole_bias_are_kept(keep: float, dtype: str) -> None:
    dense = dense_model(dtype=dtype)
    model = pruned(dense, keep=keep, dtype=dtype)
    kept, weights = kept_of(model), weights_of(dense)
    assert kept.sum() == len(model.indices) == round(keep * D * V)
    np.testing.assert_array_equal(weights_of(model), np.where(kept, weights, 0))
    if not kept.all():
        assert np.abs(weights[kept]).min() >= np.abs(weights[~kept]).max()
    np.testing.assert_array_equal(model.bias, dense.bias)


def test_weights_in_half_precision_are_rounded_to_the_nearest() -> None:
    dense = dense_model()
    model = pruned(dense, dtype="bfloat16")
    np.testing.assert_allclose(
        weights_of(model)[kept_of(model)], weights_of(dense)[kept_of(model)], rtol=2**-8
    )
    assert weights_of(model).any()


def test_a_pruned_model_can_be_pruned_further_and_no_less() -> None:
    dense = dense_model()
    once, twice = pruned(dense, keep=0.5), pruned(pruned(dense, keep=0.5), keep=0.1)
    np.testing.assert_array_equal(weights_of(twice), weights_of(pruned(dense, keep=0.1)))
    with pytest.raises(UserError, match=r"got 0\.6; expected at most 0\.5"):
        pruned(once, keep=0.6)


def test_only_matching_features_and_classes_are_taken_over() -> None:
    dense = dense_model()
    rng = np.random.default_rng(2)
    features, classes = rng.permutation(np.arange(-3, D)), rng.permutation(np.arange(-4, V))
    features, classes = np.maximum(features, -1), np.maximum(classes, -1)
    shape = len(features), len(classes)
    model = section(keep=0.1).allocate(*shape, Sgd())
    model.bias[:] = 7
    model.take_over(dense, Matching(features, classes))
    found, known = weights_of(model, *shape), np.ix_(features >= 0, classes >= 0)
    known_only = np.zeros_like(found)
    known_only[known] = found[known]
    np.testing.assert_array_equal(found, known_only)
    assert np.count_nonzero(found) == round(0.1 * shape[0] * shape[1])
    old = weights_of(dense)[np.ix_(features[features >= 0], classes[classes >= 0])]
    assert set(found[found != 0]) <= set(old.ravel())
    np.testing.assert_array_equal(model.bias, np.where(classes >= 0, dense.bias[classes], 7))


OBJECTIVES: dict[str, dict[str, Any]] = {
    "exact": {"objective": {"type": "exact"}},
    "shared": {"sampler": {"share": "batch"}},
    "each": {"sampler": {"share": "example"}},
}


@pytest.mark.parametrize("rule", ["adagrad", "adam"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_training_changes_the_kept_weights_alone(rule: str, objective: str) -> None:
    engine = make_engine(**OBJECTIVES[objective], optimizer={"type": rule, "learning_rate": 0.1})
    model: Any = engine.model
    before, kept = weights_of(model), kept_of(model)
    for array in model.parameters["weight"].state.values():
        assert array.shape in {model.weight.shape, (D,)}
    for _ in range(engine.total_steps):
        engine.step()
    after = weights_of(model)
    assert not after[~kept].any()
    np.testing.assert_array_equal(kept_of(model), kept)
    assert np.mean(after[kept] != before[kept]) > 0.9


@pytest.mark.parametrize("average_from", [None, 0])
def test_a_checkpoint_has_the_places_of_the_weights(average_from: int | None) -> None:
    engine, other = (
        make_engine(optimizer={"type": "adagrad", "average_from": average_from}) for _ in range(2)
    )
    for _ in range(5):
        engine.step()
    parts = engine.model.tensors()
    assert set(parts["model"]) == {"indptr", "indices", "values", "bias"}
    assert [parts["model"][name].dtype for name in ("indptr", "indices", "values", "bias")] == [
        np.int64,
        np.int32,
        np.float32,
        np.float32,
    ]
    model: Any = other.model
    model.indptr[:], model.indices[:], model.weight[:] = 0, 0, 0
    for part, arrays in model.live_arrays(engine.model.averaged_steps).items():
        assert set(arrays) == set(parts[part])
        for name, array in arrays.items():
            saved: Any = parts[part][name]
            array[...] = saved
    np.testing.assert_array_equal(weights_of(model), weights_of(engine.model))
    assert weights_of(model).any()
