"""What the readers of tables hand over: some rows of the columns that are needed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.data.bad_lines import BadLineError
from sstrain.data.wording import shown

__all__ = ["Column", "Needed", "Part"]

#: A pyarrow array: one column of some rows.
Column = Any
#: Says which columns are needed of a file, given the types of all by their names (None: text) and
#: the file's name; raises UserError where one is missing.
Needed = Callable[[Mapping[str, Any], str], Sequence[str]]


@dataclass(frozen=True)
class Part:
    """Some rows of a table.

    Attributes
    ----------
    columns : dict of pyarrow arrays of length R
        By their names.
    lines : int64 array of shape [R]
        The line (or row) of each, from 1, running on over the files of a source.
    place : callable
        Names the place of such a line, ``file:line``.
    bad_lines : dict of BadLineError
        By their lines: those among the rows that have no columns.
    """

    columns: dict[str, Column]
    lines: NDArray[np.int64]
    place: Callable[[int], str]
    bad_lines: dict[int, BadLineError] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.lines)

    def without(self, lines: Sequence[int]) -> "Part":
        """Return the part without the rows of some lines, and without its bad lines."""
        import pyarrow as pa

        kept = ~np.isin(self.lines, lines)
        mask = pa.array(kept)
        columns = {name: column.filter(mask) for name, column in self.columns.items()}
        return Part(columns, self.lines[kept], self.place)

    def bad(self, row: int, column: str, problem: str, expected: str) -> BadLineError:
        """Return the error of a row whose value in one column is not as it should be."""
        found = self.columns[column][row].as_py()
        return BadLineError(
            f"{self.place(int(self.lines[row]))}: column {shown(column)}: {problem}; "
            f"found {'nothing' if found is None else shown(str(found))}; expected {expected}"
        )
