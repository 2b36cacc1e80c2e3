"""What a folder of arrays holds, with the size and SHA-256 of each file."""

from pathlib import Path
from typing import Any

from sstrain.data.array_files import FileRecord, record_of
from sstrain.data.wording import shown
from sstrain.disk import read_json, sync, write_json
from sstrain.errors import UserError

__all__ = ["MANIFEST", "file_records", "read_manifest", "verify", "write_manifest"]

MANIFEST = "manifest.json"

#: Of the layout of folders; one of another version is not read.
_VERSION = 1


def file_records(folder: Path) -> dict[str, FileRecord]:
    """Return the record of every file of a folder, by its path in it, once they are on the disk."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in {*files, *(path.parent for path in files)}:
        sync(path)
    return {path.relative_to(folder).as_posix(): record_of(path) for path in files}


def write_manifest(
    folder: Path, kind: str, content: dict[str, Any], records: dict[str, FileRecord]
) -> None:
    """Write the manifest of a folder, which says that the folder is whole.

    Parameters
    ----------
    folder : Path
    kind : str
        What the folder is.
    content : dict
        What is to be known of it, as JSON values.
    records : dict
        The record of each file by its path in the folder.
    """
    files = dict(sorted(records.items()))
    head = {"format": f"sstrain {kind}", "version": _VERSION}
    write_json(folder / MANIFEST, {**head, **content, "files": files})


def read_manifest(folder: Path, kind: str) -> dict[str, Any]:
    """Return what `write_manifest` wrote, once every file is there and has its size.

    Raises
    ------
    UserError
        If the folder is none of this kind, is from another version, or lacks a part.
    """
    path = folder / MANIFEST
    manifest = read_json(path)
    if manifest.get("format") != f"sstrain {kind}":
        raise UserError(
            f"{folder}: is no {kind}; found {shown(manifest.get('format'))} in {MANIFEST}"
        )
    if manifest.get("version") != _VERSION:
        raise UserError(
            f"{folder}: is from another version of sstrain; found "
            f"{shown(manifest.get('version'))}; expected {_VERSION}; make it again"
        )
    for name, record in _records(path, manifest).items():
        size = (folder / name).stat().st_size if (folder / name).is_file() else None
        if size != record["bytes"]:
            raise UserError(_damage(folder / name, size, record))
    return manifest


def verify(folder: Path) -> list[str]:
    """Return a message for each file of a folder that is not as its manifest says.

    Raises
    ------
    UserError
        If the manifest itself cannot be read.
    """
    path = folder / MANIFEST
    problems = []
    for name, record in _records(path, read_json(path)).items():
        try:
            found = record_of(folder / name)
        except OSError as error:
            problems.append(f"{folder / name}: cannot be read; {error.strerror}")
            continue
        if found["bytes"] != record["bytes"]:
            problems.append(_damage(folder / name, found["bytes"], record))
        elif found["sha256"] != record["sha256"]:
            problems.append(f"{folder / name}: damaged; its SHA-256 is not that of {MANIFEST}")
    return problems


def _records(path: Path, manifest: dict[str, Any]) -> dict[str, FileRecord]:
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(map(_is_record, files.items())):
        raise UserError(f"{path}: damaged; expected the size and SHA-256 of each file")
    return files


def _is_record(item: tuple[str, Any]) -> bool:
    match item:
        case str(name), {"bytes": int(size), "sha256": str()}:
            # A manifest that someone sent must not reach outside its folder.
            is_inside = not name.startswith("/") and ".." not in name.split("/")
            return is_inside and name.isprintable() and len(name) < 100 and 0 <= size < 2**63
    return False


def _damage(path: Path, size: int | None, record: FileRecord) -> str:
    found = "no such file" if size is None else f"{size:,} bytes"
    return f"{path}: damaged; found {found}; expected {record['bytes']:,} bytes"
