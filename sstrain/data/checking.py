"""``sstrain data check``: every bad line of a source, and whether a store is as it was written."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sstrain.data import TrainSource
from sstrain.data.bad_lines import BadLines
from sstrain.data.manifest import verify
from sstrain.data.raw import Report, training_options
from sstrain.data.reading import Reading
from sstrain.errors import UserError

__all__ = ["Check", "check"]


@dataclass(frozen=True)
class Check:
    """What came of a check.

    Attributes
    ----------
    num_lines : int
        Lines that were read; rows of a format that has no lines.
    num_examples : int
        Examples among them; of a sequence each of its positions is one.
    num_bad_lines : int
    bad_lines : list of str
        What is wrong with the first of them.
    problems : list of str
        What is wrong with a file as a whole, as one that is cut off, or holds no example.
    """

    num_lines: int
    num_examples: int
    num_bad_lines: int
    bad_lines: list[str]
    problems: list[str]

    @property
    def exit_code(self) -> int:
        """0 if nothing is wrong, else 2."""
        return 2 if self.num_bad_lines or self.problems else 0

    def as_json(self) -> dict[str, Any]:
        """Return the attributes as JSON values."""
        return asdict(self)

    def as_text(self) -> str:
        """Return one line for each thing that is wrong, and one that counts them."""
        unlisted = self.num_bad_lines - len(self.bad_lines)
        more = [f"... and {unlisted:,} more; a higher --limit shows them"] if unlisted else []
        counts = (
            f"{self.num_lines:,} lines, of which {self.num_bad_lines:,} are bad; "
            f"{self.num_examples:,} good examples"
        )
        return "\n".join([*self.bad_lines, *more, *self.problems, counts])


def check(source: TrainSource, limit: int, report: Report) -> Check:
    """Read all of a source, and tell every bad line; of a store, every file that has changed.

    Memory is that of the reader, a bounded part of the file and the distinct names in it.

    Parameters
    ----------
    source : TrainSource
        Its ``on_bad_line`` and ``max_bad_share`` play no part.
    limit : int
        How many bad lines are told.
    report : callable
        Takes notes for a person to read.

    Raises
    ------
    UserError
        For a file of which nothing can be read.
    """
    damaged = _damaged_files(source)
    if damaged:
        return Check(0, 0, 0, [], damaged)
    bad_lines = BadLines(skip=True, shown=limit)
    reading = Reading(source.path, bad_lines=bad_lines)
    reader = source.reader(training_options(source))
    problems: list[str] = []
    num_examples = 0
    try:
        for rows in reader.chunks(reading):
            num_examples += rows.num_rows
    except UserError as error:
        if not reading.num_lines:
            raise
        problems = [f"{message}; nothing behind it was read" for message in error.messages]
    if num_examples == 0 and not problems and not bad_lines.count:
        problems = [f"{source.path[0]}: no examples; {reader.absence()}"]
    for note in reader.notes():
        report(f"{source.path[0]}: {note}")
    return Check(reading.num_lines, num_examples, bad_lines.count, bad_lines.messages, problems)


def _damaged_files(source: TrainSource) -> list[str]:
    """Return what is wrong with the files of stores, by their checksums."""
    if source.format != "store":
        return []
    return [problem for path in source.path for problem in verify(Path(path))]
