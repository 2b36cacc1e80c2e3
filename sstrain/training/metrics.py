"""metrics.jsonl: what a run measured, one JSON object a line."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from sstrain.disk import disk_reason
from sstrain.errors import FailureError, UserError

__all__ = ["MetricsSink", "finite", "read_metrics"]


class MetricsSink:
    """Appends lines to a file; a line is in the file as soon as it is written.

    Parameters
    ----------
    path : Path
        Created if it does not exist.

    Raises
    ------
    FailureError
        If the file cannot be written, here or later.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line.

        Parameters
        ----------
        line : mapping
            JSON values and numpy scalars; a number that is not finite becomes null.
        """
        text = json.dumps(finite(line), ensure_ascii=False, allow_nan=False)
        content = (text + "\n").encode()
        try:
            while content:
                content = content[self._file.write(content) :]
        except OSError as error:
            raise self._failure(error) from error

    def position(self) -> int:
        """Return the file's length in bytes, once all of them are on the disk."""
        try:
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise self._failure(error) from error

    def truncate(self, position: int) -> None:
        """Cut off the lines after a position, and a line that a kill cut short before it."""
        try:
            self._file.truncate(min(position, os.fstat(self._file.fileno()).st_size))
            content = self.path.read_bytes()
            self._file.truncate(content.rfind(b"\n") + 1)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _failure(self, error: OSError) -> FailureError:
        return FailureError(f"{self.path}: cannot be written: {disk_reason(error)}")


def finite(value: Any) -> Any:
    """Return JSON values for JSON values and numpy scalars; what is not finite becomes None."""
    match value:
        case Mapping():
            return {str(key): finite(item) for key, item in value.items()}
        case list() | tuple():
            return [finite(item) for item in value]
        case np.generic():
            return finite(value.item())
        case float() if not math.isfinite(value):
            return None
    return value


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read a run's metrics, without a last line that is still being written.

    Returns
    -------
    list of dict
        The lines in their order; none if there is no file yet.

    Raises
    ------
    UserError
        If the file cannot be read, or a line is no JSON object.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    lines = content.split(b"\n")[:-1]  # what follows the last newline is no whole line
    return [_parsed(path, number, line) for number, line in enumerate(lines, 1)]


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UserError(
            f"{path}:{number}: no JSON object; found {line[:40].decode('utf-8', 'replace')!r}; "
            f"expected one object a line"
        )
    return value
