"""Counts that grow with what training sees: what they become, and when q follows them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import sequence_text
from hypothesis import given, settings
from hypothesis import strategies as st
from sampler_cases import drawn
from scipy import stats
from small import make_config, make_dataset, make_sampler, make_vocabulary

from sstrain.config import load
from sstrain.data.batches import BatchReader
from sstrain.data.cache import load as load_data
from sstrain.training.checkpoint import load_checkpoint, write_checkpoint
from sstrain.training.engine import Engine

V, D, N = 30, 6, 320


def make(**keys: Any) -> Any:
    config = make_config(sampler={"type": "learned_unigram", **keys})
    return make_sampler(config, make_vocabulary(V, D))


def batches(size: int = 8) -> Any:
    return BatchReader(make_dataset(N, V, D, weighted=True), D).in_order(size)


def reference(seen: np.ndarray, power: float, smoothing: float) -> np.ndarray:
    q = (seen + smoothing) ** power
    return np.asarray(q / q.sum())


def test_it_begins_uniform() -> None:
    log_q = make(smoothing=3.0).log_prob(next(batches()))
    np.testing.assert_allclose(np.exp(log_q), np.full((1, V), 1 / V), rtol=1e-12)


@pytest.mark.parametrize(("power", "smoothing"), [(0.75, 1.0), (1.0, 0.1), (0.0, 2.0)])
def test_q_is_a_power_of_the_weights_seen(power: float, smoothing: float) -> None:
    sampler, seen = make(power=power, smoothing=smoothing, growth=0), np.zeros(V)
    for step, batch in enumerate(batches()):
        sampler.refresh(step)
        q = np.exp(sampler.log_prob(batch)[0])
        np.testing.assert_allclose(q, reference(seen, power, smoothing), rtol=1e-10)
        sampler.observe(batch)
        for target, weight in zip(batch.targets, batch.weights, strict=True):
            seen[target] += weight
    assert seen.sum() > N / 2


@settings(max_examples=20, deadline=None)
@given(
    growth=st.floats(0, 2),
    smoothing=st.floats(0.01, 10),
    weights=st.lists(st.floats(0, 100, width=32), min_size=5, max_size=40),
)
def test_q_follows_once_the_counts_have_grown_by_a_share(
    growth: float, smoothing: float, weights: list[float]
) -> None:
    sampler = make(growth=growth, smoothing=smoothing)
    seen, at = np.zeros(V), np.zeros(V)
    for step, (batch, weight) in enumerate(zip(batches(), weights, strict=False)):
        sampler.refresh(step)
        if seen.sum() > at.sum():
            grown = (seen + smoothing).sum() / (at + smoothing).sum() - 1
            if abs(grown - growth) < 1e-9:
                return  # either is right
            if grown > growth:
                at = seen.copy()
        q = np.exp(sampler.log_prob(batch)[0])
        np.testing.assert_allclose(q, reference(at, 0.75, smoothing), rtol=1e-9)
        batch.weights[:] = weight
        sampler.observe(batch)
        np.add.at(seen, batch.targets, batch.weights.astype(np.float64))


def test_tables_are_made_as_often_as_the_logarithm_of_the_examples() -> None:
    sampler, made = make(), []
    for step, batch in enumerate(list(batches(size=1)) * 10):
        before = sampler.table.log_q.copy()
        sampler.refresh(step)
        if not np.array_equal(sampler.table.log_q, before):
            made.append(step)
        sampler.observe(batch)
    # From V = 30 to about 4,000 counts in steps of a tenth: log(133) / log(1.1) = 51.
    assert 35 < len(made) < 55
    assert np.diff(made)[-1] > 10 * np.diff(made)[0]


def test_draws_follow_what_was_seen_and_depend_on_it() -> None:
    sampler = make(num_samples=10_000)
    batch = next(batches(size=N))
    unseen = drawn(sampler.draw(batch, 1, 0, 0), 0)
    sampler.observe(batch)
    sampler.refresh(1)
    counts = np.zeros(V)
    for step in range(20):
        counts += np.bincount(drawn(sampler.draw(batch, 1, 0, step), 0), minlength=V)
    q = np.exp(sampler.log_prob(batch)[0])
    assert stats.chisquare(counts, counts.sum() * q).pvalue > 1e-3
    assert not np.array_equal(drawn(sampler.draw(batch, 1, 0, 0), 0), unseen)


def written(folder: Path) -> Any:
    (folder / "words.txt").write_text(sequence_text(120, 30, seed=3))
    (folder / "run.yaml").write_text(
        "data: {train: {path: words.txt, format: sequence, min_count: 1}}\n"
        "sampler: {type: learned_unigram, num_samples: 8}\n"
        "training: {batch_size: 16, epochs: 2}\n"
    )
    return load(folder / "run.yaml")


@pytest.mark.parametrize("stop", [1, 20, 43])
def test_a_run_that_is_resumed_ends_with_the_same_bits(tmp_path: Path, stop: int) -> None:
    config = written(tmp_path)
    splits = load_data(config.data, lambda line: None)

    def engine() -> Engine:
        return Engine(config, splits.train, splits.vocabulary)

    whole, first, second = engine(), engine(), engine()
    while whole.done < whole.total_steps:
        whole.step()
    while first.done < stop:
        first.step()
    state = {"step": first.done, **first.state()}
    write_checkpoint(tmp_path / "checkpoint", first.tensors(), state, None)
    second.restore(load_checkpoint(tmp_path / "checkpoint", first.done))
    while second.done < second.total_steps:
        second.step()
    for part, tensors in whole.tensors().items():
        for name, tensor in tensors.items():
            other = second.tensors()[part][name]
            assert np.array_equal(np.asarray(tensor), np.asarray(other)), (part, name)
    assert whole.total_steps > 50
