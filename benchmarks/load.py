"""Whether a measurement had the machine to itself."""

import os
import time
from typing import NamedTuple, Self

import psutil

__all__ = ["LoadWatch"]

#: States in which a processor works for none of its processes.
_IDLE = {"idle", "iowait"}
#: On Linux these are counted in ``user`` and ``nice`` already.
_COUNTED_TWICE = {"guest", "guest_nice"}


class _Moment(NamedTuple):
    """What has been spent since the machine and this process started, in seconds of one core."""

    wall: float
    busy: float  # by all processes; what a hypervisor gave to other guests counts too
    own: float  # by this process and by those that it has started and waited for


def _now() -> _Moment:
    states = psutil.cpu_times()._asdict()
    busy = sum(states[name] for name in states.keys() - _IDLE - _COUNTED_TWICE)
    return _Moment(time.monotonic(), busy, sum(os.times()[:4]))


class LoadWatch:
    """Tells how much of the machine other processes used while a ``with`` statement ran.

    The system counts in hundredths of a second: watch for a second or longer. A child process
    counts as another until it has ended and been waited for.

    Examples
    --------
    >>> with LoadWatch() as load:
    ...     sum(range(10**8))
    >>> if load.warning():
    ...     print(load.warning())
    """

    def __init__(self) -> None:
        self._start = _now()
        self._stop: _Moment | None = None

    def __enter__(self) -> Self:
        self._start, self._stop = _now(), None
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop = _now()

    @property
    def others(self) -> float:
        """The share of all cores, from 0 to 1, that other processes used; so far, while it runs."""
        stop = self._stop or _now()
        busy, own = stop.busy - self._start.busy, stop.own - self._start.own
        available = (stop.wall - self._start.wall) * (os.cpu_count() or 1)
        return min(max(busy - own, 0.0) / available, 1.0) if available > 0 else 0.0

    def warning(self, most: float = 0.05) -> str | None:
        """Return a line that says how loaded the machine was, if others used more than a share."""
        if self.others <= most:
            return None
        return (
            f"warning: other processes used {self.others:.0%} of the cores meanwhile "
            f"(load average {psutil.getloadavg()[0]:.1f}); what was measured is too slow by about "
            "as much: measure again on an idle machine"
        )
