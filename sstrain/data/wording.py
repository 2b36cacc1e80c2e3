"""Words of others in our messages: names from files, and what libraries say of them."""

from collections.abc import Collection

__all__ = ["listed", "reason_of", "shown"]

_LONGEST_NAME = 60
_LONGEST_REASON = 200
_MOST_NAMES = 10


def shown(name: object) -> str:
    """Return a name, or another value from a file, in quotes; cut if it is long."""
    text = repr(name)
    return text if len(text) <= _LONGEST_NAME + 2 else text[:_LONGEST_NAME] + "..."


def listed(names: Collection[str]) -> str:
    """Return the first of some names in quotes, and how many more there are."""
    first = ", ".join(shown(name) for name in list(names)[:_MOST_NAMES])
    left = len(names) - _MOST_NAMES
    return f"{first} and {left:,} more" if left > 0 else first


def reason_of(error: BaseException) -> str:
    """Return the first line of a library's error, cut, with control characters escaped."""
    line = str(error).strip().partition("\n")[0][:_LONGEST_REASON]
    printable = (mark if mark.isprintable() else repr(mark)[1:-1] for mark in line)
    return "".join(printable).rstrip(". ") or type(error).__name__
