"""gzip and zstd, told by a file's first bytes."""

import zlib
from collections.abc import Callable, Iterator

from sstrain.errors import UserError

__all__ = ["decompressed"]

#: The most that one piece of compressed data is let swell to at a time.
_OUTPUT_BYTES = 1 << 20
#: Compressed bytes given to zstd at a time, which sets no such bound itself.
_INPUT_BYTES = 1 << 12


class _DamagedError(Exception):
    """Compressed data end early or are not what they should be."""


def decompressed(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a file's content, decompressed if its first bytes say that it is compressed.

    Files of several gzip members or zstd frames are read to their end.

    Parameters
    ----------
    name : str
        The file, for messages.
    pieces : iterator of bytes
        The file as it is stored; the first piece holds its first bytes.

    Raises
    ------
    UserError
        If the compressed data are cut off or damaged.
    """
    first = next(pieces, b"")
    kind, decompress = _kind(first)
    try:
        yield from decompress(_prepended(first, pieces))
    except _DamagedError as error:
        raise UserError(
            f"{name}: damaged {kind} data; {error}; expected a whole {kind} file"
        ) from None


def _kind(start: bytes) -> tuple[str, Callable[[Iterator[bytes]], Iterator[bytes]]]:
    if start.startswith(b"\x1f\x8b"):
        return "gzip", _from_gzip
    # A zstd file may begin with a frame to be skipped, of one of sixteen kinds.
    if start.startswith(b"\x28\xb5\x2f\xfd") or (
        start[1:4] == b"\x2a\x4d\x18" and start[0] >> 4 == 5
    ):
        return "zstd", _from_zstd
    return "plain", iter


def _prepended(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces


def _from_gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    try:
        for piece in pieces:
            while piece:
                if member.eof:
                    piece = piece.lstrip(b"\0")  # padding, as tape archives have
                    if not piece:
                        break
                    member = zlib.decompressobj(wbits=31)
                yield member.decompress(piece, _OUTPUT_BYTES)
                piece = member.unused_data if member.eof else member.unconsumed_tail
        if not member.eof:
            yield member.flush()
    except zlib.error as error:
        raise _DamagedError(str(error).rpartition(": ")[2]) from None
    if not member.eof:
        raise _DamagedError("they end early")


def _from_zstd(pieces: Iterator[bytes]) -> Iterator[bytes]:
    import zstandard

    decompressor = zstandard.ZstdDecompressor()
    frame = decompressor.decompressobj()
    try:
        for piece in pieces:
            for start in range(0, len(piece), _INPUT_BYTES):
                part = piece[start : start + _INPUT_BYTES]
                while part:
                    if frame.eof:
                        frame = decompressor.decompressobj()
                    yield frame.decompress(part)
                    part = frame.unused_data if frame.eof else b""
    except zstandard.ZstdError as error:
        raise _DamagedError(str(error).rpartition(": ")[2]) from None
    if not frame.eof:
        raise _DamagedError("they end early")
