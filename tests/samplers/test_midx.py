"""The inverted multi-index: its k-means, its q, its snapshots, its bounds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference.midx import assign, log_q, moved
from small import make_config, make_dataset, make_model, make_sampler, make_vocabulary, whole_batch

from sstrain import kernels
from sstrain.config.checks import conflicts
from sstrain.samplers import midx
from sstrain.samplers.base import DataSize
from sstrain.training.checkpoint import Checkpoint, write_checkpoint
from sstrain.training.engine import Engine
from sstrain.training.tensors import digest

V, D, N = 40, 12, 90
Floats = NDArray[np.float64]


class Problem:
    """A sampler with its model, whose class vectors are random, and a batch."""

    def __init__(
        self, num_classes: int = V, rank: int = 5, scale: float = 1.0, **keys: Any
    ) -> None:
        self.config = make_config(
            sampler={"type": "midx", "num_samples": 20, "codewords": 6, **keys},
            model={"type": "low_rank", "rank": rank},
        )
        self.vocabulary = make_vocabulary(num_classes, D)
        self.dataset = make_dataset(N, num_classes, D)
        self.model = make_model(self.config, self.vocabulary)
        rng = np.random.default_rng(5)
        self.vectors()[:] = scale * rng.normal(size=(num_classes, rank))
        self.sampler = self.made()
        self.batch = whole_batch(self.dataset.head(6), D)

    def made(self, state: Any = None) -> Any:
        return make_sampler(self.config, self.vocabulary, self.dataset, self.model, state)

    def vectors(self) -> NDArray[np.float32]:
        """Return the model's class vectors, as they may be written to."""
        found: NDArray[np.float32] = self.model.class_vectors(averaged=False)[0]
        return found

    def log_q(self) -> Floats:
        found: Floats = self.sampler.log_prob(self.batch)
        return found

    def codewords(self) -> tuple[Floats, NDArray[np.int64]]:
        """Return the codewords [C, r], and each class's two."""
        state = self.sampler.tensors()
        columns, cells = state["codewords"].astype(float), state["cells"]
        return columns.T, np.array(np.divmod(cells, columns.shape[1]))

    def log_weights(self, power: float) -> Floats:
        """Return the logs of the classes' weights in a cell, at the present index."""
        vectors, bias = (array.astype(float) for array in self.model.class_vectors(averaged=False))
        codewords, (first, second) = self.codewords()
        half = vectors.shape[1] // 2
        quantised = np.hstack([codewords[first, :half], codewords[second, half:]])
        pooled = self.model.pooled(whole_batch(self.dataset, D), averaged=False).astype(float)
        square = np.mean(pooled**2)
        weights = power * bias + 0.5 * square * ((vectors - quantised) ** 2).sum(axis=1)
        return np.asarray(weights - weights.max())

    def expected(self, power: float, share: float) -> Floats:
        counts = np.asarray(self.vocabulary.class_counts, float) ** 0.75
        base = np.log(counts / counts.sum())
        pooled = self.model.pooled(self.batch, averaged=False).astype(float)
        weights = self.log_weights(power)
        return np.array([log_q(h, *self.codewords(), weights, base, share) for h in pooled])


@pytest.mark.parametrize("rank", [1, 2, 5])
@pytest.mark.parametrize(
    ("codewords", "power", "share"), [(2, 0.75, 0.05), (6, 0.0, 0.5), (100, 1.0, 1e-6)]
)
def test_q_is_that_of_the_quantised_scores(
    rank: int, codewords: int, power: float, share: float
) -> None:
    tried = Problem(rank=rank, codewords=codewords, power=power, unigram_share=share)
    np.testing.assert_allclose(tried.log_q(), tried.expected(power, share), rtol=1e-5, atol=1e-5)


