"""Figures at the end of training, and their slopes against K."""

from dataclasses import replace

import numpy as np
import pytest
from constructed_records import EXACT, arm, diverged
from measured_records import cell, comparison, diagnostics, figure
from scipy import stats

from sstrain.comparison.end_figures import Mean, Place, end_figures
from sstrain.comparison.records import CellRecord
from sstrain.comparison.slopes import PLACES, fit_slope, slopes

A = arm("unigram", 16)
VARIANCE = Place("batch", "weight", "relative_variance")


def known(value: float) -> Mean:
    return Mean(value, 0.9 * value, 1.1 * value, None)


def test_a_power_law_has_its_exponent() -> None:
    fit = fit_slope([(k, known(3 / k**0.75)) for k in (4, 16, 64, 256)])
    assert fit is not None
    assert fit.slope == pytest.approx(-0.75)
    assert fit.standard_error == pytest.approx(0, abs=1e-7)
    assert fit.at(9) == pytest.approx(3 / 9**0.75)
    assert fit.points == 4


def test_slope_and_error_are_those_of_a_linear_regression() -> None:
    sizes = np.array([8, 16, 64, 128, 512])
    values = 2 / sizes * np.exp(np.random.default_rng(1).normal(0, 0.2, 5))
    fit = fit_slope([(int(k), known(float(v))) for k, v in zip(sizes, values, strict=True)])
    expected = stats.linregress(np.log(sizes), np.log(values))
    assert fit is not None
    assert fit.slope == pytest.approx(expected.slope)
    assert fit.standard_error == pytest.approx(expected.stderr)
    assert fit.intercept == pytest.approx(expected.intercept)


def test_two_points_have_no_error_and_one_has_no_slope() -> None:
    two = fit_slope([(4, known(1.0)), (16, known(0.25))])
    assert two is not None
    assert two.slope == pytest.approx(-1)
    assert two.standard_error is None
    assert str(two) == "−1.00"
    assert fit_slope([(4, known(1.0))]) is None


def test_a_point_whose_interval_reaches_zero_is_left_out() -> None:
    unseen = Mean(0.0, 0.0, 0.9, None)
    vague = Mean(0.8, 0.0, 1.1, None)
    fit = fit_slope([(4, known(1.0)), (8, vague), (16, known(0.25)), (64, unseen)])
    assert fit is not None
    assert fit.points == 2
    assert fit.slope == pytest.approx(-1)
    assert str(fit_slope([(4, known(1.0)), (8, known(0.6)), (16, known(0.25))])) == "−1.00 ± 0.15"


def test_figures_are_means_over_seeds_at_the_references_weights() -> None:
    own = replace(cell(A, 1), diagnostics=diagnostics(A, 1, weights="own", value=1e3))
    figures = end_figures([*comparison(["unigram"], [16]), own])
    assert figures.weights == "reference"
    mean = figures.means[A][VARIANCE]
    assert mean.value == pytest.approx(2 / 16 * 1.02)
    assert mean.low == pytest.approx(0.9 * mean.value)
    assert mean.high == pytest.approx(1.1 * mean.value)
    assert mean.closed_form == pytest.approx(1.01 * mean.value)


def test_without_a_reference_figures_are_at_each_arms_own_weights_at_the_end() -> None:
    rows = [
        row
        for moment, value in (("start", 9.0), ("evaluation", 8.0), ("end", 2.0))
        for row in diagnostics(A, 1, weights="own", moment=moment, value=value)
    ]
    rows.append(
        figure(A, 1, "relative_variance", 5.0, "batch", "weight", weights="own", part="target")
    )
    figures = end_figures([replace(cell(A, 1), diagnostics=rows), diverged(A, 2)])
    assert figures.weights == "own"
    assert figures.means[A][VARIANCE].value == 2


def test_an_interval_that_is_not_known_is_its_value() -> None:
    row = figure(A, 1, "relative_variance", 5.0, "batch", "weight", low=None, high=None)
    figures = end_figures([replace(cell(EXACT, 1), diagnostics=[row])])
    assert figures.means[A][VARIANCE] == Mean(5, 5, 5, None)


def test_every_place_of_every_sampler_has_its_slope() -> None:
    found = slopes(comparison(sizes=(64, 4, 16)))
    assert len(found) == 3 * len(PLACES) == 24
    assert {row["sampler"] for row in found} == {"uniform", "unigram", "unigram(power=0.5)"}
    for row in found:
        assert row["slope"] == pytest.approx(-1)
        assert row["standard_error"] == pytest.approx(0, abs=1e-7)
        assert (row["weights"], row["points"]) == ("reference", 3)


def test_one_size_has_no_slopes() -> None:
    nothing: list[CellRecord] = []
    assert slopes(comparison(sizes=(16,))) == []
    assert slopes(nothing) == []


def test_closed_forms_are_taken_where_all_points_have_one() -> None:
    unseen = [(4, Mean(0.9, 0.0, 2.0, 1.0)), (16, Mean(0.0, 0.0, 1.0, 0.25))]
    fit = fit_slope(unseen)
    assert fit is not None
    assert fit.slope == pytest.approx(-1)
    assert fit_slope([unseen[0], (16, Mean(0.0, 0.0, 1.0, None))]) is None
