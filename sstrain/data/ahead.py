"""Work that is done ahead of who takes it, in a thread of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Generic, TypeVar

__all__ = ["ahead"]

_Item = TypeVar("_Item")

#: How long a thread is waited for that may hang in a read from a pipe.
_LONGEST_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class _Made(Generic[_Item]):
    item: _Item


@dataclass(frozen=True)
class _Ended:
    error: BaseException | None


def ahead(items: Iterator[_Item], depth: int = 1) -> Iterator[_Item]:
    """Yield what an iterator yields, which runs in a thread while its items are used.

    It pays where the iterator reads files, decompresses or calls kernels, all of which let other
    threads run. Order and errors are those of the iterator; where this one is closed early, so is
    the other.

    Parameters
    ----------
    items : iterator
        Used, and closed if it can be, by the thread alone.
    depth : int
        How many items may be ready that nobody has asked for yet; at least 1.
    """
    made: SimpleQueue[_Made[_Item] | _Ended] = SimpleQueue()
    room, stopped = Semaphore(depth - 1), Event()
    # A daemon: one that waits for a pipe must not keep an interrupted program alive.
    thread = Thread(target=_make, args=(items, made, room, stopped), daemon=True)
    thread.start()
    try:
        while isinstance(result := made.get(), _Made):
            room.release()
            yield result.item
        if result.error is not None:
            raise result.error
    finally:
        stopped.set()
        room.release()
        thread.join(_LONGEST_WAIT_SECONDS)


def _make(
    items: Iterator[_Item],
    made: "SimpleQueue[_Made[_Item] | _Ended]",
    room: Semaphore,
    stopped: Event,
) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            made.put(_Made(item))
            room.acquire()
            if stopped.is_set():
                break
        if close := getattr(items, "close", None):
            close()
    except BaseException as raised:
        error = raised
    made.put(_Ended(error))
