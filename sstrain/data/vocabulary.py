"""The classes and features of a run, in the order of the saved tensors."""

import io
import json
import os
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.errors import FailureError, UserError

__all__ = ["VOCABULARY_FILES", "Vocabulary"]

_CLASSES, _FEATURES, _COUNTS, _FITTED = "classes.txt", "features.txt", "counts.npz", "fitted.json"

#: The files of a saved vocabulary in a run's folder.
VOCABULARY_FILES = (_CLASSES, _FEATURES, _COUNTS, _FITTED)


@dataclass(frozen=True)
class Vocabulary:
    """Class labels and feature names with their counts, fitted to the training rows alone.

    Attributes
    ----------
    classes : list of str
        Labels by falling training frequency (ties by label); the position is the class id.
    class_counts : int64 array of shape [V]
        Training examples of each class.
    features : list of str
        Feature names; the position is the feature's row in the weights.
    feature_counts : int64 array of shape [D]
        Training examples that hold each feature.
    fitted : dict
        What else the format fixed on the training file, as JSON values (the index base, say).
    """

    classes: list[str]
    class_counts: NDArray[np.int64]
    features: list[str]
    feature_counts: NDArray[np.int64]
    fitted: dict[str, Any] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """V."""
        return len(self.classes)

    @property
    def num_features(self) -> int:
        """D."""
        return len(self.features)

    @cached_property
    def class_ids(self) -> dict[str, int]:
        """The class id of each label."""
        return {label: number for number, label in enumerate(self.classes)}

    @cached_property
    def feature_ids(self) -> dict[str, int]:
        """The row of each feature name."""
        return {name: number for number, name in enumerate(self.features)}

    @cached_property
    def feature_numbers(self) -> NDArray[np.int64]:
        """The names as numbers, rising: int64 of shape [D], for a format that numbers them."""
        try:
            numbers = np.array([int(name) for name in self.features], np.int64)
        except (ValueError, OverflowError):
            numbers = np.array([0, 0])
        if np.any(numbers[1:] <= numbers[:-1]):
            raise UserError(f"{_FEATURES}: damaged; expected rising numbers, as the data have them")
        return numbers

    def log_prior(self) -> NDArray[np.float32]:
        """Return the log of each class's share of the training examples, float32 [V]."""
        shares: NDArray[np.float64] = self.class_counts / self.class_counts.sum()
        return np.asarray(np.log(shares), np.float32)

    def save(self, folder: Path) -> None:
        """Write the vocabulary into a folder; each file is there whole or not at all.

        ``classes.txt`` and ``features.txt`` hold a name a line, in UTF-8, ended by newlines alone;
        ``counts.npz`` the arrays ``class_counts`` and ``feature_counts``; ``fitted.json`` the rest.

        Raises
        ------
        FailureError
            If a file cannot be written.
        """
        counts = io.BytesIO()
        np.savez(counts, class_counts=self.class_counts, feature_counts=self.feature_counts)
        _write(folder / _CLASSES, "".join(f"{label}\n" for label in self.classes).encode())
        _write(folder / _FEATURES, "".join(f"{name}\n" for name in self.features).encode())
        _write(folder / _COUNTS, counts.getvalue())
        _write(folder / _FITTED, (json.dumps(self.fitted, sort_keys=True) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> "Vocabulary":
        """Read a vocabulary that was saved.

        Raises
        ------
        UserError
            For a file that is missing, or is not what was saved.
        """
        classes, features = _names(folder / _CLASSES), _names(folder / _FEATURES)
        class_counts, feature_counts = _counts(folder / _COUNTS)
        for name, names, counts in (
            (_CLASSES, classes, class_counts),
            (_FEATURES, features, feature_counts),
        ):
            if len(names) != len(counts):
                raise UserError(_damaged(folder / name, f"expected {len(counts):,} names"))
        return cls(classes, class_counts, features, feature_counts, _fitted(folder / _FITTED))


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FailureError(f"{path}: cannot be written; {error.strerror}") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read; {error.strerror}") from None


def _names(path: Path) -> list[str]:
    try:
        *names, rest = _bytes(path).decode().split("\n")
    except UnicodeDecodeError:
        raise UserError(_damaged(path, "expected a name a line in UTF-8")) from None
    if rest or len(set(names)) < len(names):
        raise UserError(_damaged(path, "expected a name a line, each once"))
    return names


def _counts(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        with np.load(io.BytesIO(_bytes(path)), allow_pickle=False) as arrays:
            found = arrays["class_counts"], arrays["feature_counts"]
    except (ValueError, KeyError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile):
        found = None
    if found is None or any(counts.ndim != 1 or counts.dtype != np.int64 for counts in found):
        raise UserError(_damaged(path, "expected the counts of classes and features"))
    return found


def _fitted(path: Path) -> dict[str, Any]:
    try:
        fitted = json.loads(_bytes(path))
    except (ValueError, RecursionError):
        fitted = None
    if not isinstance(fitted, dict):
        raise UserError(_damaged(path, "expected a JSON object"))
    return fitted


def _damaged(path: Path, expected: str) -> str:
    return f"{path}: damaged, or from another version; {expected}"
