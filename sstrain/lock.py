"""A lock that one process holds on a folder, and that ends with the process however it ends."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sstrain.disk import LOCKLESS, disk_reason
from sstrain.errors import UserError

__all__ = ["locked"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a folder.

    Parameters
    ----------
    path : Path
        The lock's file, made if need be; while the lock is held it says by whom.

    Raises
    ------
    UserError
        If another holds it, or the file cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {disk_reason(error)}") from error
    try:
        _lock(descriptor, path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        try:
            yield
        finally:
            # Emptied rather than removed: another process may have opened it to try for the lock.
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace") or "another process"
        raise UserError(
            f"{path.parent}: {holder} is writing into it; wait for its end, or give another "
            f"--output"
        ) from error
    except OSError as error:
        if error.errno not in LOCKLESS:  # a run there is not refused
            raise
