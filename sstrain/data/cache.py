"""The splits of a data section, kept on the disk between runs and mapped by each."""

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sstrain.data import Source
from sstrain.data.dataset import Dataset
from sstrain.data.files import DataFile, describe_file, is_regular
from sstrain.data.loading import DataSection, Splits, read_splits
from sstrain.data.manifest import MANIFEST, file_records, read_manifest, write_manifest
from sstrain.data.raw import Report
from sstrain.data.storage import InFolder, InMemory, Storage, read_dataset
from sstrain.data.vocabulary import Vocabulary
from sstrain.disk import disk_reason, placing_folder, temporary_folder
from sstrain.errors import FailureError, UserError

__all__ = ["cache_folder", "find", "load", "scratch"]

_KIND = "data cache"
_FORMAT = f"sstrain {_KIND}"
_UNUSED_SECONDS = 30 * 24 * 3600


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
    files = _described(data) if use_cache else None
    if files is None:
        return read_splits(data, report, InMemory())
    folder = cache_folder() / _key(data, files)
    if (splits := _found(folder, files, report)) is not None:
        return splits
    try:
        _make(folder, data, files, report)
        splits = _read(folder, files, read_manifest(folder, _KIND))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise FailureError(
                f"{folder}: cannot be written; {disk_reason(error)}; free some, set "
                "SSTRAIN_DATA_CACHE to a folder with room, or give --no-cache to keep data in "
                "memory"
            ) from None
        report(f"no cache: {error.filename}: {disk_reason(error)}; the data are kept in memory")
        return read_splits(data, report, InMemory())
    size = _size(folder) / 1e6
    report(f"data read as {data.train.format} and cached in {folder} ({size:,.0f} MB)")
    return splits


def find(data: DataSection, report: Report) -> Splits | None:
    """Return the splits of a cache that is whole and of the files as they are now, if there is one.

    Raises
    ------
    UserError
        If a file cannot be read.
    """
    files = _described(data)
    if files is None:
        return None
    return _found(cache_folder() / _key(data, files), files, report)


def _described(data: DataSection) -> dict[str, DataFile] | None:
    """Return every file of the data by its path; None if one cannot be read twice."""
    paths = dict.fromkeys(path for source in _sources(data) for path in source.files())
    if not all(is_regular(path) or os.path.isdir(path) for path in paths):
        return None
    return {path: describe_file(path) for path in paths}


def _sources(data: DataSection) -> list[Source]:
    parts = (data.train, data.validation, data.test)
    return [part for part in parts if isinstance(part, Source)]


def _key(data: DataSection, files: dict[str, DataFile]) -> str:
    """Return the name of a cache: a hash of the files' contents, all options and the readers."""
    options: dict[str, Any] = {"split_seed": data.split_seed, "readers": _readers(data)}
    for name in ("train", "validation", "test"):
        part = getattr(data, name)
        if isinstance(part, Source):
            options[name] = part.model_dump(exclude=part.path_keys())
            for key in part.path_keys():
                paths = getattr(part, key) or ()
                options[name][key] = [files[path].sha256 for path in paths]
        else:
            options[name] = part
    text = json.dumps(options, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _readers(data: DataSection) -> list[str]:
    """Return what else decides what comes of files: our sources, and the libraries that read."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for source in sorted([*package.glob("data/**/*.py"), *package.glob("kernels/*.py")]):
        digest.update(source.read_bytes())
    libraries = {library for source in _sources(data) for library in source.libraries}
    return [digest.hexdigest(), *(f"{name} {version(name)}" for name in sorted(libraries))]


def _found(folder: Path, files: dict[str, DataFile], report: Report) -> Splits | None:
    """Return the splits of a folder; None if there is no whole one."""
    if not folder.is_dir():
        return None
    try:
        manifest = read_manifest(folder, _KIND)
        splits = _read(folder, files, manifest)
        notes = [_renamed(note, _new_names(manifest, files)) for note in manifest["notes"]]
    except (UserError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        report(f"{folder}: made anew, for it cannot be used: {error}")
        shutil.rmtree(folder, ignore_errors=True)
        return None
    with suppress(OSError):
        os.utime(folder / MANIFEST)  # says that it is in use
    report(f"data from {folder}")
    for note in notes:
        report(note)
    return splits


def _make(folder: Path, data: DataSection, files: dict[str, DataFile], report: Report) -> None:
    notes: list[str] = []

    def noted(note: str) -> None:
        notes.append(note)
        report(note)

    _remove_unused(folder.parent, report)
    with placing_folder(folder) as partial:
        storage = InFolder(partial)
        splits = read_splits(data, noted, storage)
        storage.forget_rows()
        _check_unchanged(files, splits.files)
        splits.vocabulary.save(partial)
        content = {
            "notes": notes,
            "paths": list(files),
            "splits": {name: split.plain for name, split in splits.by_name().items()},
        }
        write_manifest(partial, _KIND, content, file_records(partial))


def _remove_unused(folder: Path, report: Report) -> None:
    """Remove caches that no run has read for a month: each change of an option makes another."""
    for manifest in folder.glob(f"*/{MANIFEST}"):
        try:
            unused = time.time() - manifest.stat().st_mtime > _UNUSED_SECONDS
            if unused and json.loads(manifest.read_bytes())["format"] == _FORMAT:
                shutil.rmtree(manifest.parent)
                report(f"{manifest.parent}: removed, for no run has used this cache for 30 days")
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _check_unchanged(before: dict[str, DataFile], read: list[DataFile]) -> None:
    for file in read:
        if before[file.path].sha256 != file.sha256:
            raise UserError(
                f"{file.path}: has changed while it was read; expected a file that nothing writes "
                "to"
            )


def _read(folder: Path, files: dict[str, DataFile], manifest: dict[str, Any]) -> Splits:
    names = _new_names(manifest, files)
    vocabulary = Vocabulary.load(folder)
    splits: dict[str, Dataset] = {}
    for name, plain in manifest["splits"].items():
        places = [(names[path], before) for path, before in plain["files"]]
        splits[name] = read_dataset(folder / name, {**plain, "files": places})
        if not splits[name].is_sound(vocabulary.num_features, vocabulary.num_classes):
            raise UserError(f"{folder / name}: damaged; its arrays do not fit together")
    return Splits(
        train=splits["train"],
        validation=splits.get("validation"),
        test=splits.get("test"),
        vocabulary=vocabulary,
        files=list(files.values()),
    )


def _new_names(manifest: dict[str, Any], files: dict[str, DataFile]) -> dict[str, str]:
    """Return what each file of a cache is called now: the same content may lie elsewhere."""
    return dict(zip(manifest["paths"], files, strict=True))


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
    storage: Storage = InMemory()
    with ExitStack() as stack:
        if use_cache:
            with suppress(OSError):
                storage = InFolder(stack.enter_context(temporary_folder(cache_folder())))
        yield storage
