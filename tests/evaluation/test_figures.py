"""Figures of quality against plain float64 references."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import metrics as reference

from sstrain import kernels
from sstrain.evaluation.metrics import BANDS, Predictions, band_of_class, figures

Floats = NDArray[np.float64]


def predicted(
    scores: NDArray[np.float32],
    targets: NDArray[np.int32],
    weights: NDArray[Any] | None = None,
) -> Predictions:
    """Return what the kernel finds in the scores of examples, of weight 1 by default."""
    count = len(scores)
    log_partitions, ranks = np.empty(count), np.empty(count, np.int64)
    highest = np.empty(count, np.float32)
    kernels.evaluate_rows(scores, targets, log_partitions, ranks, highest)
    target_scores = np.where(targets >= 0, scores[np.arange(count), targets], np.nan)
    return Predictions(
        targets,
        log_partitions - target_scores,
        ranks,
        np.exp(highest - log_partitions),
        np.ones(count, np.float32) if weights is None else weights.astype(np.float32),
    )


def assert_equal(found: dict[str, Any], expected: dict[str, float]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if math.isnan(value):
            assert found[name] is None, name
        else:
            assert found[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_examples=st.integers(1, 70),
    num_classes=st.integers(1, 40),
    scale=st.sampled_from([0.0, 1.0, 30.0]),
    whole=st.booleans(),
)
def test_figures_equal_the_reference(
    seed: int, num_examples: int, num_classes: int, scale: float, whole: bool
) -> None:
    rng = np.random.default_rng(seed)
    scores = (scale * rng.normal(size=(num_examples, num_classes))).astype(np.float32)
    if whole:
        scores = np.round(scores)  # many ties
    targets = rng.integers(-1, num_classes, num_examples).astype(np.int32)
    found = figures(predicted(scores, targets), (1, 2, 5, 100))
    exact = scores.astype(float)
    expected = reference.evaluate(exact, targets.astype(np.int64), (1, 2, 5, 100))
    if whole or scale == 0:
        # Examples of equal confidence have no order of their own: rounding sorts them.
        del found["ece"], expected["ece"]
    assert_equal(found, expected)


@pytest.mark.parametrize("num_examples", [1, 14, 15, 16, 44, 45, 100])
def test_calibration_error_has_bins_of_equal_mass(num_examples: int) -> None:
    rng = np.random.default_rng(num_examples)
    scores = rng.normal(size=(num_examples, 5)).astype(np.float32)
    targets = rng.integers(0, 5, num_examples).astype(np.int32)
    expected = reference.expected_calibration_error(scores.astype(float), targets.astype(np.int64))
    assert figures(predicted(scores, targets), ())["ece"] == pytest.approx(expected, abs=1e-6)


def test_a_calibrated_model_has_a_small_calibration_error() -> None:
    rng = np.random.default_rng(3)
    confidences = rng.uniform(0.2, 1, 150_000)
    correct = rng.random(150_000) < confidences
    ranks = np.where(correct, 1, 2)
    targets = np.zeros(150_000, np.int32)
    ones = np.ones(150_000, np.float32)
    losses = -np.log(confidences)
    right = figures(Predictions(targets, losses, ranks, confidences, ones), ())
    sure = figures(Predictions(targets, losses, ranks, np.ones(150_000), ones), ())
    assert right["ece"] < 0.01
    assert sure["ece"] == pytest.approx(0.4, abs=0.01)


@given(seed=st.integers(0, 2**32 - 1), num_examples=st.integers(1, 70))
def test_examples_of_weight_1_have_plain_means_to_the_bit(seed: int, num_examples: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(num_examples, 9)).astype(np.float32)
    targets = rng.integers(-1, 9, num_examples).astype(np.int32)
    targets[0] = 3
    examples = predicted(scores, targets)
    found, known = figures(examples, (2,)), targets >= 0
    order = np.argsort(examples.confidences, kind="stable")
    right = known & (examples.ranks == 1)
    gaps = [
        abs(float(right[part].sum()) - float(examples.confidences[part].sum()))
        for part in np.split(order, np.arange(1, 15) * num_examples // 15)
    ]
    assert found["log_loss"] == examples.losses[known].mean()
    assert found["top_2"] == (known & (examples.ranks <= 2)).mean()
    assert found["mrr"] == np.where(known, 1 / examples.ranks, 0).mean()
    assert found["ece"] == sum(gaps) / num_examples


@given(seed=st.integers(0, 2**32 - 1), num_examples=st.integers(2, 30))
def test_an_example_of_weight_2_counts_as_two(seed: int, num_examples: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(num_examples, 9)).astype(np.float32)
    targets = rng.integers(-1, 9, num_examples).astype(np.int32)
    weights = rng.integers(0, 4, num_examples)
    targets[0], weights[0] = 3, 1
    found = figures(predicted(scores, targets, weights / 8), (1, 3))
    repeated = np.repeat(np.arange(num_examples), weights)
    expected = figures(predicted(scores[repeated], targets[repeated]), (1, 3))
    assert found.pop("num_examples") == num_examples
    # Bins hold whole examples, so that repeated ones may part at a border.
    del found["ece"], expected["num_examples"], expected["ece"]
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("num_examples", [1, 14, 15, 16, 100])
def test_calibration_error_has_bins_of_equal_weight(num_examples: int) -> None:
    rng = np.random.default_rng(num_examples)
    scores = rng.normal(size=(num_examples, 5)).astype(np.float32)
    targets = rng.integers(-1, 5, num_examples).astype(np.int32)
    weights = rng.integers(1, 9, num_examples)
    examples = predicted(scores, targets, weights)
    gaps, before = dict.fromkeys(range(15), 0.0), 0
    for i in sorted(range(num_examples), key=lambda i: examples.confidences[i]):
        before += int(weights[i])
        # The bin whose end is the first at or beyond the weight so far.
        end = next(b for b in range(1, 16) if b == 15 or before * 15 <= b * weights.sum())
        right = targets[i] == np.argmax(scores[i])
        gaps[end - 1] += weights[i] * (float(right) - examples.confidences[i])
    expected = sum(map(abs, gaps.values())) / weights.sum()
    assert figures(examples, ())["ece"] == pytest.approx(expected, rel=1e-12)


def test_examples_without_weight_count_for_nothing() -> None:
    scores, targets = np.eye(3, 4, dtype=np.float32), np.array([1, 1, 2], np.int32)
    found = figures(predicted(scores, targets, np.array([0, 1, 0])), (1,))
    expected = figures(predicted(scores[1:2], targets[1:2]), (1,))
    assert {**found, "num_examples": 1} == expected
    found = figures(predicted(scores, targets, np.zeros(3)), (1,))
    assert found.pop("num_examples") == 3
    assert set(found.values()) == {None}


def test_nothing_to_take_a_mean_of() -> None:
    found = figures(predicted(np.empty((0, 4), np.float32), np.empty(0, np.int32)), (1,))
    assert found == {
        "num_examples": 0,
        "log_loss": None,
        "perplexity": None,
        "top_1": None,
        "mrr": None,
        "ece": None,
    }


def test_a_perplexity_beyond_float64_is_none_without_a_warning() -> None:
    scores, targets = np.array([[0, 2000]], np.float32), np.zeros(1, np.int32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = figures(predicted(scores, targets), (1,))
    assert found["log_loss"] == pytest.approx(2000)
    assert found["perplexity"] is None


counts = st.lists(st.integers(1, 1000), min_size=1, max_size=60)


@given(counts.map(lambda found: sorted(found, reverse=True)))
def test_bands_equal_the_reference(class_counts: list[int]) -> None:
    found = band_of_class(np.array(class_counts))
    names = [list(BANDS)[band] for band in found]
    assert names == reference.bands(np.array(class_counts))


@pytest.mark.parametrize("scale", [1, 3, 7, 10**9 + 7])
def test_a_class_at_the_very_border_belongs_to_the_next_band(scale: int) -> None:
    shares = np.array([30, 20, 20, 10, 10, 5, 5]) * scale
    assert band_of_class(shares).tolist() == [0, 0, 1, 1, 1, 2, 2]


def test_all_examples_of_one_class_are_head() -> None:
    assert band_of_class(np.array([9])).tolist() == [0]


def direct_log_loss(scores: Floats, target: int) -> float:
    top = float(scores.max())
    return top + math.log(math.fsum(math.exp(z - top) for z in scores)) - float(scores[target])


@pytest.mark.parametrize("shape", [np.zeros_like, np.sort, lambda z: z * 100])
def test_the_log_partition_of_a_million_classes(shape: Callable[[Floats], Floats]) -> None:
    scores = shape(np.random.default_rng(2).normal(size=1_000_000)).astype(np.float32)
    found = predicted(scores[np.newaxis], np.array([17], np.int32)).losses[0]
    assert found == pytest.approx(direct_log_loss(scores.astype(float), 17), rel=1e-6)
