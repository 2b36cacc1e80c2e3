"""What a thread makes ahead: in order, so many at a time, with its errors, and closed."""

import threading
import time
from collections.abc import Iterator

import pytest

from sstrain.data.ahead import ahead


class Numbers:
    """Counts up, and keeps what happened to it."""

    def __init__(self, end: int = 10, error: Exception | None = None) -> None:
        self.made = 0
        self.closed_in: int | None = None
        self._end, self._error = end, error

    def items(self) -> Iterator[int]:
        try:
            while self.made < self._end:
                self.made += 1
                yield self.made
            if self._error:
                raise self._error
        finally:
            self.closed_in = threading.get_ident()


def wait_for(numbers: Numbers, made: int) -> None:
    deadline = time.monotonic() + 10
    while numbers.made < made and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)  # so that one too many would show


def test_items_come_in_order_and_the_thread_ends() -> None:
    before = threading.active_count()
    numbers = Numbers(1000)
    assert list(ahead(numbers.items())) == list(range(1, 1001))
    assert numbers.closed_in not in (None, threading.get_ident())
    assert threading.active_count() == before
    assert list(ahead(iter([]))) == []


@pytest.mark.parametrize("depth", [1, 3])
def test_only_so_many_are_made_ahead(depth: int) -> None:
    numbers = Numbers()
    items = ahead(numbers.items(), depth)
    for taken in range(1, 5):
        assert next(items) == taken
        wait_for(numbers, taken + depth)
        assert numbers.made == taken + depth
    items.close()  # type: ignore[attr-defined]


def test_an_error_comes_after_the_items_before_it() -> None:
    items = ahead(Numbers(2, ValueError("broken")).items())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(items)
    with pytest.raises(StopIteration):
        next(items)


def test_closing_it_early_closes_the_other() -> None:
    before = threading.active_count()
    numbers = Numbers(10**9)
    for item in ahead(numbers.items()):
        if item == 5:
            break
    deadline = time.monotonic() + 10
    while numbers.closed_in is None and time.monotonic() < deadline:
        time.sleep(0.001)
    assert numbers.closed_in is not None
    assert numbers.made <= 7
    assert threading.active_count() == before


def test_nothing_runs_before_the_first_item_is_asked_for() -> None:
    numbers = Numbers()
    items = ahead(numbers.items())
    time.sleep(0.01)
    assert numbers.made == 0
    assert next(items) == 1


def test_a_thread_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sstrain.data.ahead._LONGEST_WAIT_SECONDS", 0.05)
    release = threading.Event()

    def hanging() -> Iterator[int]:
        yield 1
        release.wait(10)

    items = ahead(hanging())
    assert next(items) == 1
    items.close()  # type: ignore[attr-defined]
    release.set()
