"""Arrays of one dimension as numpy writes them, read a piece at a time and never unpickled."""

import lzma
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sstrain.data.wording import reason_of, shown
from sstrain.errors import UserError

__all__ = [
    "DAMAGES",
    "InMemory",
    "Member",
    "Stream",
    "array_at",
    "damaged",
    "member_of",
    "members",
    "small_array",
    "stream_of",
]

_PIECE_BYTES = 1 << 20
_SMALL_BYTES = 1 << 12
#: More than deflate can shrink anything, 1032 times, and bzip2 and LZMA what has a meaning.
_LARGEST_RATIO = 2000
#: What zipfile, its decompressors and numpy's header parser raise for bytes that are damaged.
DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    SyntaxError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Stream(Protocol):
    """An array of one dimension that is read from its beginning to its end."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The elements' type."""

    @property
    def length(self) -> int:
        """How many elements there are."""

    def take(self, count: int) -> NDArray[Any]:
        """Return the next elements, of which there must be so many."""


@dataclass
class InMemory:
    """An array that is there already."""

    array: NDArray[Any]
    position: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the array."""
        return self.array.dtype

    @property
    def length(self) -> int:
        """Its number of elements."""
        return len(self.array)

    def take(self, count: int) -> NDArray[Any]:
        """Return the next elements."""
        self.position += count
        return self.array[self.position - count : self.position]


@dataclass(frozen=True)
class Member:
    """An array in a file, of which the header has been read.

    Attributes
    ----------
    name : str
        What it is called in messages: the file's, and the array's if there are several in it.
    dtype : dtype
        Never of Python objects.
    shape : tuple of int
    is_fortran : bool
        Whether the first index runs fastest.
    file : binary file
        At the first element.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    file: IO[bytes]

    @property
    def length(self) -> int:
        """How many elements there are."""
        return int(np.prod(self.shape, dtype=object))

    def take(self, count: int) -> NDArray[Any]:
        """Return the next elements, as an array of one dimension.

        What is allocated is in proportion to what is there, whatever the header says.
        """
        remaining, pieces = count * self.dtype.itemsize, []
        while remaining > 0:
            piece = self.file.read(min(remaining, _PIECE_BYTES))
            if not piece:
                raise EOFError("the array is cut off")
            pieces.append(piece)
            remaining -= len(piece)
        if self.dtype.itemsize == 0:
            return np.zeros(count, self.dtype)
        return np.frombuffer(b"".join(pieces), self.dtype)

    def whole(self) -> NDArray[Any]:
        """Return all elements, of which none has been taken, as an array of its shape."""
        return self.take(self.length).reshape(self.shape, order="F" if self.is_fortran else "C")


@contextmanager
def damaged(path: str) -> Iterator[None]:
    """Turn whatever damaged bytes can raise into one message.

    Raises
    ------
    UserError
    """
    try:
        yield
    except DAMAGES as error:
        raise UserError(
            f"{path}: damaged, or no file of numpy's; {reason_of(error)}; expected what "
            "scipy.sparse.save_npz writes, and labels as numpy writes them"
        ) from None


def array_at(file: IO[bytes], name: str, num_bytes: int) -> Member:
    """Read an array's header.

    Parameters
    ----------
    file : binary file
    name : str
    num_bytes : int
        The file's size, which the header has to agree with.

    Raises
    ------
    UserError
        For Python objects, which loading would unpickle.
    ValueError and others
        See `damaged`.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"{name} is in version {version} of numpy's format")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of files that numpy wrote on Python 2
        if version == (1, 0):
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise UserError(
            f"{name}: holds Python objects, which are never unpickled; expected numbers or text "
            "of a fixed width, as numpy.asarray(labels, dtype=str)"
        )
    member = Member(name, dtype, shape, is_fortran, file)
    if min(shape, default=0) < 0 or member.length * max(dtype.itemsize, 1) > num_bytes:
        raise ValueError(f"{name} says that it has {shape} elements, in {num_bytes:,} bytes")
    return member


def members(archive: zipfile.ZipFile, path: str) -> dict[str, zipfile.ZipInfo]:
    """Return what a zip file holds, by the arrays' names.

    Raises
    ------
    UserError
        If a member says that it is larger than its compressed bytes can make it.
    """
    for info in archive.infolist():
        if info.file_size > _LARGEST_RATIO * info.compress_size:
            raise UserError(
                f"{path}: {shown(info.filename)} is said to have {info.file_size:,} bytes; found "
                f"{info.compress_size:,} compressed ones; expected a whole file"
            )
    return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def stream_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> Member:
    """Return an array of one dimension in a zip file, to be read piece by piece."""
    member = member_of(archive, info, path)
    if len(member.shape) != 1:
        raise UserError(f"{member.name}: expected one dimension; found the shape {member.shape}")
    return member


def member_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> Member:
    """Return an array in a zip file; whoever takes from it reads the file."""
    return array_at(archive.open(info), f"{path}: {info.filename}", info.file_size)


def small_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> NDArray[Any]:
    """Return an array in a zip file that holds a few values, of one dimension."""
    if info.file_size > _SMALL_BYTES:
        raise ValueError(f"{info.filename} has {info.file_size:,} bytes")
    member = member_of(archive, info, path)
    return member.take(member.length)
