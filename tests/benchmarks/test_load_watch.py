"""What a watch over the machine's load says, by what the system counts."""

import os
import time
from collections.abc import Callable
from types import SimpleNamespace

import load
import psutil
import pytest

Spend = Callable[..., None]


@pytest.fixture
def spend(monkeypatch: pytest.MonkeyPatch) -> Spend:
    """Let seconds pass on a machine of two cores, at first idle."""
    states = {"user": 50.0, "system": 5.0, "idle": 900.0, "iowait": 3.0, "steal": 0.0, "guest": 9.0}
    process = {"wall": 10.0, "own": 1.0}

    def spend(wall: float, own: float = 0.0, **others: float) -> None:
        process["wall"] += wall
        process["own"] += own
        states["user"] += own
        for state, seconds in others.items():
            states[state] += seconds

    monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(_asdict=states.copy))
    monkeypatch.setattr(psutil, "getloadavg", lambda: (1.25, 0.0, 0.0))
    monkeypatch.setattr(time, "monotonic", lambda: process["wall"])
    monkeypatch.setattr(os, "times", lambda: (process["own"], 0.0, 0.0, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    return spend


def test_a_machine_of_its_own(spend: Spend) -> None:
    with load.LoadWatch() as watch:
        spend(wall=10, own=18, idle=2)
    assert watch.others == 0
    assert watch.warning() is None


@pytest.mark.parametrize("state", ["user", "system", "steal"])
def test_others_are_counted(spend: Spend, state: str) -> None:
    with load.LoadWatch() as watch:
        spend(wall=10, own=9, **{state: 4.0})
    assert watch.others == pytest.approx(0.2)
    assert "20%" in str(watch.warning())
    assert "1.2" in str(watch.warning())
    assert watch.warning(most=0.25) is None


@pytest.mark.parametrize("state", ["idle", "iowait", "guest"])
def test_idle_time_and_what_is_counted_elsewhere_are_not(spend: Spend, state: str) -> None:
    with load.LoadWatch() as watch:
        spend(wall=10, **{state: 6.0})
    assert watch.others == 0


def test_what_comes_before_and_after_is_not_counted(spend: Spend) -> None:
    spend(wall=5, user=9)
    with load.LoadWatch() as watch:
        spend(wall=5, user=1)
        assert watch.others == pytest.approx(0.1)
        spend(wall=5)
    spend(wall=5, user=9)
    assert watch.others == pytest.approx(0.05)


def test_no_time_at_all(spend: Spend) -> None:
    with load.LoadWatch() as watch:
        pass
    assert watch.others == 0
