"""``sstrain data convert``: from any format to a store, or to text that other tools read."""

import os
import re
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sstrain.data import FORMATS, TrainSource
from sstrain.data.formats.store import KIND
from sstrain.data.manifest import MANIFEST
from sstrain.data.raw import Report
from sstrain.data.reader import FeatureNames, Rows
from sstrain.data.storing import convert_to_store
from sstrain.data.whole import raw_source
from sstrain.data.writing import WrittenRows, write_svmlight, write_xc
from sstrain.disk import read_json
from sstrain.errors import UserError

__all__ = ["Form", "convert", "form_of", "written_rows"]

Form = Literal["store", "svmlight", "xc"]

_FORMS: dict[str, Form] = {
    ".svm": "svmlight",
    ".svmlight": "svmlight",
    ".libsvm": "svmlight",
    ".xc": "xc",
}
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")

#: Of the keys of `Fitting`, those that a reader heeds.
_HEEDED = {"hash_bits"}


def form_of(path: Path) -> Form:
    """Return what a path's ending stands for: text, plain or gzipped; or a store, if it has none.

    Raises
    ------
    UserError
        For any other ending, which a folder is not expected to have.
    """
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    if path.suffix in ("", ".store"):
        return "store"
    if plain.suffix not in _FORMS:
        raise UserError(
            f"{path}: its ending says nothing; found {path.suffix!r}; expected .store for a store, "
            f"or {', '.join(_FORMS)} for text, each also with .gz; or give --to"
        )
    return _FORMS[plain.suffix]


def convert(
    source: TrainSource,
    target: Path,
    form: Form | None,
    overwrite: bool,
    report: Report,
) -> None:
    """Write what a source holds in another form.

    Parameters
    ----------
    source : TrainSource
        Its keys that are fitted to training rows must not be given, for rows are written as they
        are read; ``hash_bits`` may.
    target : Path
        There whole or not at all, whatever happens.
    form : {"store", "svmlight", "xc"}, optional
        What the target's ending says if not given.
    overwrite : bool
        Whether the target may exist.
    report : callable
        Takes notes for a person to read.

    Raises
    ------
    UserError
        For a file that cannot be read, a line that does not parse, a target that exists, or data
        that the form cannot hold.
    FailureError
        If the target cannot be written.
    """
    _check_keys(source)
    form = form_of(target) if form is None else form
    _check_target(source, target, form, overwrite)
    if form == "store":
        convert_to_store(source, target, report, overwrite)
    else:
        _write_text(source, target, form, report)
    report(f"{target}: written as {form}")


def _check_keys(source: TrainSource) -> None:
    reading = {name for kind, _ in FORMATS.values() for name in kind.model_fields} | _HEEDED
    if fitted := sorted(source.model_fields_set - reading):
        raise UserError(
            f"--set {fitted[0]}: plays no part in a conversion, which writes all rows as they are "
            "read; give it to the training that reads them"
        )


def _check_target(source: TrainSource, target: Path, form: Form, overwrite: bool) -> None:
    """Refuse what must not be replaced, before anything is read."""
    if form != "store" and not target.absolute().parent.is_dir():
        raise UserError(f"{target}: there is no folder {target.absolute().parent}; make it")
    targets = [target] if form == "store" else [target, *_names_beside(target)]
    for path in filter(os.path.lexists, targets):
        if any(_are_same(read, path) for read in source.files()):
            raise UserError(f"{path}: is what is read; give another name")
        if not overwrite:
            raise UserError(f"{path}: exists; give another name, or --overwrite")
        if not (_is_store(path) if form == "store" else path.is_file()):
            kind = "store" if form == "store" else "file"
            raise UserError(f"{path}: is no {kind}, so that it is not replaced; give another name")


def _names_beside(target: Path) -> list[Path]:
    """Return the files that hold the names of classes and features where text has their ids."""
    return [target.with_name(f"{target.name}.{what}.txt") for what in ("classes", "features")]


def _are_same(path: str, target: Path) -> bool:
    return os.path.exists(path) and target.exists() and os.path.samefile(path, target)


def _is_store(path: Path) -> bool:
    manifest = path / MANIFEST
    return manifest.is_file() and read_json(manifest).get("format") == f"sstrain {KIND}"


def _write_text(source: TrainSource, target: Path, form: Form, report: Report) -> None:
    """Write text, and files of names if they are needed; such files of an earlier one go."""
    with raw_source(source, report) as raw:
        label_names, label_places = _rising(raw.label_names)
        feature_names, feature_places = _rising(raw.feature_names)
        chunks = (
            written_rows(_ungrouped(rows, target), label_places, feature_places)
            for rows in raw.each_chunk(f"writing {target.name}")
        )
        if form == "svmlight":
            files = write_svmlight(target, chunks, label_names, feature_names)
        else:
            num_rows = sum(rows.num_rows for rows in raw.chunks)
            files = write_xc(target, chunks, label_names, feature_names, num_rows)
    for path in set(_names_beside(target)) - set(files):
        path.unlink(missing_ok=True)
    for path in files[1:]:
        report(f"{target}: holds ids; their names are in {path}")


def _ungrouped(rows: Rows, target: Path) -> Rows:
    if rows.groups is not None:
        raise UserError(
            f"{target}: text holds no groups of rows, by which a split keeps them together; split "
            "the data first, or keep them in a store"
        )
    return rows


def _rising(names: FeatureNames) -> tuple[list[str], NDArray[np.int32]]:
    """Return names, by rising number if they are whole numbers, and the new place of each."""
    texts = list(map(str, names.tolist())) if isinstance(names, np.ndarray) else names
    order = np.arange(len(texts))
    if all(map(_WHOLE_NUMBER.fullmatch, texts)):
        order = np.argsort(np.array(list(map(int, texts)), np.int64), kind="stable")
    places = np.empty(len(texts), np.int32)
    places[order] = np.arange(len(texts), dtype=np.int32)
    return [texts[i] for i in order.tolist()], places


def written_rows(
    rows: Rows, label_places: NDArray[np.int32], feature_places: NDArray[np.int32]
) -> WrittenRows:
    """Return rows as they are written to text.

    Parameters
    ----------
    rows : Rows
        Not changed.
    label_places, feature_places : int32 arrays of shape [V] and [D]
        What becomes of each id.
    """
    has_label = rows.labels >= 0
    label_indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(has_label)])
    if rows.label_indptr is not None:
        label_indptr = label_indptr[rows.label_indptr]
    return WrittenRows(
        rows.indptr,
        feature_places[rows.features],
        rows.values,
        label_indptr,
        label_places[rows.labels[has_label]],
        rows.weights,
    )
