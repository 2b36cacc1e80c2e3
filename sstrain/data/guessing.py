"""Which format a file is in, told from its first lines."""

import re
from itertools import islice

from sstrain.data.files import read_lines

__all__ = ["guess_format"]

_LINES = 200
_SVMLIGHT_ROW = re.compile(rb"\s*[-+.\deE]+(\s+(qid|\d+):[^\s#]+)*\s*(#.*)?")


def guess_format(path: str) -> str:
    """Return ``svmlight`` if the first lines read as labels and ``index:value`` pairs.

    Anything else that is text is a ``sequence``. Lines that are blank or comments tell nothing,
    and labels alone, without a single pair, are taken for tokens.

    Raises
    ------
    UserError
        If the file cannot be read.
    """
    lines = [line for line in islice(read_lines(path), _LINES) if line.split(b"#")[0].strip()]
    rows = [line for line in lines if _SVMLIGHT_ROW.fullmatch(line)]
    return "svmlight" if rows == lines and any(b":" in row for row in rows) else "sequence"
