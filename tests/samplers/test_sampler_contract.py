"""The contract of every proposal in the registry: its draws follow the q that it states."""

from typing import Any

import numpy as np
import pytest
from sampler_cases import D, Tried, V, drawn, replacements, shares, write_probabilities
from scipy import stats
from small import make_config, make_dataset, make_sampler, make_vocabulary

from sstrain import kernels
from sstrain.errors import UserError
from sstrain.samplers import PROPOSALS
from sstrain.training.forecast import data_size

KINDS = [(kind, share) for kind in PROPOSALS for share in shares(kind)]
DRAWS = [(kind, share, again) for kind, share in KINDS for again in replacements(kind)]
EACH = [kind for kind in PROPOSALS if "example" in shares(kind)]
DISTINCT = [kind for kind in EACH if False in replacements(kind)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_probabilities(tmp_path_factory.mktemp("q") / "q.tsv")


@pytest.mark.parametrize("kind", PROPOSALS)
def test_q_sums_to_one(kind: str, file: str) -> None:
    tried = Tried(kind, file)
    batch = tried.batch(5)
    log_q = tried.sampler.log_prob(batch)
    assert log_q.shape == (5 if PROPOSALS[kind].depends_on_example else 1, V)
    assert np.exp(log_q).min() > 0
    np.testing.assert_allclose(np.exp(log_q).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(("kind", "share"), KINDS)
def test_a_million_draws_follow_q(kind: str, share: str, file: str) -> None:
    tried = Tried(kind, file, num_samples=10_000, share=share)
    batch = tried.batch(3)
    log_q = np.broadcast_to(tried.sampler.log_prob(batch), (3, V))
    groups = 1 if share == "batch" else 3
    counts = np.zeros((groups, V))
    for step in range(100):
        candidates = tried.sampler.draw(batch, seed=3, epoch=step, step=step)
        assert len(candidates.counts) == groups
        for group in range(groups):
            counts[group] += np.bincount(drawn(candidates, group), minlength=V)
    # The last two examples are two contexts, where q depends on one.
    for group in range(groups)[-2:]:
        assert counts[group].sum() == 1e6
        q = np.exp(log_q[group])
        # A stated q of float32 numbers sums to 1 but for their rounding.
        p_value = stats.chisquare(counts[group], 1e6 * q / q.sum()).pvalue
        print(f"{kind}, share {share}, context {group}: chi-square of 10^6 draws p = {p_value:.3f}")
        assert p_value > 1e-3


@pytest.mark.parametrize("kind", [kind for kind in PROPOSALS if PROPOSALS[kind].depends_on_example])
def test_q_is_another_in_another_context(kind: str, file: str) -> None:
    tried = Tried(kind, file)
    log_q = tried.sampler.log_prob(tried.batch(3))
    assert np.abs(log_q[1] - log_q[2]).max() > 0.1


@pytest.mark.parametrize(("kind", "share"), KINDS)
def test_candidates_are_distinct_rising_and_counted(kind: str, share: str, file: str) -> None:
    tried = Tried(kind, file, num_samples=30, share=share)
    batch = tried.batch(10)
    log_q = np.broadcast_to(tried.sampler.log_prob(batch), (10, V))
    candidates = tried.sampler.draw(batch, 1, 0, 0)
    for group, count in enumerate(candidates.counts):
        classes = candidates.classes[group, :count]
        assert (np.diff(classes) > 0).all()
        assert candidates.multiplicity[group, :count].sum() == 30
        np.testing.assert_allclose(
            candidates.log_expected_count[group, :count],
            np.log(30) + log_q[group, classes],
            rtol=1e-5,
            atol=1e-5,
        )
    np.testing.assert_allclose(
        candidates.target_log_expected_count,
        np.log(30) + log_q[np.arange(10), batch.targets],
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize(("kind", "share", "replacement"), DRAWS)
def test_draws_depend_on_seed_epoch_and_step_or_example_alone(
    kind: str, share: str, replacement: bool, file: str
) -> None:
    drawing: dict[str, Any] = {} if replacement else {"replacement": False}
    tried = Tried(kind, file, num_samples=5, share=share, **drawing)
    batch = tried.batch(40)

    def classes(seed: int, epoch: int, step: int) -> list[int]:
        candidates = tried.sampler.draw(batch, seed, epoch, step)
        return [int(j) for g in range(len(candidates.counts)) for j in drawn(candidates, g)]

    kernels.use_threads(1)
    first = classes(1, 2, 3)
    kernels.use_threads(2)
    assert classes(1, 2, 3) == first
    assert classes(2, 2, 3) != first
    assert classes(1, 3, 3) != first
    assert (classes(1, 2, 4) != first) == (share == "batch")


@pytest.mark.parametrize("kind", PROPOSALS)
def test_a_sampler_made_of_what_a_checkpoint_keeps_draws_the_same(kind: str, file: str) -> None:
    tried = Tried(kind, file, num_samples=9)
    batch = tried.batch(20)
    before = drawn(tried.sampler.draw(batch, 1, 2, 3), 0)
    kept = {name: array.copy() for name, array in tried.sampler.tensors().items()}
    log_q = tried.sampler.log_prob(batch)
    again = tried.made(kept)
    assert np.array_equal(drawn(again.draw(batch, 1, 2, 3), 0), before)
    assert np.array_equal(again.log_prob(batch), log_q)


@pytest.mark.parametrize("kind", EACH)
def test_an_example_keeps_its_draws_whatever_stands_beside_it(kind: str, file: str) -> None:
    from sstrain.data.batches import BatchReader

    tried = Tried(kind, file, num_samples=5, share="example")
    reader = BatchReader(tried.dataset, D)
    alone = drawn(tried.sampler.draw(reader.take(np.array([6])), 1, 0, 0), 0)
    together = drawn(tried.sampler.draw(reader.take(np.array([3, 6, 1])), 1, 0, 9), 1)
    assert np.array_equal(alone, together)


@pytest.mark.parametrize("kind", EACH)
def test_resample_never_draws_the_target_and_follows_the_rest(kind: str, file: str) -> None:
    tried = Tried(kind, file, hits="resample", num_samples=20_000, share="example")
    batch = tried.batch(4)
    candidates = tried.sampler.draw(batch, 1, 0, 0)
    log_q = np.broadcast_to(tried.sampler.log_prob(batch), (4, V))
    for i, target in enumerate(batch.targets):
        q = np.exp(log_q[i])
        counts = np.bincount(drawn(candidates, i), minlength=V)
        assert counts[target] == 0
        others = np.delete(q, target) / np.delete(q, target).sum()
        expected = 20_000 * others
        likely = expected > 5
        pooled = np.append(np.delete(counts, target)[likely], 0)
        pooled[-1] = 20_000 - pooled.sum()
        expected = np.append(expected[likely], 20_000 - expected[likely].sum())
        kept = expected > 1e-6
        assert stats.chisquare(pooled[kept], expected[kept]).pvalue > 1e-3
        k = candidates.counts[i]
        np.testing.assert_allclose(
            candidates.log_expected_count[i, :k],
            np.log(20_000) + log_q[i, candidates.classes[i, :k]] - np.log1p(-q[target]),
            rtol=1e-4,
            atol=1e-4,
        )


@pytest.mark.parametrize("kind", DISTINCT)
@pytest.mark.parametrize("num_samples", [8, V - 1, V])
def test_distinct_draws_leave_the_sum_unbiased(kind: str, num_samples: int, file: str) -> None:
    tried = Tried(kind, file, num_samples=num_samples, share="example", replacement=False)
    batch = tried.batch(3)
    terms = np.exp(np.random.default_rng(0).normal(size=V))
    sums = []
    for epoch in range(3000):
        candidates = tried.sampler.draw(batch, 7, epoch, 0)
        assert (candidates.counts == num_samples).all()
        assert (np.diff(candidates.classes, axis=1) > 0).all()
        sums.append((terms[candidates.classes] / np.exp(candidates.log_expected_count)).sum(axis=1))
    error = np.mean(sums, axis=0) - terms.sum()
    spread = np.std(sums, axis=0) / np.sqrt(len(sums))
    assert (np.abs(error) <= 4 * spread + 1e-5 * terms.sum()).all()


@pytest.mark.parametrize("kind", DISTINCT)
def test_more_distinct_samples_than_classes(kind: str, file: str) -> None:
    with pytest.raises(UserError, match=r"sampler.num_samples: .* got 41; at most 40 \(V = 40"):
        Tried(kind, file, num_samples=V + 1, replacement=False)
    with pytest.raises(UserError, match=r"got 40; at most 39 \(V = 40, less the target"):
        Tried(kind, file, num_samples=V, replacement=False, share="example", hits="resample")


@pytest.mark.parametrize("kind", PROPOSALS)
def test_the_forecast_holds_what_a_checkpoint_keeps(kind: str, file: str) -> None:
    tried = Tried(kind, file)
    assert tried.config.sampler is not None
    size = data_size(tried.config, tried.vocabulary, tried.dataset)
    forecast = tried.config.sampler.memory_bytes(size)
    kept = sum(array.nbytes for array in tried.sampler.tensors().values())
    assert kept <= forecast


def test_the_defaults_of_every_proposal_make_a_config(file: str) -> None:
    for kind in PROPOSALS:
        keys = {"path": file} if kind == "file" else {}
        config = make_config(sampler={"type": kind, **keys})
        assert config.sampler is not None
        assert config.sampler.type == kind


def test_fixed_proposals_need_neither_data_nor_model() -> None:
    config = make_config(sampler={"type": "unigram"})
    sampler = make_sampler(config, make_vocabulary(V, D))
    assert sampler.log_prob(make_dataset(1, V, D)).shape == (1, V)
