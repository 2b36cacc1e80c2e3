"""Probabilities that a file lists, one class a line."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from sstrain.errors import UserError
from sstrain.samplers.fixed import FixedProposal
from sstrain.section import FilePath

if TYPE_CHECKING:
    from sstrain.data.vocabulary import Vocabulary


_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def _as_integer(label: str) -> str:
    """Return a whole number's plain spelling, as the labels of numbered formats have it."""
    if _NUMBER.fullmatch(label) and len(label) < 40 and float(label).is_integer():
        return str(int(float(label)))
    return label


class File(FixedProposal):
    """``q_j`` as a file of ``label TAB probability`` lines gives it, in any order.

    The probabilities are normalised over the classes of the training set; labels that are no
    class are left out.
    """

    type: Literal["file"] = "file"
    path: FilePath

    def log_weights(self, vocabulary: "Vocabulary") -> NDArray[np.float64]:
        """Return the log of each class's probability in the file; minus infinity if not listed."""
        class_ids = {label: j for j, label in enumerate(vocabulary.classes)}
        log_q = np.full(vocabulary.num_classes, -np.inf)
        seen: dict[str, int] = {}
        for number, line in enumerate(self._lines(), start=1):
            if not line.strip():
                continue
            label, probability = self._parse(number, line)
            if label in seen:
                raise UserError(
                    f"{self.path}:{number}: label {label!r} stands in line {seen[label]} already; "
                    "expected one line a class"
                )
            seen[label] = number
            class_id = class_ids.get(label, class_ids.get(_as_integer(label)))
            if probability > 0 and class_id is not None:
                log_q[class_id] = math.log(probability)
        return log_q

    def files(self) -> tuple[str, ...]:
        """Return the one file."""
        return (self.path,)

    def _lines(self) -> list[str]:
        try:
            text = Path(self.path).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise UserError(f"{self.path}: cannot read it: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UserError(f"{self.path}: not UTF-8; expected label TAB probability") from None
        return text.split("\n")

    def _parse(self, number: int, line: str) -> tuple[str, float]:
        label, tab, text = line.rpartition("\t")
        found = _NUMBER.fullmatch(text.strip()) if tab else None
        probability = float(found[0]) if found else math.nan
        if not 0 <= probability < math.inf:
            raise UserError(
                f"{self.path}:{number}: no probability; found {line[:60]!r}; "
                "expected label TAB probability, a number from 0"
            )
        return label, probability
