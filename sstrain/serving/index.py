"""A run's approximate index: built once from a checkpoint, kept in the run's folder.

``RUN/index`` holds ``graph.faiss``, which faiss reads without pickle, and ``index.json``: which
model the graph is of, by the SHA-256 of its file, the SHA-256 of the graph, how it was built, and
the recall that was measured.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sstrain.disk import disk_reason, placing_folder, read_json, sync, write_json
from sstrain.errors import FailureError, UserError
from sstrain.evaluation.scorer import Shifted
from sstrain.progress import bar
from sstrain.serving import hnsw
from sstrain.serving.hnsw import Index
from sstrain.serving.recall import Recall, held_out, measure
from sstrain.training.checkpoint import model_sha256
from sstrain.training.checkpoints import Checkpoints
from sstrain.training.forecast import GIB
from sstrain.training.format import FORMAT_VERSION, check_format_version
from sstrain.training.memory import available_memory
from sstrain.training.run_folder import RunFolder
from sstrain.training.saved import SavedModel, load_model

if TYPE_CHECKING:
    from sstrain.data.batches import Batch

__all__ = [
    "BuiltIndex",
    "Factored",
    "Index",
    "build_index",
    "factored",
    "index_model",
    "load_index",
]

_GRAPH, _RECORD = "graph.faiss", "index.json"


@runtime_checkable
class Factored(Protocol):
    """A layout whose scores are ``h . C_c + b_c``."""

    def class_vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return C, float32 of shape [V, r], and b, float32 of shape [V]."""

    def pooled(self, batch: "Batch") -> NDArray[np.float32]:
        """Return h of each example of a batch, float32 of shape [B, r]."""


@dataclass(frozen=True)
class BuiltIndex:
    """What `build_index` has to tell.

    Attributes
    ----------
    path : Path
        The index's folder.
    step : int
        Of the checkpoint that it is of.
    num_classes : int
    bytes : int
        On the disk.
    seconds : float
        That the graph took to build.
    recall : Recall
    """

    path: Path
    step: int
    num_classes: int
    bytes: int
    seconds: float
    recall: Recall

    def as_text(self) -> str:
        """Return it as lines for a person."""
        return (
            f"{self.path}: {self.num_classes:,} classes of checkpoint {self.step}, "
            f"{self.bytes / 1e6:,.1f} MB, built in {self.seconds:.1f} s\n\n{self.recall.as_text()}"
        )


def build_index(
    run: Path,
    checkpoint: str | int | None,
    num_examples: int,
    report: Callable[[str], None],
    use_cache: bool = True,
) -> BuiltIndex:
    """Build the index of a run's model, measure its recall, and put it in the run's folder.

    Parameters
    ----------
    run : Path
        The run's folder.
    checkpoint : "best", "last", int or None
        As in `sstrain.training.saved.load_model`.
    num_examples : int
        How many held-out examples recall is measured on.
    report : callable
        Takes lines for a person to read.
    use_cache : bool
        Whether the run's cache of data is used.

    Raises
    ------
    UserError
        If faiss is not installed, the model has no class vectors, or the index does not fit.
    FailureError
        If it cannot be written; an older one stays.
    """
    hnsw.load_faiss()  # what is missing is told before anything is loaded
    return index_model(run, load_model(run, checkpoint, report), num_examples, report, use_cache)


def index_model(
    run: Path,
    saved: SavedModel,
    num_examples: int,
    report: Callable[[str], None],
    use_cache: bool = True,
) -> BuiltIndex:
    """As `build_index`, of a model that is loaded."""
    model = factored(run, saved)
    vectors, bias = model.class_vectors()
    _check_memory(*vectors.shape)
    examples = held_out(saved, report, use_cache)  # before what takes long
    digest, started = _digest(run, saved), time.perf_counter()
    with bar(len(vectors), "indexing", "class") as advance:
        index = hnsw.build(vectors, bias, advance)
    seconds = time.perf_counter() - started
    recall = measure(index, saved, model.pooled, examples, num_examples)
    record = {
        "format_version": FORMAT_VERSION,
        "step": saved.step,
        "model_sha256": digest,
        "kind": hnsw.KIND,
        "parameters": hnsw.PARAMETERS,
        "recall": recall.as_json(),
    }
    size = _write(RunFolder(run).index, index, record)
    return BuiltIndex(RunFolder(run).index, saved.step, index.num_classes, size, seconds, recall)


def load_index(run: Path, saved: SavedModel) -> Index:
    """Load the index of a model that is loaded.

    Parameters
    ----------
    run : Path
        The run's folder.
    saved : SavedModel
        From `sstrain.training.saved.load_model` of the same folder.

    Raises
    ------
    UserError
        If there is none, it is of another model (an older one, another checkpoint's), it is
        damaged, the model has no class vectors, or faiss is not installed.
    """
    folder, again = RunFolder(run).index, f"sstrain index {run} --checkpoint {saved.step}"
    vectors, bias = factored(run, saved).class_vectors()
    if not folder.is_dir():
        raise UserError(f"{run}: has no approximate index; build it: {again}")
    try:
        record = read_json(folder / _RECORD)
    except UserError as error:
        raise UserError(f"{error}; build it again: {again}") from None
    check_format_version(folder / _RECORD, record)
    expected, found = _digest(run, saved), str(record.get("model_sha256"))
    if found != expected:
        raise UserError(
            f"{folder}: is of another model than checkpoint {saved.step}; found SHA-256 "
            f"{found[:12]}... of checkpoint {record.get('step')}; expected {expected[:12]}...; "
            f"build it again: {again}"
        )
    hnsw.load_faiss()
    _check_memory(*vectors.shape)
    if _sha256(folder / _GRAPH) != record.get("graph_sha256"):
        raise UserError(f"{folder / _GRAPH}: damaged or missing; build it again: {again}")
    return hnsw.read(folder / _GRAPH, vectors, bias)


def factored(run: Path, saved: SavedModel) -> Factored:
    """Return a model that has class vectors; one that has none is a `UserError`."""
    if isinstance(saved.scorer, Shifted):
        raise UserError(
            f"{run}: its objective has taught it scores less log q (negative sampling), "
            "which an approximate index knows nothing of; predict without --approximate"
        )
    if not isinstance(saved.model, Factored):
        raise UserError(
            f"{run}: its model is {saved.config.model.type}, which has no class vectors; an "
            "approximate index is for models of type low_rank"
        )
    return saved.model


def _check_memory(num_classes: int, rank: int) -> None:
    needed, free = hnsw.graph_bytes(num_classes, rank), available_memory()
    if needed > free:
        raise UserError(
            f"the index does not fit in memory; it needs {needed / GIB:.2f} GiB; "
            f"{free / GIB:.2f} GiB are free; free some, or use a machine with more"
        )


def _digest(run: Path, saved: SavedModel) -> str:
    return model_sha256(Checkpoints(RunFolder(run).checkpoints).find(saved.step))


def _write(folder: Path, index: Index, record: dict[str, Any]) -> int:
    """Put an index in the place of one that may be there; return the bytes of its files."""
    try:
        with placing_folder(folder, replace=True) as temporary:
            graph = temporary / _GRAPH
            index.write(graph)
            sync(graph)
            write_json(temporary / _RECORD, {**record, "graph_sha256": _sha256(graph)})
        return sum(path.stat().st_size for path in folder.iterdir())
    except OSError as error:
        raise FailureError(f"{folder}: cannot be written: {disk_reason(error)}") from error


def _sha256(path: Path) -> str | None:
    """Return a file's SHA-256 in hexadecimal; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
