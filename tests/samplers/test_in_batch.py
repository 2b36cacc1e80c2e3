"""The other targets of the batch: whose they are, how they count, and that they follow q."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sampler_cases import drawn
from scipy import stats
from small import make_config, make_dataset, make_sampler, make_vocabulary

from sstrain import kernels
from sstrain.config import load
from sstrain.config.comparison_loading import load_comparison
from sstrain.data.batches import Batch, BatchReader, epoch_order
from sstrain.data.dataset import Dataset
from sstrain.errors import UserError
from sstrain.training.engine import Engine

V, D, N = 12, 6, 400


def dataset() -> Dataset:
    return make_dataset(N, V, D, weighted=True)


def sampler(**keys: Any) -> Any:
    """Return a sampler whose q is that of the data set's targets."""
    share = "example" if keys.get("num_samples", 15) < 15 else "batch"
    config = make_config(
        sampler={"type": "in_batch", "num_samples": 15, "share": share, **keys},
        training={"batch_size": 16},
    )
    vocabulary = make_vocabulary(V, D)
    vocabulary.class_counts[:] = np.bincount(dataset().targets, minlength=V)
    return make_sampler(config, vocabulary, dataset())


def batch(start: int, stop: int) -> Batch:
    return BatchReader(dataset(), D).take(np.arange(start, stop))


def counts_of(candidates: "kernels.Candidates", group: int) -> np.ndarray:
    return np.bincount(drawn(candidates, group), minlength=V)


