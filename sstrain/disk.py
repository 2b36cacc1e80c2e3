"""Files that are on the disk whole or not at all."""

import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sstrain.errors import UserError

__all__ = [
    "disk_reason",
    "placing_folder",
    "read_json",
    "replacing",
    "sync",
    "write_json",
    "write_text",
]

_PARTIAL = ".partial-"
#: Younger ones may be about to be locked.
_STALE_SECONDS = 60


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to, whose file takes the place of ``path`` when the block ends.

    A kill at any moment leaves the old file or the new one, never a part of one. After an error in
    the block the old file stays.

    Parameters
    ----------
    path : Path
        The file to be replaced or created.

    Yields
    ------
    Path
        A hidden file beside it.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


@contextmanager
def placing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill, which takes the name ``path`` when the block ends.

    A kill at any moment leaves no folder of that name, or all of it; what it leaves under another
    name, the next call removes. After an error in the block nothing is left. If another process
    was first, its folder stays.

    Parameters
    ----------
    path : Path
        Where the folder is to be; there must be none.

    Yields
    ------
    Path
        A hidden folder beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path.parent)
    temporary = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=path.parent))
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # ends with the process, however it ends
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        sync(temporary)
        try:
            os.rename(temporary, path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)
    sync(path.parent)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _remove_stale(folder: Path) -> None:
    """Remove what killed processes were writing."""
    for path in folder.glob(f"{_PARTIAL}*"):
        try:
            if time.time() - path.stat().st_mtime < _STALE_SECONDS:
                continue
            descriptor = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)
        except OSError:
            continue  # another's, or gone meanwhile


def write_text(path: Path, text: str) -> None:
    """Replace a file by a text in UTF-8, with newlines as they are."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Replace a file by one JSON value; a number that is not finite is a `ValueError`."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises
    ------
    UserError
        If the file cannot be read, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged: it holds no JSON") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: damaged: expected a JSON object; got {type(value).__name__}")
    return value


def disk_reason(error: OSError) -> str:
    """Return in plain words why something could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    if error.errno == errno.EFBIG:
        return "the file would be larger than is allowed here"
    return error.strerror or str(error)
