"""Bytes that no text holds, and which of several mistakes in a block stands first."""

from sstrain.data.bad_lines import BadLineError
from sstrain.data.blocks import Block

__all__ = ["raise_first", "unreadable"]


def unreadable(block: Block) -> BadLineError | None:
    """Return the error of the first line that holds a NUL or is not UTF-8; None without one."""
    nul = block.data.find(b"\0")
    text = block.data if nul < 0 else block.data[:nul]
    try:
        text.decode()
    except UnicodeDecodeError as error:
        found = f"the byte 0x{block.data[error.start]:02x}"
        return block.bad(error.start, "not UTF-8", found, "text in UTF-8")
    if nul >= 0:
        return block.bad(nul, "a NUL character", b"\0", "text in UTF-8")
    return None


def raise_first(*mistakes: BadLineError | None) -> None:
    """Raise the one of the mistakes in a block whose line is the first, if there are any."""
    found = [mistake for mistake in mistakes if mistake is not None]
    if found:
        raise min(found, key=lambda mistake: mistake.line)
