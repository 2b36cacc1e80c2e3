"""Files that are on the disk whole or not at all."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sstrain.errors import UserError

__all__ = ["disk_reason", "read_json", "replacing", "sync", "write_json", "write_text"]


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
