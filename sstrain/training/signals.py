"""Ctrl-C and SIGTERM while training: the first finishes the step, the second stops at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sstrain.errors import FailureError

__all__ = ["StopRequest", "StoppedError", "listening"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedError(FailureError):
    """A run that a signal stopped, with a checkpoint saved: exit code 130 or 143."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class StopRequest:
    """Which signal has asked the run to stop, if any has."""

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Note the first signal; a second one ends the process by itself."""
        self.signal_number = number
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Turn signals into a request while the body runs (in the main thread; elsewhere, never)."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = [signal.signal(number, request.receive) for number in _SIGNALS]
    try:
        yield request
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)
