"""Learning rates against the reference, docs/derivation.md (26)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.schedules import learning_rate as reference

from sstrain.optim import NEEDS_LENGTH, SCHEDULES, learning_rate
from sstrain.optim.schedules import Schedule

spans = st.tuples(st.integers(1, 10**6), st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))


@given(st.sampled_from(list(SCHEDULES)), st.floats(1e-6, 1e3), spans)
def test_rates_equal_the_reference(
    schedule: Schedule, peak: float, span: tuple[int, int, float]
) -> None:
    total, warmup, place = span
    step = int(place * total)
    found = learning_rate(schedule, peak, step, total, warmup)
    assert found == pytest.approx(reference(schedule, peak, step, total, warmup), abs=1e-12)
    assert 0 <= found <= peak * (1 + 1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warming_up_rises_evenly_to_the_peak(schedule: Schedule) -> None:
    rates = [learning_rate(schedule, 0.5, step, 100, 4) for step in range(5)]
    assert rates[:4] == [0.125, 0.25, 0.375, 0.5]
    assert rates[4] == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 10])
def test_after_the_warm_up_rates_never_rise(schedule: Schedule, warmup: int) -> None:
    rates = [learning_rate(schedule, 1.0, step, 100, warmup) for step in range(warmup, 100)]
    assert rates[0] == pytest.approx(1, rel=0.1)
    assert all(later <= earlier for earlier, later in pairwise(rates))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_needs_the_length_of_the_run_says_so(schedule: Schedule) -> None:
    short, long = (learning_rate(schedule, 1.0, 50, total, 0) for total in (100, 1000))
    assert (short != long) == (schedule in NEEDS_LENGTH)


@pytest.mark.parametrize("schedule", sorted(NEEDS_LENGTH))
def test_the_rate_falls_to_nothing_at_the_end(schedule: Schedule) -> None:
    assert 0 < learning_rate(schedule, 1.0, 999, 1000, 0) < 0.002
    assert learning_rate(schedule, 1.0, 1000, 1000, 0) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_run_that_is_all_warm_up_or_one_step_has_a_rate(schedule: Schedule) -> None:
    assert learning_rate(schedule, 0.5, 0, 1, 0) == 0.5
    assert learning_rate(schedule, 0.5, 3, 4, 4) == 0.5
    assert learning_rate(schedule, 0.5, 0, 3, 10) == pytest.approx(0.05)
