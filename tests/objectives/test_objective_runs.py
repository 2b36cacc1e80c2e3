"""Trainings with every sampled objective: they learn, go on bit for bit, and need no one thread."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from objective_cases import CASES, Case
from reference.softmax import exact_loss
from small import make_config, make_dataset, make_vocabulary, whole_batch

from sstrain import kernels
from sstrain.evaluation.scorer import Scorer
from sstrain.training.checkpoint import Checkpoint, write_checkpoint
from sstrain.training.engine import Engine

N, V, D = 45, 11, 9

RUNS = [*CASES, Case("umax", {"implicit": True})]
every_objective = pytest.mark.parametrize("case", RUNS, ids=str)


def make_engine(case: Case, **sections: Any) -> Engine:
    dataset = make_dataset(N, V, D, seed=4, weighted=True)
    config = make_config(objective={"type": case.type, **case.keys}, **sections)
    return Engine(config, dataset, make_vocabulary(V, D))


def weights(engine: Engine) -> bytes:
    return b"".join(
        np.ascontiguousarray(tensor).tobytes()
        for part in engine.tensors().values()
        for tensor in part.values()
        if isinstance(tensor, np.ndarray)
    )


@every_objective
@pytest.mark.parametrize("share", ["batch", "example"])
def test_threads_do_not_change_a_bit(case: Case, share: str) -> None:
    found = []
    for threads in (1, 2):
        kernels.use_threads(threads)
        engine = make_engine(case, sampler={"share": share})
        for _ in range(15):
            engine.step()
        found.append(weights(engine))
    assert found[0] == found[1]


@every_objective
def test_a_resume_goes_on_bit_for_bit(case: Case, tmp_path: Path) -> None:
    engine, resumed = make_engine(case), make_engine(case)
    for _ in range(9):  # an epoch has six steps
        engine.step()
    state = {**engine.state(), "step": engine.done}
    write_checkpoint(tmp_path / "checkpoint", engine.tensors(), state, None)
    resumed.restore(Checkpoint(tmp_path / "checkpoint", 9, None, state))
    for _ in range(8):
        engine.step()
        resumed.step()
    assert weights(engine) == weights(resumed)


def log_loss(scorer: Scorer, engine: Engine) -> float:
    """Return the weighted mean log-loss of the training examples."""
    scores = scorer.score_all(whole_batch(engine.dataset, D)).astype(float)
    losses = [exact_loss(z, int(c)) for z, c in zip(scores, engine.dataset.targets, strict=True)]
    return float(np.average(losses, weights=engine.dataset.weights))


def unigram_loss(engine: Engine) -> float:
    """Return the log-loss of the targets' own shares, which needs no features."""
    weights = engine.dataset.weights.astype(float)
    shares = np.bincount(engine.dataset.targets, weights) / weights.sum()
    return -float(np.average(np.log(shares[engine.dataset.targets]), weights=weights))


def trained(case: Case) -> Engine:
    # The draws of every step are many, so that even biased objectives come near the best scores.
    engine = make_engine(
        case,
        sampler={"type": "uniform", "share": "example", "num_samples": V - 1},
        optimizer={"type": "adagrad", "learning_rate": 0.3},
        training={"epochs": 60},
    )
    while engine.done < engine.total_steps:
        engine.step()
    return engine


@every_objective
def test_a_training_tells_more_than_the_shares_of_the_classes(case: Case) -> None:
    if case.keys.get("implicit"):
        pytest.skip("for plain SGD alone; its steps are tried in test_umax_runs")
    engine = trained(case)
    assert log_loss(engine.scorer, engine) < unigram_loss(engine) - 0.05


def test_what_negative_sampling_taught_is_read_with_log_q_added() -> None:
    case = next(case for case in CASES if case.type == "negative_sampling")
    engine = make_engine(
        case,
        sampler={"type": "unigram", "power": 1.0, "share": "example"},
        optimizer={"type": "adagrad", "learning_rate": 0.3},
        training={"epochs": 60},
    )
    while engine.done < engine.total_steps:
        engine.step()
    assert log_loss(engine.scorer, engine) < unigram_loss(engine) - 0.05
    assert log_loss(engine.model, engine) > log_loss(engine.scorer, engine) + 0.2
