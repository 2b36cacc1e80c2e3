"""The importance objective's kernel against the float64 reference."""

from typing import Any

import numpy as np
import pytest
from reference.importance import importance, log_counts_resample, log_counts_with_replacement
from small import make_candidates, make_examples

from sstrain import kernels
from sstrain.objectives.importance import Importance

V, K, B = 12, 9, 30


def merged(drawn: np.ndarray, log_counts: np.ndarray) -> tuple[Any, ...]:
    """Return distinct classes, multiplicities and log counts, padded to K."""
    classes, first, times = np.unique(drawn, return_index=True, return_counts=True)
    padded = np.zeros((3, K))
    padded[:, : len(classes)] = classes, times, log_counts[first]
    return padded[0].astype(np.int32), padded[1], padded[2], len(classes)


@pytest.mark.parametrize(
    ("hits", "share"),
    [
        ("drop", "batch"),
        ("keep", "batch"),
        ("drop", "example"),
        ("keep", "example"),
        ("resample", "example"),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_losses_and_gradients_equal_the_reference(hits: str, share: str, scale: float) -> None:
    rng = np.random.default_rng(5)
    q = rng.dirichlet(np.full(V, 0.5))
    targets = rng.integers(0, V, B).astype(np.int32)
    weights = rng.uniform(0.5, 2, B).astype(np.float32)
    scores_all = (scale * rng.normal(size=(B, V))).astype(np.float32)
    groups = 1 if share == "batch" else B
    drawn = np.empty((groups, K), np.int64)
    counts = []
    for g in range(groups):
        p = q.copy()
        if hits == "resample":
            p[targets[g]] = 0
        drawn[g] = rng.choice(V, K, p=p / p.sum())
        counts.append(
            log_counts_resample(q, drawn[g], int(targets[g]))
            if hits == "resample"
            else log_counts_with_replacement(q, drawn[g])
        )
    columns = [merged(drawn[g], counts[g]) for g in range(groups)]
    candidates = make_candidates(
        classes=np.array([c[0] for c in columns]),
        multiplicity=np.array([c[1] for c in columns], np.float32),
        log_expected_count=np.array([c[2] for c in columns], np.float32),
        counts=np.array([c[3] for c in columns], np.int32),
    )
    hit_places = np.empty(B, np.int32)
    kernels.find_hits(candidates, targets, hit_places)
    scores = np.zeros((B, K), np.float32)
    for i in range(B):
        scores[i] = scores_all[i, candidates.classes[0 if groups == 1 else i]]
    losses, d_targets = np.empty(B), np.empty(B, np.float32)
    d_scores = np.empty((B, K), np.float32)
    target_scores = scores_all[np.arange(B), targets]
    bad = Importance(accidental_hits=hits).gradient(  # type: ignore[arg-type]
        target_scores,
        scores,
        candidates,
        hit_places,
        make_examples(weights),
        {},
        losses,
        d_targets,
        d_scores,
    )
    assert bad == 0
    for i in range(B):
        g = 0 if groups == 1 else i
        # The reference takes the counts as the kernel has them, in float32.
        log_counts = counts[g].astype(np.float32).astype(np.float64)
        expected = importance(
            scores_all[i].astype(np.float64), int(targets[i]), drawn[g], log_counts, hits
        )
        found = np.zeros(V)
        found[targets[i]] += d_targets[i]
        for k in range(candidates.counts[g]):
            found[candidates.classes[g, k]] += d_scores[i, k]
        share_of_batch = weights[i] / B
        # Differences of scores of 1e4 are themselves only known to the spacing of float32 there.
        spacing = float(np.spacing(np.float32(4 * scale)))
        np.testing.assert_allclose(losses[i], expected.loss, rtol=2e-6, atol=spacing)
        np.testing.assert_allclose(
            found, share_of_batch * expected.d_scores, rtol=2e-5, atol=share_of_batch * spacing
        )


def test_tiny_probabilities_and_huge_scores_stay_finite() -> None:
    candidates = make_candidates(
        classes=np.array([[1, 2]], np.int32),
        multiplicity=np.ones((1, 2), np.float32),
        log_expected_count=np.array([[np.log(2e-30), np.log(1.0)]], np.float32),
        counts=np.array([2], np.int32),
    )
    losses, d_targets = np.empty(2), np.empty(2, np.float32)
    d_scores = np.empty((2, 2), np.float32)
    bad = Importance().gradient(
        np.array([1e4, -1e4], np.float32),
        np.array([[-1e4, 1e4], [1e4, 0]], np.float32),
        candidates,
        np.array([-1, -1], np.int32),
        make_examples(np.ones(2, np.float32)),
        {},
        losses,
        d_targets,
        d_scores,
    )
    assert bad == 0
    for array in (losses, d_targets, d_scores):
        assert np.isfinite(array).all()


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_counted(poison: float) -> None:
    candidates = make_candidates(
        classes=np.array([[1]], np.int32),
        multiplicity=np.ones((1, 1), np.float32),
        log_expected_count=np.zeros((1, 1), np.float32),
        counts=np.array([1], np.int32),
    )
    scores = np.array([[0], [poison], [0]], np.float32)
    targets = np.array([0, 0, poison], np.float32)
    bad = Importance().gradient(
        targets,
        scores,
        candidates,
        np.full(3, -1, np.int32),
        make_examples(np.ones(3, np.float32)),
        {},
        np.empty(3),
        np.empty(3, np.float32),
        np.empty((3, 1), np.float32),
    )
    assert bad == 2
