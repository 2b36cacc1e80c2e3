"""What a checkpoint's folder must hold, with the size and SHA-256 of each file."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sstrain.disk import read_json, write_json
from sstrain.errors import UserError
from sstrain.training.format import FORMAT_VERSION, check_format_version

__all__ = ["MANIFEST", "FileRecord", "Manifest"]

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class FileRecord:
    """A file's length and its SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A checkpoint's table of contents.

    Attributes
    ----------
    best : int or None
        The step of the run's best checkpoint when this one was written.
    files : dict of str to FileRecord
        Every file but the manifest itself, by its name.
    """

    best: int | None
    files: dict[str, FileRecord]

    def write(self, folder: Path) -> None:
        """Put the manifest into a checkpoint's folder, in one go."""
        files = {name: vars(record) for name, record in sorted(self.files.items())}
        content = {"format_version": FORMAT_VERSION, "best": self.best, "files": files}
        write_json(folder / MANIFEST, content)

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """Read a folder's manifest; None where it is missing or damaged.

        Raises
        ------
        UserError
            If another version of the program wrote it.
        """
        try:
            content = read_json(folder / MANIFEST)
        except UserError:
            return None
        check_format_version(folder / MANIFEST, content)
        best, files = content.get("best"), content.get("files")
        if not (best is None or type(best) is int) or not isinstance(files, dict):
            return None
        records = {name: _record(value) for name, value in files.items() if _is_plain(name)}
        if len(records) != len(files) or None in records.values():
            return None
        return cls(best, {name: record for name, record in records.items() if record is not None})

    def damaged(self, folder: Path, names: Iterable[str]) -> list[str]:
        """Return which of some files are missing, not listed, or not as they were written."""
        return [name for name in names if not _is_whole(folder / name, self.files.get(name))]


def _is_plain(name: str) -> bool:
    # A manifest that someone sent must not reach outside its folder.
    return "/" not in name and "\0" not in name and name not in ("", ".", "..")


def _record(value: Any) -> FileRecord | None:
    match value:
        case {"bytes": int(length), "sha256": str(digest)}:
            return FileRecord(length, digest)
    return None


def _is_whole(path: Path, record: FileRecord | None) -> bool:
    try:
        if record is None or path.stat().st_size != record.bytes:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == record.sha256
    except OSError:
        return False
