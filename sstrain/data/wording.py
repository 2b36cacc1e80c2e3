"""Words of others in our messages: names from files, and what libraries say."""

from collections.abc import Collection

__all__ = ["joined", "listed", "printable", "reason_of", "shown"]

_LONGEST_NAME = 60
_LONGEST_REASON = 200
_MOST_PARTS = 10


def shown(name: object) -> str:
    """Return a name, or another value from a file, in quotes; cut if it is long."""
    text = repr(name)
    return text if len(text) <= _LONGEST_NAME + 2 else text[:_LONGEST_NAME] + "..."


def listed(names: Collection[str]) -> str:
    """Return the first of some names in quotes, and how many more there are."""
    return joined([shown(name) for name in names])


def joined(parts: Collection[str]) -> str:
    """Return the first of some parts of a list, and how many more there are."""
    left = len(parts) - _MOST_PARTS
    return ", ".join(list(parts)[:_MOST_PARTS]) + (f" and {left:,} more" if left > 0 else "")


def printable(text: str, longest: int = _LONGEST_NAME) -> str:
    """Return a text without quotes, cut, its control characters escaped."""
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text[:longest])


def reason_of(error: BaseException) -> str:
    """Return the first line of what a library says of an error."""
    line = str(error).strip().partition("\n")[0]
    return printable(line, _LONGEST_REASON).rstrip(". ") or type(error).__name__
