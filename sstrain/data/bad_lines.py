"""What becomes of a line that does not parse: it stops, or it is counted and left out."""

from sstrain.errors import UserError

__all__ = ["BadLineError", "BadLines"]

#: So many bad lines, if they are more than this share of the lines so far, are not read on from.
_HOPELESS_COUNT = 10_000
_HOPELESS_SHARE = 0.5


class BadLineError(UserError):
    """A line that does not parse.

    Parameters
    ----------
    message : str
        ``FILE:LINE:COLUMN: what is wrong; what was found; what was expected``.
    line : int
        Which line of its block it is, from 0.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class BadLines:
    """The bad lines of a source so far.

    Parameters
    ----------
    skip : bool
        Whether they are counted and left out; if not, the first one is raised.
    max_share : float
        The share of all lines above which they are refused in the end.
    shown : int
        How many messages are kept.

    Attributes
    ----------
    count : int
    messages : list of str
        Those of the first ones.
    """

    def __init__(self, skip: bool = False, max_share: float = 1.0, shown: int = 10) -> None:
        self._skip = skip
        self._max_share = max_share
        self._shown = shown
        self.count = 0
        self.messages: list[str] = []

    def take(self, error: BadLineError, num_lines: int) -> None:
        """Count a bad line, or raise it; `check` early where a file is plainly something else."""
        if not self._skip:
            raise error
        self.count += 1
        if len(self.messages) < self._shown:
            self.messages.extend(error.messages)
        hopeless = max(_HOPELESS_COUNT, _HOPELESS_SHARE * num_lines)
        if self._max_share < _HOPELESS_SHARE and self.count > hopeless:
            self.check("so far", num_lines)

    def check(self, name: str, num_lines: int) -> None:
        """Refuse a source with too many bad lines.

        Raises
        ------
        UserError
            With the first messages.
        """
        if self.count <= self._max_share * num_lines:
            return
        raise UserError(
            *self.messages,
            f"{name}: too many bad lines; found {self.count:,} of {num_lines:,}, of which the "
            f"first {len(self.messages)} are above; expected a share of at most "
            f"{self._max_share:g}; mend them, or raise max_bad_share",
        )

    def notes(self, name: str, num_lines: int) -> list[str]:
        """Return what is to be told of bad lines that were left out."""
        if not self.count:
            return []
        return [
            f"{name}: {self.count:,} bad lines of {num_lines:,} left out; the first of them:",
            *self.messages,
        ]
