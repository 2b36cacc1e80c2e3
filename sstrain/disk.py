"""Files that are on the disk whole or not at all."""

import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sstrain.errors import UserError

__all__ = [
    "LOCKLESS",
    "disk_reason",
    "placing_folder",
    "read_json",
    "replacing",
    "replacing_all",
    "sync",
    "temporary_folder",
    "write_json",
    "write_text",
]

#: What is wrong where a file system, as some of a network, has no locks.
LOCKLESS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)

_PARTIAL = ".sstrain-partial-"
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
    with replacing_all([path]) as (temporary,):
        yield temporary


@contextmanager
def replacing_all(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Give paths to write to, whose files take the places of others once all of them are whole.

    As `replacing`, for files that belong together: after an error in the block all old ones stay.

    Parameters
    ----------
    paths : sequence of Path
        The files to be replaced or created, in this order.

    Yields
    ------
    list of Path
        A hidden file beside each.
    """
    temporaries = [path.with_name(f".{path.name}.partial") for path in paths]
    try:
        yield temporaries
        for temporary in temporaries:
            sync(temporary)
        for temporary, path in zip(temporaries, paths, strict=True):
            os.replace(temporary, path)
    except BaseException:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in paths}:
        sync(folder)


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Give an empty folder, which is removed when the block ends.

    What a kill leaves of it, the next call for the same parent removes.

    Parameters
    ----------
    parent : Path
        Made if it does not exist.

    Yields
    ------
    Path
        A hidden folder in it.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(parent)
    temporary = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=parent))
    try:
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            _lock_shared(descriptor)
            yield temporary
        finally:
            os.close(descriptor)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def placing_folder(path: Path, replace: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill, which takes the name ``path`` when the block ends.

    A kill at any moment leaves no folder of that name, or all of it. After an error in the block
    nothing is left.

    Parameters
    ----------
    path : Path
        Where the folder is to be.
    replace : bool
        Whether a folder that is there goes once the new one is whole; after an error it stays. If
        not, there must be none, and if another process was first, its folder stays.

    Yields
    ------
    Path
        A hidden folder beside it.
    """
    with temporary_folder(path.parent) as temporary:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        sync(temporary)
        if replace and os.path.lexists(path):
            _replace_folder(temporary, path)
        else:
            _rename_folder(temporary, path)
    sync(path.parent)


def _rename_folder(folder: Path, path: Path) -> None:
    try:
        os.rename(folder, path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _replace_folder(folder: Path, path: Path) -> None:
    # Not by a name that is swept: a kill between the two renames must not lose the old one.
    old = path.with_name(f".{path.name}.old-{folder.name.removeprefix(_PARTIAL)}")
    os.rename(path, old)
    try:
        os.rename(folder, path)
    except BaseException:
        os.rename(old, path)
        raise
    if old.is_symlink():
        old.unlink()
    else:
        shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _lock_shared(descriptor: int) -> None:
    """Take a lock that ends with the process, however it ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError as error:
        if error.errno not in LOCKLESS:
            raise


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
            continue  # another's, or gone meanwhile; without locks none can be told to be stale


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
