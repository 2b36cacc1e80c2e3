"""One checkpoint: a folder of tensors, a state and a manifest that tells whether it is whole."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sstrain.disk import read_json, write_json
from sstrain.errors import UserError
from sstrain.training import tensors as tensor_files
from sstrain.training.manifest import MANIFEST, FileRecord, Manifest
from sstrain.training.tensors import TensorSource

__all__ = [
    "MODEL",
    "Checkpoint",
    "can_resume",
    "load_checkpoint",
    "model_sha256",
    "strip",
    "verify",
    "write_checkpoint",
]

STATE = "state.json"
MODEL = "model.safetensors"
#: What a checkpoint may lose once nobody will go on from it.
OPTIMIZER = "optimizer.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was found to be whole.

    Attributes
    ----------
    path : Path
        Its folder.
    step : int
        Steps that the run had done.
    best : int or None
        The step of the run's best checkpoint at that time.
    state : dict
        What was saved as ``state.json``, the step included.
    """

    path: Path
    step: int
    best: int | None
    state: dict[str, Any]

    def open(self, part: str) -> dict[str, NDArray[Any]]:
        """Map a part's tensors, as ``"model"``, into memory, read-only.

        Raises
        ------
        UserError
            If the part is missing or damaged.
        """
        return tensor_files.open_tensors(self.path / f"{part}.safetensors")

    def read_into(self, part: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Copy a part's tensors into arrays of the same names, types and shapes.

        Raises
        ------
        UserError
            If the part is missing or damaged, or holds other tensors.
        """
        tensor_files.read_into(self.path / f"{part}.safetensors", arrays)


def load_checkpoint(path: Path, step: int) -> Checkpoint:
    """Return the checkpoint in a folder that `verify` found to be whole."""
    manifest, state = Manifest.read(path), read_json(path / STATE)
    return Checkpoint(path, step, manifest.best if manifest else None, state)


def write_checkpoint(
    path: Path,
    parts: Mapping[str, Mapping[str, TensorSource]],
    state: Mapping[str, Any],
    best: int | None,
) -> None:
    """Write a new folder and wait until all of it is on the disk.

    Parameters
    ----------
    path : Path
        The folder; it does not exist yet.
    parts : mapping of str to mapping of str to array or Blocks
        The tensors of each ``<part>.safetensors``.
    state : mapping
        JSON values, finite, ``step`` among them; kept as ``state.json``.
    best : int or None
        The step of the run's best checkpoint.

    Raises
    ------
    OSError
        If it cannot be written; a part of it may be left.
    """
    path.mkdir()
    files: dict[str, FileRecord] = {}
    for part, tensors in sorted(parts.items()):
        file = path / f"{part}.safetensors"
        digest = tensor_files.write(file, tensors)
        files[file.name] = FileRecord(file.stat().st_size, digest)
    write_json(path / STATE, state)
    content = (path / STATE).read_bytes()
    files[STATE] = FileRecord(len(content), hashlib.sha256(content).hexdigest())
    Manifest(best, files).write(path)  # the last, and with it the folder is on the disk


def verify(path: Path, parts: Iterable[str] | None = None) -> list[str]:
    """Return the names of a checkpoint's files that are missing or not as they were written.

    Parameters
    ----------
    path : Path
        A checkpoint's folder.
    parts : iterable of str, optional
        The parts that are needed, as ``"model"``; every part of the manifest by default.

    Raises
    ------
    UserError
        If the checkpoint is of another format version.
    """
    manifest = Manifest.read(path)
    if manifest is None:
        return [MANIFEST]
    if parts is None:
        names = {STATE, *manifest.files}
    else:
        names = {STATE, *(f"{part}.safetensors" for part in parts)}
    return manifest.damaged(path, sorted(names))


def model_sha256(path: Path) -> str:
    """Return the SHA-256 of a checkpoint's model, as its manifest has it.

    Raises
    ------
    UserError
        If there is no manifest, or it does not list the model.
    """
    manifest = Manifest.read(path)
    if manifest is None or MODEL not in manifest.files:
        raise UserError(f"{path}: damaged: its manifest does not list {MODEL}")
    return manifest.files[MODEL].sha256


def can_resume(path: Path) -> bool:
    """Whether a checkpoint still has its optimiser's state."""
    manifest = Manifest.read(path)
    return manifest is not None and OPTIMIZER in manifest.files


def strip(path: Path) -> None:
    """Take the optimiser's state out of a checkpoint, which stays whole at every moment."""
    manifest = Manifest.read(path)
    if manifest is None:
        return
    if OPTIMIZER in manifest.files:
        files = {name: record for name, record in manifest.files.items() if name != OPTIMIZER}
        Manifest(manifest.best, files).write(path)
    (path / OPTIMIZER).unlink(missing_ok=True)