def test_with_a_codeword_for_every_half_q_is_the_softmax_of_the_model() -> None:
    tried = Problem(codewords=V, power=1.0, unigram_share=1e-12)
    tried.sampler.tensors()["codewords"][:] = tried.vectors().T
    for step in (200, 400):  # no class leaves its own codeword
        tried.sampler.refresh(step)
    scores = tried.model.score_all(tried.batch, averaged=False).astype(float)
    softmax = scores - np.logaddexp.reduce(scores, axis=1)[:, None]
    np.testing.assert_allclose(tried.log_q(), softmax, atol=1e-4)


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 9), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_a_round_of_k_means_is_the_reference_s(
    num_classes: int, rank: int, count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(num_classes, rank)).astype(np.float32)
    codewords = rng.normal(size=(count, rank)).astype(np.float32)
    weights = rng.uniform(0.1, 9, num_classes)
    cells, residuals = np.empty(num_classes, np.int32), np.empty(num_classes)
    kernels.nearest_codewords(vectors, codewords.T.copy(), cells, residuals)
    found = np.array(np.divmod(cells, count))
    distances, nearest = assign(vectors.astype(float), codewords.astype(float))
    least = np.take_along_axis(distances, nearest[:, :, None], 2)[:, :, 0]
    chosen = np.take_along_axis(distances, found[:, :, None], 2)[:, :, 0]
    np.testing.assert_allclose(chosen, least, atol=1e-5)  # ties by rounding aside
    np.testing.assert_allclose(residuals, least.sum(axis=0), atol=1e-5)
    sums, totals = np.empty((count, rank)), np.empty((2, count))
    kernels.codeword_sums(vectors, weights, cells, sums, totals)
    means = np.full((count, rank), np.nan)
    for half, total in ((slice(rank // 2), totals[0]), (slice(rank // 2, rank), totals[1])):
        used = total > 0
        means[used, half] = sums[used, half] / total[used, None]
    np.testing.assert_allclose(means, moved(vectors.astype(float), weights, found, count))


def test_cells_hold_every_class_once_with_its_weight() -> None:
    tried = Problem()
    index = tried.sampler.proposal(tried.batch)
    assert sorted(index.members) == list(range(V))
    assert index.starts[-1] == V
    weights = np.exp(index.log_weights)
    for cell, (start, stop) in enumerate(zip(index.starts, index.starts[1:], strict=False)):
        members = index.members[start:stop]
        assert (index.cells[members] == cell).all()
        np.testing.assert_allclose(index.cumulative[start:stop], np.cumsum(weights[members]))
        assert index.cell_weights.flat[cell] == pytest.approx(weights[members].sum())


def test_more_rounds_bring_codewords_nearer() -> None:
    tried = Problem(num_classes=300, codewords=8)
    vectors, weights = tried.vectors(), np.sqrt(tried.vocabulary.class_counts)

    def error() -> float:
        state, residuals = tried.sampler.tensors(), np.empty(300)
        cells = np.empty(300, np.int32)
        kernels.nearest_codewords(vectors, state["codewords"], cells, residuals)
        return float(weights @ residuals)

    errors = [error()]
    for step in range(200, 2000, 200):
        tried.sampler.refresh(step)
        errors.append(error())
    assert (np.diff(errors) <= 1e-6 * errors[0]).all()
    assert errors[-1] < errors[0]


def test_a_codeword_without_classes_moves_to_a_class() -> None:
    tried = Problem(codewords=3)
    columns = tried.sampler.tensors()["codewords"]
    columns[:, 1:] = 1e6  # nobody's
    tried.sampler.refresh(200)
    columns = tried.sampler.tensors()["codewords"]
    assert np.abs(columns).max() < 10
    _, nearest = tried.codewords()
    assert all(len(set(half)) == 3 for half in nearest)


@pytest.mark.parametrize("scale", [1e-20, 30.0, 1e4, 1e18])
def test_scores_of_any_size_leave_a_distribution(scale: float) -> None:
    tried = Problem(scale=scale)
    found = tried.log_q()
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-9)
    base = tried.sampler.proposal(tried.batch).log_base
    assert (found >= np.log(0.05) + base - 1e-9).all()
    candidates = tried.sampler.draw(tried.batch, 1, 0, 0)
    assert ((candidates.classes >= 0) & (candidates.classes < V)).all()


def test_cells_without_a_mass_leave_the_unigram() -> None:
    tried = Problem()
    tried.sampler.tensors()["codewords"][:] = np.nan
    base = tried.sampler.proposal(tried.batch).log_base
    np.testing.assert_array_equal(tried.log_q(), np.tile(base, (6, 1)))
    candidates = tried.sampler.draw(tried.batch, 1, 0, 0)
    assert ((candidates.classes >= 0) & (candidates.classes < V)).all()


def test_k_means_of_many_classes_looks_at_the_frequent_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(midx, "_FITTED", 10)
    tried = Problem(codewords=6)
    before = tried.sampler.tensors()["codewords"].copy()
    tried.vectors()[10:] = 50
    again = tried.made()
    assert np.array_equal(again.tensors()["codewords"], before)
    cells = again.tensors()["cells"]
    assert len(set(cells[10:])) == 1


def test_the_index_follows_the_weights_at_its_interval_and_often_at_first() -> None:
    tried = Problem(refresh="5 steps")
    for followed, left_alone in ((1, 0), (2, 3), (4, 3), (5, 6), (10, 8), (15, 16)):
        before = tried.log_q()
        tried.vectors()[:] *= np.float32(-1.5)
        tried.sampler.refresh(left_alone)
        assert np.array_equal(tried.log_q(), before)
        tried.sampler.refresh(followed)
        assert np.abs(tried.log_q() - before).max() > 0.01
        np.testing.assert_allclose(tried.log_q(), tried.expected(0.75, 0.05), rtol=1e-5, atol=1e-5)


def test_a_checkpoint_keeps_the_snapshot_and_not_the_weights_of_now() -> None:
    tried = Problem()
    before = tried.log_q()
    kept = {name: array.copy() for name, array in tried.sampler.tensors().items()}
    tried.vectors()[:] = np.float32(1)
    tried.sampler = tried.made(kept)
    assert np.array_equal(tried.log_q(), before)


def engine() -> Engine:
    config = make_config(
        sampler={"type": "midx", "codewords": 5, "refresh": "3 steps"},
        model={"type": "low_rank", "rank": 5},
    )
    return Engine(config, make_dataset(N, V, D), make_vocabulary(V, D), total_steps=17)


def trained(run: Engine, steps: int) -> dict[str, str]:
    """Take steps, and return what all that a checkpoint keeps comes to."""
    for _ in range(steps):
        run.step()
    return {part: digest(tensors) for part, tensors in run.tensors().items()}


@pytest.mark.parametrize("steps", [2, 3, 13])
def test_an_interrupted_run_ends_bit_identical(steps: int, tmp_path: Path) -> None:
    kernels.use_threads(2)
    whole = trained(engine(), 17)
    kernels.use_threads(1)
    first = engine()
    trained(first, steps)
    state = {"step": first.done, **first.state()}
    write_checkpoint(tmp_path / "kept", first.tensors(), state, None)
    second = engine()
    second.restore(Checkpoint(tmp_path / "kept", first.done, None, state))
    assert trained(second, 17 - steps) == whole


def test_the_forecast_holds_all_arrays_of_the_index() -> None:
    tried = Problem()
    index = tried.sampler.proposal(tried.batch)._replace(pooled=np.empty((0, 5), np.float32))
    held = sum(array.nbytes for array in index if isinstance(array, np.ndarray))
    fitting = 16 * V + 8 * 6 * 5
    assert tried.config.sampler is not None
    forecast = tried.config.sampler.memory_bytes(DataSize(D, V, N, 4 * N, 5, 8))
    assert held + fitting <= forecast <= 1.2 * (held + fitting) + 2000


def test_a_model_without_class_vectors_is_refused() -> None:
    config = make_config(sampler={"type": "midx"}, model={"type": "dense"})
    (found,) = conflicts(config)
    assert found.key == ("sampler", "type")
    assert "midx draws by a vector for each class, which a dense model has not" in found.problem
