"""Runs with U-max: what is kept of each example, and what an implicit step does to weights."""

from typing import Any

import numpy as np
import pytest
from small import make_config, make_dataset, make_vocabulary, whole_batch

from sstrain.training.engine import Engine

N, V, D = 45, 11, 9
EXPLICIT: dict[str, Any] = {"type": "umax"}
IMPLICIT: dict[str, Any] = {"type": "umax", "implicit": True}


def make_engine(objective: dict[str, Any], **sections: Any) -> Engine:
    dataset = make_dataset(N, V, D, seed=4, weighted=True)
    return Engine(make_config(objective=objective, **sections), dataset, make_vocabulary(V, D))


def test_a_checkpoint_keeps_u() -> None:
    engine = make_engine(EXPLICIT)
    for _ in range(9):
        engine.step()
    assert np.isfinite(engine.gradient.state["u"]).all()  # an epoch has six steps
    assert engine.tensors()["objective"]["u"] is engine.gradient.state["u"]


def test_u_has_a_value_once_an_example_was_seen() -> None:
    engine = make_engine(EXPLICIT)
    engine.step()
    assert np.isfinite(engine.gradient.state["u"]).sum() == 8


@pytest.mark.parametrize("rate", [0.1, 1e4])
def test_an_implicit_step_of_one_example_ends_where_its_gradient_is_taken(rate: float) -> None:
    """Scores before and after, and the loss's slope after, agree: w_j - w_j' = rate g_j' x."""
    engine = make_engine(
        IMPLICIT,
        optimizer={"learning_rate": rate},
        training={"batch_size": 1},
        sampler={"type": "uniform"},
    )
    everything = whole_batch(engine.dataset, D)
    before = engine.model.score_all(everything).astype(np.float64)
    bias = engine.model.bias.copy()  # type: ignore[attr-defined]
    engine.step()
    after = engine.model.score_all(everything).astype(np.float64)
    state = engine.gradient.state["u"]
    i = int(np.flatnonzero(np.isfinite(state))[0])
    target = engine.dataset.targets[i]
    part = slice(engine.dataset.indptr[i], engine.dataset.indptr[i + 1])
    reach = 1 + float(np.sum(engine.dataset.values[part].astype(np.float64) ** 2))
    weight = float(engine.dataset.weights[i])
    moves = before[i] - after[i]
    drawn = np.flatnonzero(moves > 0)
    assert len(drawn) > 1
    np.testing.assert_allclose(moves[target], -moves[drawn].sum(), rtol=1e-4)
    # n_j / m_j of uniform draws is a whole number of V / K; it is found again, and is right.
    slopes = np.exp(after[i, drawn] - after[i, target] - float(state[i]))
    factors = moves[drawn] / (rate * weight * reach) / slopes * 6 / V
    np.testing.assert_allclose(factors, np.round(factors), rtol=0.02)
    assert (np.round(factors) >= 1).all()
    falls = bias - engine.model.bias  # type: ignore[attr-defined]
    np.testing.assert_allclose(falls * reach, moves, rtol=1e-3, atol=1e-4 * np.max(moves))
