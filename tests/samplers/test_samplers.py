"""Proposals with a fixed q: what the contract of all of them does not ask."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.importance import partition_estimate
from scipy import stats
from small import make_config, make_dataset, make_sampler, make_vocabulary, whole_batch

from sstrain import kernels
from sstrain.data.batches import Batch
from sstrain.errors import UserError

V, D = 40, 6


def build(
    kind: str, keys: dict[str, Any], num_classes: int = V, hits: str = "drop", **drawing: Any
) -> Any:
    config = make_config(
        sampler={"type": kind, **keys, **drawing},
        objective={"type": "importance", "accidental_hits": hits},
    )
    return make_sampler(config, make_vocabulary(num_classes, D))


def batch_of(size: int, num_classes: int = V) -> Batch:
    return whole_batch(make_dataset(size, num_classes, D), D)


def drawn(candidates: "kernels.Candidates", group: int) -> np.ndarray:
    """Return a group's draws with their repetitions."""
    count = candidates.counts[group]
    times = candidates.multiplicity[group, :count].astype(int)
    return np.repeat(candidates.classes[group, :count], times)


def test_resample_where_the_target_has_nearly_all_of_q(tmp_path: Path) -> None:
    path = tmp_path / "q.tsv"
    rest = [1e-9 * (1 + j) for j in range(V - 1)]
    path.write_text("c0\t1\n" + "".join(f"c{j + 1}\t{p}\n" for j, p in enumerate(rest)))
    sampler = build("file", {"path": str(path)}, num_samples=3000, share="example", hits="resample")
    batch = batch_of(1)
    batch.targets[0] = 0
    counts = np.bincount(drawn(sampler.draw(batch, 1, 0, 0), 0), minlength=V)
    expected = 3000 * np.array(rest) / sum(rest)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:], expected).pvalue > 1e-3


def zipf_file(folder: Path, num_classes: int, power: float = 1.0) -> str:
    path = folder / "zipf.tsv"
    path.write_text("".join(f"c{j}\t{(j + 1.0) ** -power}\n" for j in range(num_classes)))
    return str(path)


@pytest.mark.parametrize(
    ("num_samples", "power"),
    [(10, 1.0), (29, 1.0), (30, 1.0), (25, 8.0), (29, 20.0)],
    ids=["plain", "all but one", "all", "late arrivals", "hopeless tries"],
)
def test_distinct_draws_leave_the_sum_unbiased(
    num_samples: int, power: float, tmp_path: Path
) -> None:
    num_classes, repetitions = 30, 4000
    sampler = build(
        "file",
        {"path": zipf_file(tmp_path, num_classes, power)},
        num_classes,
        num_samples=num_samples,
        share="example",
        replacement=False,
    )
    batch = batch_of(repetitions, num_classes)
    candidates = sampler.draw(batch, 7, 0, 0)
    terms = np.exp(np.random.default_rng(0).normal(size=num_classes))
    assert (candidates.counts == num_samples).all()
    assert (candidates.multiplicity == 1).all()
    assert (np.diff(candidates.classes, axis=1) > 0).all()
    sums = (terms[candidates.classes] / np.exp(candidates.log_expected_count)).sum(axis=1)
    error = sums.mean() - terms.sum()
    spread = sums.std() / np.sqrt(repetitions)
    print(f"K = {num_samples}, q ~ rank^-{power}: bias of the sum {error / terms.sum():+.3%}")
    assert abs(error) <= 3.5 * spread + 1e-5 * terms.sum()
    if power == 1.0:
        assert abs(error) < 0.01 * terms.sum()


def test_distinct_draws_without_the_target(tmp_path: Path) -> None:
    path = {"path": zipf_file(tmp_path, 30)}
    sampler = build(
        "file", path, 30, num_samples=29, share="example", replacement=False, hits="resample"
    )
    batch = batch_of(5, 30)
    candidates = sampler.draw(batch, 7, 0, 0)
    for i, target in enumerate(batch.targets):
        assert sorted({*candidates.classes[i].tolist(), int(target)}) == list(range(30))
    np.testing.assert_allclose(candidates.log_expected_count, 0, atol=1e-7)


def test_distinct_draws_end_where_tries_alone_would_not(tmp_path: Path) -> None:
    path = tmp_path / "q.tsv"
    path.write_text("c0\t1\n" + "".join(f"c{j}\t1e-30\n" for j in range(1, V)))
    sampler = build("file", {"path": str(path)}, num_samples=V - 1, replacement=False)
    candidates = sampler.draw(batch_of(2), 1, 0, 0)
    assert candidates.counts[0] == V - 1
    assert np.isfinite(candidates.log_expected_count[0]).all()


@settings(deadline=None, max_examples=25)
@given(
    scores=st.lists(st.floats(-2, 2), min_size=4, max_size=8),
    target=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_the_estimated_partition_is_unbiased_for_any_scores(
    scores: list[float], target: int, seed: int
) -> None:
    num_classes = len(scores)
    sampler = build("uniform", {}, num_classes, num_samples=3, share="example")
    candidates = sampler.draw(batch_of(1500, num_classes), seed, 0, 0)
    estimates = []
    for i in range(1500):
        classes = drawn(candidates, i)
        log_counts = np.full(3, np.log(3 / num_classes))
        estimates.append(partition_estimate(np.array(scores), target, classes, log_counts))
    error = np.mean(estimates) - np.exp(scores).sum()
    assert abs(error) <= 4.5 * np.std(estimates) / np.sqrt(1500) + 1e-9


def test_a_class_without_probability_is_named(tmp_path: Path) -> None:
    path = tmp_path / "q.tsv"
    path.write_text("".join(f"c{j}\t1\n" for j in range(V) if j != 17) + "c17\t0\n")
    with pytest.raises(UserError, match=r"'c17' of the training set zero probability"):
        build("file", {"path": str(path)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c0 0.5\n", r"q.tsv:1: no probability; found 'c0 0.5'; expected label TAB probability"),
        ("c0\t0.5\nc1\t-1\n", r"q.tsv:2: no probability"),
        ("c0\tnan\n", r"q.tsv:1: no probability"),
        ("c0\t1\n\nc0\t1\n", r"q.tsv:3: label 'c0' stands in line 1 already"),
    ],
)
def test_a_file_that_does_not_parse(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text(text)
    with pytest.raises(UserError, match=message):
        build("file", {"path": str(tmp_path / "q.tsv")})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.tsv: cannot read it: No such file"):
        build("file", {"path": str(tmp_path / "none.tsv")})


def test_a_file_with_a_byte_order_mark_and_other_spellings_of_numbers(tmp_path: Path) -> None:
    vocabulary = make_vocabulary(3, D)
    vocabulary.classes[:] = ["0", "-1", "12"]
    (tmp_path / "q.tsv").write_text("\ufeff0.0\t1e-1\r\n-1\t.3\r\n1.2e1\t0.6", encoding="utf-8")
    config = make_config(sampler={"type": "file", "path": str(tmp_path / "q.tsv")})
    sampler = make_sampler(config, vocabulary)
    np.testing.assert_allclose(np.exp(sampler.table.log_q), [0.1, 0.3, 0.6])


def test_a_file_of_other_labels(tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text("other\t1\n")
    part = {"type": "file", "path": str(tmp_path / "q.tsv")}
    message = (
        r"sampler: file gives no class of the training set any probability, class 'c0' for one"
    )
    with pytest.raises(UserError, match=message):
        build("file", {"path": part["path"]})
    with pytest.raises(UserError, match=message):
        build("mixture", {"parts": [{"weight": 1, **part}, {"weight": 1, "type": "uniform"}]})
