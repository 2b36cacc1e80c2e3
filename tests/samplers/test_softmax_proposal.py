"""Draws from the model's own distribution: its probabilities, its blocks, its empty state."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference.numeric import relative_error
from small import make_config, make_dataset, make_model, make_sampler, make_vocabulary, whole_batch

from sstrain import kernels
from sstrain.samplers.base import DataSize
from sstrain.training.checkpoint import Checkpoint, write_checkpoint
from sstrain.training.engine import Engine
from sstrain.training.tensors import digest

D, N = 12, 90
LAYOUTS: dict[str, dict[str, Any]] = {
    "dense": {"type": "dense"},
    "low_rank": {"type": "low_rank", "rank": 3},
    "hashed": {"type": "hashed", "bits": 10},
}


class Problem:
    """A sampler with its model, whose biases tests set, and a batch."""

    def __init__(self, num_classes: int, model: str = "dense", **keys: Any) -> None:
        self.num_classes = num_classes
        self.config = make_config(
            sampler={"type": "softmax", "num_samples": 50, **keys}, model=LAYOUTS[model]
        )
        self.vocabulary = make_vocabulary(num_classes, D)
        self.dataset = make_dataset(N, num_classes, D)
        self.model = make_model(self.config, self.vocabulary)
        self.sampler = make_sampler(self.config, self.vocabulary, self.dataset, self.model)
        self.batch = whole_batch(self.dataset.head(4), D)

    def scores(self) -> NDArray[np.float64]:
        return np.asarray(self.model.score_all(self.batch, averaged=False), float)


@pytest.mark.parametrize("model", LAYOUTS)
@pytest.mark.parametrize("num_classes", [12, 64, 65, 300])
def test_q_is_the_softmax_of_the_live_weights(model: str, num_classes: int) -> None:
    tried = Problem(num_classes, model)
    tried.model.bias[:] = np.random.default_rng(1).normal(size=num_classes)
    scores = tried.scores()
    expected = scores - np.logaddexp.reduce(scores, axis=1)[:, None]
    assert relative_error(tried.sampler.log_prob(tried.batch), expected) < 1e-12


@pytest.mark.parametrize("num_classes", [64, 65, 300])
@pytest.mark.parametrize("alone", [0, 63, -1])
def test_a_class_with_all_of_p_is_every_draw(num_classes: int, alone: int) -> None:
    tried = Problem(num_classes)
    tried.model.bias[:] = -1e4
    tried.model.bias[alone] = 1e4
    candidates = tried.sampler.draw(tried.batch, 1, 0, 0)
    assert (candidates.counts == 1).all()
    assert (candidates.classes[:, 0] == alone % num_classes).all()
    log_q = tried.sampler.log_prob(tried.batch)
    assert np.isfinite(log_q).all()
    np.testing.assert_allclose(np.exp(log_q).sum(axis=1), 1, rtol=1e-12)


def test_draws_reach_the_first_and_the_last_class_of_every_block() -> None:
    num_classes = 2 * kernels.SOFTMAX_BLOCK + 3
    tried = Problem(num_classes, num_samples=20_000)
    tried.model.bias[:] = 0
    candidates = tried.sampler.draw(tried.batch, 1, 0, 0)
    assert (candidates.counts == num_classes).all()  # a miss has a probability of 1e-64


def engine(model: str) -> Engine:
    config = make_config(sampler={"type": "softmax"}, model=LAYOUTS[model])
    return Engine(config, make_dataset(N, 40, D), make_vocabulary(40, D), total_steps=17)


def trained(run: Engine, steps: int) -> dict[str, str]:
    """Take steps, and return what all that a checkpoint keeps comes to."""
    for _ in range(steps):
        run.step()
    return {part: digest(tensors) for part, tensors in run.tensors().items()}


@pytest.mark.parametrize("model", LAYOUTS)
def test_a_run_goes_on_from_a_sampler_that_keeps_nothing(model: str, tmp_path: Path) -> None:
    kernels.use_threads(2)
    whole = trained(engine(model), 17)
    kernels.use_threads(1)
    first = engine(model)
    trained(first, 6)
    assert first.tensors()["sampler"] == {}
    state = {"step": first.done, **first.state()}
    write_checkpoint(tmp_path / "kept", first.tensors(), state, None)
    checkpoint = Checkpoint(tmp_path / "kept", first.done, None, state)
    assert checkpoint.open("sampler") == {}
    second = engine(model)
    second.restore(checkpoint)
    assert trained(second, 11) == whole


def test_the_forecast_holds_the_scores_of_a_batch() -> None:
    tried = Problem(300)
    proposal = tried.sampler.proposal(tried.batch)
    assert tried.config.sampler is not None
    forecast = tried.config.sampler.memory_bytes(DataSize(D, 300, N, 4 * N, 0, 4))
    held = sum(array.nbytes for array in proposal)
    assert held <= forecast <= held + 1000