@pytest.mark.parametrize("size", [16, 9, 2])
def test_a_batch_shares_all_its_targets(size: int) -> None:
    tried, examples = sampler(), batch(20, 20 + size)
    candidates = tried.draw(examples, 1, 0, 0)
    assert len(candidates.counts) == 1
    assert np.array_equal(counts_of(candidates, 0), np.bincount(examples.targets, minlength=V))
    log_q = np.log(np.bincount(dataset().targets, minlength=V) / N)
    count = candidates.counts[0]
    np.testing.assert_allclose(tried.log_prob(examples), [log_q], rtol=1e-12)
    np.testing.assert_allclose(
        candidates.log_expected_count[0, :count],
        np.log(size - 1) + log_q[candidates.classes[0, :count]],
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        candidates.target_log_expected_count,
        np.log(size - 1) + log_q[examples.targets],
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize(("size", "taken"), [(16, 5), (6, 5), (4, 3), (2, 1)])
def test_an_example_takes_the_targets_that_follow_its_own(size: int, taken: int) -> None:
    tried, examples = sampler(num_samples=5), batch(20, 20 + size)
    candidates = tried.draw(examples, 1, 0, 0)
    assert len(candidates.counts) == size
    log_q = tried.log_prob(examples)[0]
    for i in range(size):
        following = [(i + 1 + k) % size for k in range(taken)]
        expected = np.bincount(examples.targets[following], minlength=V)
        assert i not in following
        assert np.array_equal(counts_of(candidates, i), expected)
        count = candidates.counts[i]
        np.testing.assert_allclose(
            candidates.log_expected_count[i, :count],
            np.log(taken) + log_q[candidates.classes[i, :count]],
            rtol=1e-5,
            atol=1e-6,
        )


def test_all_others_are_the_same_shared_or_not() -> None:
    """The targets of the others, and the example's own, which is a hit, where they are shared."""
    examples = batch(20, 36)
    shared = counts_of(sampler().draw(examples, 1, 0, 0), 0)
    each = sampler(share="example").draw(examples, 1, 0, 0)
    for i, target in enumerate(examples.targets):
        own = np.arange(V) == target
        assert np.array_equal(counts_of(each, i), shared - own)


@pytest.mark.parametrize("num_samples", [15, 5])
def test_an_example_that_is_alone_has_none_but_its_own(num_samples: int) -> None:
    candidates = sampler(num_samples=num_samples).draw(batch(3, 4), 1, 0, 0)
    assert candidates.counts.tolist() == [1]
    assert candidates.classes[0, 0] == dataset().targets[3]
    assert np.isfinite(candidates.log_expected_count[0, 0])
    assert np.isfinite(candidates.target_log_expected_count).all()


def test_draws_are_equal_for_one_and_two_threads() -> None:
    tried, examples = sampler(num_samples=5), batch(20, 36)
    kernels.use_threads(1)
    one = [counts_of(tried.draw(examples, 1, 0, 0), i) for i in range(16)]
    kernels.use_threads(2)
    two = [counts_of(tried.draw(examples, 1, 0, 0), i) for i in range(16)]
    assert np.array_equal(one, two)


@pytest.mark.parametrize("num_samples", [15, 5])
def test_over_epochs_the_other_targets_follow_the_unigram(num_samples: int) -> None:
    """Each epoch is another order: what one example sees over 2,000 of them follows q.

    It never sees itself: its own class is that much rarer, which is no error where hits are left
    out.
    """
    tried, reader, example = sampler(num_samples=num_samples), BatchReader(dataset(), D), 7
    own = dataset().targets[example]
    counts = np.zeros(V)
    for epoch in range(2000):
        order = epoch_order(3, epoch, N, 0, N)
        start = int(np.flatnonzero(order == example)[0]) // 16 * 16
        ids = order[start : start + 16]
        candidates = tried.draw(reader.take(ids), 3, epoch, 0)
        place = int(np.flatnonzero(ids == example)[0])
        shared = len(candidates.counts) == 1
        counts += counts_of(candidates, 0 if shared else place)
        counts[own] -= shared
    others = np.bincount(dataset().targets, minlength=V) - (np.arange(V) == own)
    assert counts.sum() == 2000 * num_samples
    expected = counts.sum() * others / others.sum()
    p_value = stats.chisquare(counts, expected).pvalue
    print(f"in_batch, K = {num_samples}: chi-square of an example's draws p = {p_value:.3f}")
    assert p_value > 1e-3


@pytest.mark.parametrize("num_samples", [15, 5])
def test_the_sum_over_the_other_classes_is_unbiased(num_samples: int) -> None:
    tried, reader = sampler(num_samples=num_samples), BatchReader(dataset(), D)
    terms = np.exp(np.random.default_rng(0).normal(size=V))
    sums = []
    for epoch in range(3000):
        ids = epoch_order(5, epoch, N, 0, 16)
        examples = reader.take(ids)
        candidates = tried.draw(examples, 5, epoch, 0)
        count = candidates.counts[0]  # of the first example, or of all
        classes = candidates.classes[0, :count]
        expected = np.exp(candidates.log_expected_count[0, :count])
        share = candidates.multiplicity[0, :count] / expected
        others = classes != examples.targets[0]
        sums.append((terms[classes] * share)[others].sum() + terms[examples.targets[0]])
    # Of N - 1 other examples, not N: the sum is high by 1 / (N - 1) of the other classes' share.
    low, high = terms.sum(), terms.sum() * N / (N - 1)
    spread = 4 * np.std(sums) / np.sqrt(len(sums))
    assert low - spread < np.mean(sums) < high + spread


CONFIG = """\
data: {train: {path: train.svm, format: svmlight}, validation: 0.2}
sampler: {type: in_batch}
training: {batch_size: 8, epochs: 1}
"""


def written(folder: Path, *overrides: str) -> Any:
    (folder / "run.yaml").write_text(CONFIG)
    return load(folder / "run.yaml", overrides)


def test_defaults_are_written_out_and_resolve_to_themselves(tmp_path: Path) -> None:
    section = written(tmp_path).sampler
    assert (section.num_samples, section.share, section.replacement) == (7, "batch", True)
    assert "replacement" not in section.model_dump()
    assert section.resolved(False, 8) == section
    fewer = written(tmp_path, "sampler.num_samples=6").sampler
    assert (fewer.num_samples, fewer.share) == (6, "example")
    each = written(tmp_path, "sampler.share=example").sampler
    assert (each.num_samples, each.share) == (7, "example")


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("training.batch_size=1", "sampler.type: .* there are none; got 'in_batch'; .* unigram"),
        (
            "sampler.num_samples=8",
            "sampler.num_samples: 8 samples are more .* got 8; expected at most 7",
        ),
        (
            "sampler={type: in_batch, share: batch, num_samples: 3}",
            "sampler.share: .* has 7 for each example; got 'batch'; expected example",
        ),
        (
            "objective={type: importance, accidental_hits: keep}",
            "objective.accidental_hits: in_batch has .* got 'keep'; expected drop",
        ),
        (
            "objective={type: importance, accidental_hits: resample}",
            "objective.accidental_hits: in_batch has .* got 'resample'; expected drop",
        ),
        ("sampler.replacement=false", "sampler.replacement: unknown key"),
    ],
)
def test_what_a_batch_cannot_serve(tmp_path: Path, override: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        written(tmp_path, override)
    assert len(caught.value.messages) == 1


def test_a_comparison_gives_it_the_number_of_samples(tmp_path: Path) -> None:
    (tmp_path / "compare.yaml").write_text(
        f"base:\n  {CONFIG.replace(chr(10), chr(10) + '  ')}\n"
        "samplers: [{type: in_batch}, {type: unigram}]\nnum_samples: [3, 7]\n"
    )
    comparison = load_comparison(tmp_path / "compare.yaml")
    objective, section = comparison.objectives[0], comparison.samplers[0]
    found = [comparison.cell(objective, section, size, 1).sampler for size in (3, 7)]
    assert [(s.num_samples, s.share) for s in found if s] == [(3, "example"), (7, "batch")]
    with pytest.raises(UserError, match=r"samplers.0.num_samples: 8 samples are more than the 7"):
        load_comparison(tmp_path / "compare.yaml", ["num_samples=[3, 8]"])


def test_a_single_example_has_no_others() -> None:
    config = make_config(sampler={"type": "in_batch"})
    vocabulary = make_vocabulary(1, D)
    with pytest.raises(UserError, match="there is one example to train on"):
        make_sampler(config, vocabulary, make_dataset(1, 1, D))


@pytest.mark.parametrize("num_samples", [15, 5])
def test_a_last_batch_of_one_costs_nothing(num_samples: int) -> None:
    """Of 33 examples in batches of 16 the last is alone, and changes no weight."""
    share = "batch" if num_samples == 15 else "example"
    config = make_config(
        sampler={"type": "in_batch", "num_samples": num_samples, "share": share},
        training={"batch_size": 16, "epochs": 1},
    )
    vocabulary = make_vocabulary(V, D)
    engine = Engine(config, make_dataset(33, V, D), vocabulary)
    losses = [engine.step() for _ in range(2)]
    assert min(losses) > 0.1
    before = engine.model.weight.copy()  # type: ignore[attr-defined]
    assert engine.step() == 0
    assert np.array_equal(engine.model.weight, before)  # type: ignore[attr-defined]
