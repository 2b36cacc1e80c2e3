"""Proposals by a tree of kernels over class vectors: their q, their snapshots, their bounds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference.class_tree import Tree, quadratic_q, rff_q
from small import make_config, make_dataset, make_model, make_sampler, make_vocabulary, whole_batch

from sstrain import kernels
from sstrain.config.checks import conflicts
from sstrain.samplers.base import DataSize
from sstrain.samplers.quadratic import Quadratic
from sstrain.samplers.rff import Rff
from sstrain.training.checkpoint import Checkpoint, write_checkpoint
from sstrain.training.engine import Engine
from sstrain.training.tensors import digest

V, D, N = 40, 12, 90
Floats = NDArray[np.float64]
KINDS = ["quadratic", "rff"]


class Problem:
    """A sampler with its model, whose class vectors are random, and a batch."""

    def __init__(self, kind: str, num_classes: int = V, rank: int = 3, **keys: Any) -> None:
        self.config = make_config(
            sampler={"type": kind, "num_samples": 20, **keys},
            model={"type": "low_rank", "rank": rank},
        )
        self.vocabulary = make_vocabulary(num_classes, D)
        self.dataset = make_dataset(N, num_classes, D)
        self.model = make_model(self.config, self.vocabulary)
        self.vectors()[:] = np.random.default_rng(5).normal(size=(num_classes, rank))
        self.sampler = self.made()
        self.batch = whole_batch(self.dataset.head(6), D)

    def made(self, state: Any = None) -> Any:
        return make_sampler(self.config, self.vocabulary, self.dataset, self.model, state)

    def vectors(self) -> NDArray[np.float32]:
        """Return the model's class vectors, as they may be written to."""
        found: NDArray[np.float32] = self.model.class_vectors(averaged=False)[0]
        return found

    def pooled(self) -> Floats:
        return np.asarray(self.model.pooled(self.batch, averaged=False), float)

    def weights(self, power: float) -> Floats:
        counts = np.asarray(self.vocabulary.class_counts, float)
        return np.asarray((counts / counts.max()) ** power)

    def q(self) -> Floats:
        return np.asarray(np.exp(self.sampler.log_prob(self.batch)))


@pytest.mark.parametrize("bucket", [2, 7, 20, 40])
@pytest.mark.parametrize(
    ("power", "alpha", "offset"), [(0.75, 1.0, 1.0), (0.0, 100.0, 0.0), (1.0, 0.1, 3.0)]
)
def test_the_quadratic_kernel_is_followed_whatever_the_tree(
    bucket: int, power: float, alpha: float, offset: float
) -> None:
    tried = Problem("quadratic", bucket=bucket, power=power, alpha=alpha, offset=offset)
    vectors, weights = tried.vectors().astype(float), tried.weights(power)
    expected = [quadratic_q(h, vectors, weights, alpha, offset) for h in tried.pooled()]
    np.testing.assert_allclose(tried.q(), expected, rtol=1e-4)


@pytest.mark.parametrize("features", [1, 5, 64])
@pytest.mark.parametrize(("bucket", "leaves"), [(2, 32), (7, 8), (39, 2), (40, 1)])
def test_random_features_lead_to_the_leaves_and_the_kernel_on(
    features: int, bucket: int, leaves: int
) -> None:
    tried = Problem("rff", bucket=bucket, features=features)
    frequencies = tried.sampler.tensors()["frequencies"].astype(float)
    tree = Tree(frequencies, 8.0, Rff.floor, leaves)
    vectors, weights = tried.vectors().astype(float), tried.weights(0.75)
    expected = [rff_q(h, vectors, weights, tree) for h in tried.pooled()]
    np.testing.assert_allclose(tried.q(), expected, rtol=2e-3)


def test_frequencies_have_the_variance_nu() -> None:
    frequencies = Problem("rff", features=4000, nu=5.0).sampler.tensors()["frequencies"]
    # 12,000 normal numbers: the standard deviation of their mean square is 5 sqrt(2 / 12,000).
    assert abs(np.mean(frequencies.astype(float) ** 2) - 5) < 4 * 5 * np.sqrt(2 / 12_000)
    assert abs(np.mean(frequencies)) < 4 * np.sqrt(5 / 12_000)


def test_many_features_come_near_the_gaussian_kernel() -> None:
    tried = Problem("rff", bucket=4, features=1 << 14, nu=1.0)
    h, vectors = tried.pooled(), tried.vectors().astype(float)
    h /= np.maximum(np.linalg.norm(h, axis=1, keepdims=True), 1e-30)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    masses = tried.weights(0.75) * np.exp(h @ vectors.T)
    # Noise of 1 / sqrt(2^14) in kernels that are exp(-2) at the least, in a branch or two.
    np.testing.assert_allclose(tried.q(), masses / masses.sum(axis=1, keepdims=True), rtol=0.15)


