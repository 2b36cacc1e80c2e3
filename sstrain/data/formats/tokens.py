"""From bytes to text, and from text to tokens."""

import re
from collections.abc import Callable

from sstrain.data.bad_lines import BadLineError
from sstrain.data.blocks import Block
from sstrain.data.formats.bad_bytes import unreadable

__all__ = ["WHITESPACE", "checked_pattern", "decoded", "tokenizer"]

#: Stands in the place of a pattern for tokens between white space.
WHITESPACE = "whitespace"


def checked_pattern(pattern: str) -> str:
    """Return a regular expression that compiles.

    Raises
    ------
    ValueError
        If it does not.
    """
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"no regular expression ({error})") from None
    return pattern


def tokenizer(pattern: str) -> Callable[[str], list[str]]:
    """Return a function from text to its tokens: the pattern's matches, but for empty ones."""
    if pattern == WHITESPACE:
        return str.split
    compiled = re.compile(pattern)
    if compiled.groups == 0:
        return lambda text: list(filter(None, compiled.findall(text)))
    return lambda text: [match[0] for match in compiled.finditer(text) if match[0]]


def decoded(block: Block) -> tuple[str, BadLineError | None]:
    """Return the text of a block's lines, as far as they are text.

    Returns
    -------
    text : str
        The lines before the first one that is not UTF-8 or that holds NUL, or all.
    mistake : BadLineError or None
        That one's error, for the caller to raise once the lines before it are known to be good.
    """
    if (mistake := unreadable(block)) is None:
        return block.data.decode(), None
    before, _ = block.around(mistake.line)
    return before.data.decode(), mistake
