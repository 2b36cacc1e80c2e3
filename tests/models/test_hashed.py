"""What is special to the hashed layout: its size, its keys, going on from another table."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from small import make_config, make_dataset, make_vocabulary, whole_batch

from sstrain import kernels
from sstrain.config.resolution import resolve
from sstrain.errors import UserError
from sstrain.models.base import Matching
from sstrain.models.collisions import collisions
from sstrain.models.hashed import Hashed
from sstrain.models.hashed_table import HashedModel
from sstrain.optim import OPTIMIZERS
from sstrain.training.engine import Engine

N, V, D = 60, 70, 20
SGD = OPTIMIZERS["sgd"].model_validate({"type": "sgd"})


def make_hashed(num_features: int = D, num_classes: int = V, **keys: Any) -> HashedModel:
    model = Hashed.model_validate({"bits": 10, **keys}).allocate(num_features, num_classes, SGD)
    rng = np.random.default_rng(3)
    model.parameters["weight"].assign(rng.normal(size=model.weight.shape).astype(np.float32))
    model.bias[:] = rng.normal(size=num_classes)
    return model


def table_of_weights(model: HashedModel) -> np.ndarray[Any, Any]:
    shape = len(model.feature_keys), len(model.class_keys)
    features, classes = (axis.ravel() for axis in np.indices(shape))
    return model.weights(features, classes).reshape(shape)


@pytest.mark.parametrize(
    ("rule", "average", "cell_bytes"),
    [("sgd", None, 4), ("adagrad", None, 8), ("adam", None, 12), ("adagrad", "1 epoch", 12)],
)
def test_the_largest_table_that_fits_the_budget(
    rule: str, average: str | None, cell_bytes: int
) -> None:
    config = make_config(
        model={"type": "hashed", "memory": "768 KiB"},
        optimizer={"type": rule, "average_from": average},
    )
    model: Any = resolve(config).model
    assert model.memory is None
    assert cell_bytes << model.bits <= 768 << 10 < cell_bytes << (model.bits + 1)


def test_a_budget_without_room_for_the_smallest_table() -> None:
    config = make_config(model={"type": "hashed", "memory": "4095 KiB"})
    assert resolve(config).model.bits == 19  # type: ignore[attr-defined]
    config = make_config(model={"type": "hashed", "memory": "3.5 KiB"})
    with pytest.raises(UserError, match=r"memory: .*; got 3.5 KiB; expected from 4 KiB"):
        resolve(config)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"bits": 9}, "greater than or equal to 10"),
        ({"bits": 33}, "less than or equal to 32"),
        ({"memory": "512 MB"}, 'expected a size, as "512 MiB"'),
        ({"memory": 1 << 30}, 'expected a size, as "512 MiB"'),
        ({"bits": 12, "memory": "1 MiB"}, "give one of the two"),
    ],
)
def test_sizes_that_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Hashed.model_validate(keys)


@pytest.mark.parametrize("rule", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_lines_begin_at_cache_lines_and_memory_is_as_told(rule: str, dtype: str) -> None:
    keys = {"average_from": "0 steps"}
    optimizer = OPTIMIZERS[rule].model_validate({"type": rule, **keys})
    section = Hashed.model_validate({"bits": 10, "dtype": dtype})
    model = section.allocate(D, V, optimizer)
    weight, bias = model.parameters["weight"], model.parameters["bias"]
    assert weight.average is not None
    assert bias.average is not None
    tables: list[Any] = [weight.values, weight.average.u, *weight.state.values()]
    tables = [table for table in tables if table.size == 1 << 10]
    assert all(table.ctypes.data % 64 == 0 for table in tables)
    fixed: list[Any] = [model.feature_keys, model.class_keys, model.next_keys]
    every: list[Any] = [
        weight.average.u,
        bias.average.u,
        *weight.state.values(),
        *bias.state.values(),
    ]
    size = sum(array.nbytes for array in [*every, *fixed, weight.values, bias.values])
    assert size == sum(section.memory_bytes(D, V, optimizer).values())


def test_no_more_is_held_on_the_way_than_in_the_end() -> None:
    config = make_config(
        model={"type": "hashed", "bits": 20},
        optimizer={"type": "adam", "average_from": "0 steps"},
    )
    told = sum(config.model.memory_bytes(D, V, config.optimizer).values())
    tracemalloc.start()
    model = config.model.allocate(D, V, config.optimizer)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert model.averaged_steps == 0
    assert told <= held <= peak < 1.02 * told


def test_what_matches_keeps_its_weights_and_the_rest_has_new_keys() -> None:
    old = make_hashed()
    assert old.next_keys.tolist() == [D, V]
    features = np.array([3, -1, 0, 19, -1])
    classes = np.array([-1, 60, 5, -1, 4, 7])
    first = HashedModel(old.section, 1 << 10, 5, 6, SGD)  # type: ignore[arg-type]
    first.take_over(old, Matching(features, classes))
    assert np.array_equal(first.feature_keys, [3, 20, 0, 19, 21])
    assert np.array_equal(first.class_keys, [70, 60, 5, 71, 4, 7])
    both = np.ix_(features >= 0, classes >= 0)
    expected = table_of_weights(old)[np.ix_(features[features >= 0], classes[classes >= 0])]
    assert np.array_equal(table_of_weights(first)[both], expected)
    assert np.array_equal(first.bias[classes >= 0], old.bias[classes[classes >= 0]])
    # A key is never given twice, over any number of such steps, though its last owner is gone.
    second = HashedModel(old.section, 1 << 10, 4, 5, SGD)  # type: ignore[arg-type]
    again = Matching(np.array([3, 2, 0, -1]), np.array([-1, 1, 2, 5, -1]))
    second.take_over(first, again)
    features, classes = (old.next_keys + 2).tolist()
    assert np.array_equal(second.feature_keys, [19, 0, 3, features])
    assert np.array_equal(second.class_keys, [classes, 60, 5, 7, classes + 1])
    assert second.next_keys.tolist() == [features + 1, classes + 2]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"bits": 11}, "model.bits: .*; got 11; expected 10"),
        ({"signed": False}, "model.signed: .*; got False; expected True"),
    ],
)
def test_another_kind_of_table_is_refused(keys: dict[str, Any], message: str) -> None:
    matching = Matching(np.arange(D), np.arange(V))
    with pytest.raises(UserError, match=message):
        make_hashed(**keys).take_over(make_hashed(signed=True), matching)


@pytest.mark.parametrize("averaged", [False, True])
def test_a_checkpoint_has_the_keys_wherever_it_is_read_from(averaged: bool) -> None:
    average = {"average_from": "0 steps"} if averaged else {}
    config = make_config(model={"type": "hashed", "bits": 10}, optimizer=average)
    engine = Engine(config, make_dataset(N, V, D), make_vocabulary(V, D))
    model: Any = engine.model
    model.class_keys[:] = np.random.default_rng(2).permutation(3 * V)[:V]
    engine.step()
    steps = int(averaged)
    saved, live = model.tensors(), model.live_arrays(steps)
    assert {"feature_keys", "class_keys"} <= saved["model"].keys()
    assert all(arrays.keys() == saved[part].keys() for part, arrays in live.items())
    assert any(arrays.get("class_keys") is model.class_keys for arrays in live.values())
    batch = whole_batch(engine.dataset, D)
    served = config.model.allocate(D, V, SGD)
    for name, array in served.live_arrays(0)["model"].items():
        tensor: Any = saved["model"][name]
        array[...] = tensor if isinstance(tensor, np.ndarray) else tensor.whole()
    np.testing.assert_allclose(served.score_all(batch), model.score_all(batch), atol=1e-6)


@pytest.mark.parametrize("share", ["batch", "example", None])
def test_threads_do_not_change_a_bit(share: str | None) -> None:
    sections: dict[str, Any] = {"objective": {"type": "exact"}}
    if share is not None:
        sections = {"sampler": {"share": share}}
    config = make_config(
        model={"type": "hashed", "bits": 10}, optimizer={"type": "adagrad"}, **sections
    )
    engines = [Engine(config, make_dataset(N, V, D), make_vocabulary(V, D)) for _ in range(2)]
    for _ in range(30):
        for threads, engine in enumerate(engines, start=1):
            kernels.use_threads(threads)
            engine.step()
    one, two = (engine.model.tensors()["model"] for engine in engines)
    assert all(np.array_equal(one[name], two[name]) for name in one)  # type: ignore[arg-type]


def plain_collisions(model: HashedModel, dataset: Any, part: int) -> dict[str, float]:
    """Return load and share of the first cells of the table, pair by pair."""
    rows = np.repeat(np.arange(dataset.num_examples), np.diff(dataset.indptr))
    pairs = {(int(f), int(dataset.targets[i])) for f, i in zip(dataset.indices, rows, strict=True)}
    cells = [cell_of(model, f, c) for f, c in sorted(pairs)]
    numbers = np.bincount([cell for cell in cells if cell < part], minlength=part)
    return {
        "sampled_cells": part,
        "load": float(np.mean(numbers > 0)),
        "shared": 1 - float(np.sum(numbers == 1) / numbers.sum()),
    }


def cell_of(model: HashedModel, feature: int, label: int) -> int:
    """Return the cell whose weight is that of a feature and a class."""
    before = model.weight.copy()
    model.weight[:] = np.arange(len(before))
    found = abs(int(model.weights(np.array([feature]), np.array([label]))[0]))
    model.weight[:] = before
    return found


@pytest.mark.parametrize("max_pairs", [1 << 18, 512, 128])
def test_collisions_are_counted(max_pairs: int) -> None:
    model = make_hashed()
    dataset = make_dataset(700, V, D, seed=5)
    found = collisions(model, dataset, max_pairs)
    part = int(found["sampled_cells"])
    assert part == 1 << 10 if max_pairs > 1 << 10 else 16 <= part < 1 << 10
    expected = plain_collisions(model, dataset, part)
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert 0.1 < found["shared"] < 1
