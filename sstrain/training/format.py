"""The version of a run's folder."""

from pathlib import Path
from typing import Any

from sstrain.errors import UserError

__all__ = ["FORMAT_VERSION", "check_format_version"]

#: Raised whenever a folder written before could be misread; kept in environment.json and in every
#: checkpoint's manifest.
FORMAT_VERSION = 1


def check_format_version(path: Path, content: dict[str, Any]) -> None:
    """Refuse a folder that another version of the program laid out.

    Parameters
    ----------
    path : Path
        The file that ``content`` was read from.
    content : dict
        What it holds; its version stands under ``format_version``.

    Raises
    ------
    UserError
        If the version is missing or is not `FORMAT_VERSION`.
    """
    found = content.get("format_version")
    if found != FORMAT_VERSION or isinstance(found, bool):
        raise UserError(
            f"{path}: format version {found if found is not None else 'missing'}; this sstrain "
            f"reads version {FORMAT_VERSION}; use the sstrain that wrote the run, or train it again"
        )
