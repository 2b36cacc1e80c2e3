"""What is made of measured samplers: the samples that suffice, and the quickest step of those."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstrain.training.trials import (
    Figures,
    Quality,
    Trial,
    cheapest,
    samples_for,
    wanted_quality,
)

V = 10_000


def trial(
    name: str, errors: list[float], seconds: list[float], biases: tuple[float, ...] = (0, 0, 0)
) -> Trial:
    figures = [
        Figures(size, Quality(error, bias), 1.0, time)
        for size, error, bias, time in zip((16, 64, 256), errors, biases, seconds, strict=False)
    ]
    return Trial({"type": name}, tuple(figures), 0.1)


FALLING = trial("falling", [1.6, 0.4, 0.1], [1.0, 1.3, 2.5])
EXACT = trial("exact", [0.16, 0.04, 0.01], [3.0, 9.0, 33.0])
FLAT = trial("flat", [0.9, 0.88, 0.87], [0.5, 0.6, 0.7])


def error(most: float) -> Quality:
    """Return a quality that any bias has."""
    return Quality(most, 1.0)


def test_errors_between_the_measured_ones_follow_the_line_through_their_logs() -> None:
    assert FALLING.samples(error(0.4)) == pytest.approx(64)
    assert FALLING.samples(error(0.8)) == pytest.approx(32)
    assert FALLING.samples(error(0.05)) == pytest.approx(512)
    assert FALLING.samples(error(3.2)) == 16  # never fewer than the fewest measured
    assert samples_for(FALLING, error(0.41), V) == 64
    assert samples_for(FALLING, error(0.39), V) == 68


def test_an_error_that_more_samples_do_not_lower_is_not_reached() -> None:
    assert not FLAT.reaches(error(0.5), V)
    assert samples_for(FLAT, error(0.5), V) == 256
    assert FALLING.reaches(error(0.05), V)
    assert not FALLING.reaches(error(0.01), V)  # ten times as many as were measured
    assert not FALLING.reaches(error(0.05), 600)  # most of the classes


def test_a_bias_takes_samples_as_an_error_does() -> None:
    biased = trial("biased", [0.1, 0.05, 0.02], [1.0, 2.0, 5.0], (0.8, 0.4, 0.2))
    assert biased.samples(Quality(0.5, 1.0)) == 16
    assert biased.samples(Quality(0.5, 0.4)) == pytest.approx(64)
    assert biased.samples(Quality(0.02, 0.4)) == pytest.approx(256)
    assert biased.samples(Quality(0.5, 0.1)) == pytest.approx(1024)
    # Its step at 16 samples is quicker than the others', but biased.
    assert cheapest([biased, FALLING], Quality(0.4, 0.9), V) is biased
    assert cheapest([biased, FALLING], Quality(0.4, 0.3), V) is FALLING


def test_the_quality_of_64_samples_of_the_first_is_asked_for() -> None:
    first = trial("first", [1.6, 0.4, 0.1], [1.0, 1.3, 2.5], (0.5, 0.2, 0.1))
    assert wanted_quality(None, first) == Quality(0.4, 1.1 * 0.2)
    assert wanted_quality(0.01, first) == Quality(0.01, 1.1 * 0.2)
    assert samples_for(first, wanted_quality(None, first), V) == 64


def test_seconds_between_the_measured_sizes_follow_the_line_through_them() -> None:
    assert FALLING.seconds_at(16) == pytest.approx(1.0)
    assert FALLING.seconds_at(40) == pytest.approx(1.15)
    assert FALLING.seconds_at(448) == pytest.approx(3.7)
    assert trial("one", [1.0], [2.0]).seconds_at(99) == 2.0


def test_the_quickest_step_at_the_error_is_chosen() -> None:
    assert cheapest([FALLING, EXACT, FLAT], error(0.4), V) is FALLING  # 1.3 against 1.6 s or more
    assert cheapest([EXACT, FALLING], error(0.012), V) is EXACT  # the other takes 2,100 samples
    assert cheapest([FLAT, FALLING], error(0.95), V) is FLAT
    assert cheapest([FLAT, FALLING], error(1e-6), V) is FALLING  # none reaches it: the most exact


@given(
    st.lists(st.floats(1e-3, 10), min_size=1, max_size=3),
    st.tuples(*[st.floats(0, 1)] * 3),
    st.builds(Quality, st.floats(1e-3, 10), st.floats(0, 1)),
    st.integers(2, 10**6),
)
def test_any_figures_give_samples_that_can_be_drawn(
    errors: list[float], biases: tuple[float, ...], wanted: Quality, num_classes: int
) -> None:
    found = trial("any", errors, [1.0, 2.0, 3.0], biases)
    assert 1 <= samples_for(found, wanted, num_classes) <= max(256, num_classes)
    assert found.seconds_at(samples_for(found, wanted, num_classes)) > 0
