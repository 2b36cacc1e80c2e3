"""The splits of a data section, kept on the disk between runs and mapped by each."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sstrain.data import Source
from sstrain.data.dataset import Dataset
from sstrain.data.files import DataFile, describe_file, is_regular
from sstrain.data.loading import DataSection, Splits, read_splits
from sstrain.data.manifest import file_records, read_manifest, write_manifest
from sstrain.data.raw import Report
from sstrain.data.storage import InFolder, InMemory, Storage, read_dataset
from sstrain.data.vocabulary import Vocabulary
from sstrain.disk import disk_reason, placing_folder
from sstrain.errors import FailureError, UserError

__all__ = ["cache_folder", "load", "scratch"]

_KIND = "data cache"
#: Changed whenever the same files and options would give other arrays.
_READERS_VERSION = 1


def cache_folder() -> Path:
    """Return where caches are: ``SSTRAIN_DATA_CACHE``, else ``sstrain/data`` of the user's."""
    if folder := os.environ.get("SSTRAIN_DATA_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sstrain" / "data"


def load(data: DataSection, report: Report, use_cache: bool = True) -> Splits:
    """Return all data of a run, from the cache if the same files were read before.

    The splits and the order of their examples are the same in either case.

    Parameters
    ----------
    data : DataSection
    report : callable
        Takes notes for a person to read.
    use_cache : bool
        If not, and where something is piped in, all is kept in memory.

    Raises
    ------
    UserError
        As `read_splits`.
    FailureError
        If the disk is full; no half of a cache stays.
    """
    sources = _sources(data)
    paths = [path for source in sources for path in source.files()]
    if not use_cache or not all(is_regular(path) or os.path.isdir(path) for path in paths):
        return read_splits(data, report, InMemory())
    files = [describe_file(path) for path in paths]
    folder = cache_folder() / _key(data, files)
    if (splits := _found(folder, files, report)) is not None:
        return splits
    try:
        _make(folder, data, files, report)
    except PermissionError as error:
        report(f"no cache: {error.filename}: {error.strerror}; the data are kept in memory")
        return read_splits(data, report, InMemory())
    except OSError as error:
        raise FailureError(
            f"{folder}: cannot be written; {disk_reason(error)}; free some, set "
            "SSTRAIN_DATA_CACHE to a folder with room, or give --no-cache to keep data in memory"
        ) from None
    splits = _read(folder, files)
    size = _size(folder) / 1e6
    report(f"data read as {data.train.format} and cached in {folder} ({size:,.0f} MB)")
    return splits


def _sources(data: DataSection) -> list[Source]:
    parts = (data.train, data.validation, data.test)
    return [part for part in parts if isinstance(part, Source)]


def _key(data: DataSection, files: list[DataFile]) -> str:
    """Return the name of a cache: a hash of the files' contents and of all options."""
    options: dict[str, Any] = {"version": _READERS_VERSION, "split_seed": data.split_seed}
    for name in ("train", "validation", "test"):
        part = getattr(data, name)
        paths = set() if not isinstance(part, Source) else part.path_keys()
        options[name] = part.model_dump(exclude=paths) if isinstance(part, Source) else part
    options["files"] = [file.sha256 for file in files]
    text = json.dumps(options, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _found(folder: Path, files: list[DataFile], report: Report) -> Splits | None:
    """Return the splits of a folder; None if there is no whole one."""
    if not folder.is_dir():
        return None
    try:
        splits = _read(folder, files)
        manifest = read_manifest(folder, _KIND)
        notes, names = manifest["notes"], _new_names(manifest, files)
    except (UserError, OSError, ValueError, TypeError, KeyError) as error:
        report(f"{folder}: made anew, for it cannot be used: {error}")
        shutil.rmtree(folder, ignore_errors=True)
        return None
    report(f"data from {folder}")
    for note in notes:
        report(_renamed(note, names))
    return splits


def _make(folder: Path, data: DataSection, files: list[DataFile], report: Report) -> None:
    notes: list[str] = []

    def noted(note: str) -> None:
        notes.append(note)
        report(note)

    with placing_folder(folder) as partial:
        storage = InFolder(partial)
        splits = read_splits(data, noted, storage)
        storage.forget_rows()
        _check_unchanged(files, splits.files)
        splits.vocabulary.save(partial)
        content = {
            "notes": notes,
            "paths": [file.path for file in files],
            "splits": {name: split.plain for name, split in splits.by_name().items()},
        }
        write_manifest(partial, _KIND, content, {**file_records(partial, "*"), **storage.records})


def _check_unchanged(before: list[DataFile], read: list[DataFile]) -> None:
    hashes = {file.path: file.sha256 for file in before}
    for file in read:
        if hashes[file.path] != file.sha256:
            raise UserError(
                f"{file.path}: has changed while it was read; expected a file that nothing writes "
                "to"
            )


def _read(folder: Path, files: list[DataFile]) -> Splits:
    manifest = read_manifest(folder, _KIND)
    names = _new_names(manifest, files)
    splits: dict[str, Dataset] = {}
    for name, plain in manifest["splits"].items():
        places = [(names[path], before) for path, before in plain["files"]]
        splits[name] = read_dataset(folder / name, {**plain, "files": places})
    return Splits(
        train=splits["train"],
        validation=splits.get("validation"),
        test=splits.get("test"),
        vocabulary=Vocabulary.load(folder),
        files=files,
    )


def _new_names(manifest: dict[str, Any], files: list[DataFile]) -> dict[str, str]:
    """Return what each file of a cache is called now: the same content may lie elsewhere."""
    return {old: file.path for old, file in zip(manifest["paths"], files, strict=True)}


def _renamed(note: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        note = note.replace(old, new)
    return note


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def scratch(use_cache: bool = True) -> Iterator[Storage]:
    """Give a storage on the disk whose files go when the block ends; mapped arrays stay valid.

    Where no file can be made there, and without a cache, it is one in memory.
    """
    if not use_cache:
        yield InMemory()
        return
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        folder = TemporaryDirectory(
            prefix=".scratch-", dir=cache_folder(), ignore_cleanup_errors=True
        )
    except OSError:
        yield InMemory()
        return
    with folder as path:
        yield InFolder(Path(path))