@given(st.sampled_from(KINDS), st.integers(3, 70), st.integers(1, 3), st.integers(2, 80), st.data())
@settings(max_examples=30, deadline=None)
def test_any_shape_of_a_tree_makes_a_distribution(
    kind: str, num_classes: int, rank: int, bucket: int, data: st.DataObject
) -> None:
    tried = Problem(kind, num_classes, rank, bucket=bucket)
    scale = data.draw(st.sampled_from([0.0, 1e-20, 1.0, 1e3]))
    tried.vectors()[:] *= np.float32(scale)
    tried.sampler = tried.made()
    q = tried.q()
    assert q.min() > 0
    np.testing.assert_allclose(q.sum(axis=1), 1, rtol=1e-9)


@given(st.integers(1, 3000), st.integers(2, 600))
def test_leaves_hold_at_most_a_bucket_and_never_nothing(num_classes: int, bucket: int) -> None:
    leaves = Quadratic(bucket=bucket).num_leaves(num_classes)
    sizes = np.diff(np.arange(leaves + 1) * num_classes // leaves)
    assert sizes.sum() == num_classes
    assert 1 <= sizes.min() <= sizes.max() <= bucket
    assert leaves == 1 or -(-num_classes // (leaves // 2)) > bucket


@pytest.mark.parametrize("kind", KINDS)
def test_the_tree_follows_the_weights_at_its_interval_alone(kind: str) -> None:
    tried = Problem(kind, bucket=4, refresh="5 steps")
    before = tried.q()
    tried.vectors()[:] *= np.float32(-2)
    if kind == "rff":  # lengths have no say in it
        tried.vectors()[:, 0] += np.float32(1)
    for step in (0, 1, 4, 6):
        tried.sampler.refresh(step)
        assert np.array_equal(tried.q(), before)
    tried.sampler.refresh(5)
    after = tried.q()
    assert np.abs(after - before).max() > 0.01
    tried.sampler = tried.made()
    assert np.array_equal(tried.q(), after)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_keeps_the_snapshot_and_not_the_weights_of_now(kind: str) -> None:
    tried = Problem(kind, bucket=4)
    before = tried.q()
    kept = {name: array.copy() for name, array in tried.sampler.tensors().items()}
    tried.vectors()[:] = np.float32(1)
    tried.sampler = tried.made(kept)
    assert np.array_equal(tried.q(), before)


def engine(kind: str) -> Engine:
    config = make_config(
        sampler={"type": kind, "bucket": 4, "refresh": "3 steps"},
        model={"type": "low_rank", "rank": 3},
    )
    return Engine(config, make_dataset(N, V, D), make_vocabulary(V, D), total_steps=17)


def trained(run: Engine, steps: int) -> dict[str, str]:
    """Take steps, and return what all that a checkpoint keeps comes to."""
    for _ in range(steps):
        run.step()
    return {part: digest(tensors) for part, tensors in run.tensors().items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [2, 3, 13])
def test_an_interrupted_run_ends_bit_identical(kind: str, steps: int, tmp_path: Path) -> None:
    kernels.use_threads(2)
    whole = trained(engine(kind), 17)
    kernels.use_threads(1)
    first = engine(kind)
    trained(first, steps)
    state = {"step": first.done, **first.state()}
    write_checkpoint(tmp_path / "kept", first.tensors(), state, None)
    second = engine(kind)
    second.restore(Checkpoint(tmp_path / "kept", first.done, None, state))
    assert trained(second, 17 - steps) == whole


@pytest.mark.parametrize("kind", KINDS)
def test_the_forecast_holds_all_arrays_of_the_tree(kind: str) -> None:
    tried = Problem(kind, bucket=4)
    tree = tried.sampler.proposal(tried.batch)
    held = sum(array.nbytes for array in tree if isinstance(array, np.ndarray))
    summing = tree.left_sums.nbytes
    size = DataSize(D, V, N, 4 * N, 3, 8)
    assert tried.config.sampler is not None
    forecast = tried.config.sampler.memory_bytes(size)
    assert held + summing <= forecast <= 1.2 * (held + summing) + 2000


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_without_class_vectors_is_refused(kind: str) -> None:
    config = make_config(sampler={"type": kind}, model={"type": "dense"})
    (found,) = conflicts(config)
    assert found.key == ("sampler", "type")
    assert f"{kind} draws by a vector for each class, which a dense model has not" in found.problem
