"""Bytes in: plain, gzip and zstd files, in blocks of whole lines."""

import gzip
import hashlib
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import written

from sstrain.data import blocks as blocks_of_lines
from sstrain.data import files
from sstrain.data.blocks import Block, line_blocks
from sstrain.data.files import DataFile, read_blocks, read_lines
from sstrain.errors import UserError

CONTENT = b"".join(b"%d some words on a line\n" % i for i in range(5000))


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def skippable(data: bytes) -> bytes:
    return struct.pack("<II", 0x184D2A53, len(data)) + data


def read(path: Path) -> bytes:
    return b"".join(block.data for block in read_blocks([str(path)]))


def message(path: Path | str) -> str:
    with pytest.raises(UserError) as error:
        list(read_blocks([str(path)]))
    return str(error.value)


@pytest.mark.parametrize(
    "stored",
    [
        CONTENT,
        gzip.compress(CONTENT),
        gzip.compress(CONTENT[:700]) + gzip.compress(b"") + gzip.compress(CONTENT[700:]),
        gzip.compress(CONTENT) + bytes(1024),
        zstd(CONTENT),
        zstd(CONTENT[:700]) + zstd(b"") + zstd(CONTENT[700:]),
        skippable(b"note") + zstd(CONTENT) + skippable(b""),
        zstandard.ZstdCompressor(write_checksum=True, level=19).compress(CONTENT),
    ],
    ids=["plain", "gzip", "members", "padded", "zstd", "frames", "skippable", "checksum"],
)
@pytest.mark.parametrize("piece_bytes", [8, 1 << 18])
def test_the_first_bytes_tell_how_a_file_is_compressed(
    stored: bytes, piece_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PIECE_BYTES", piece_bytes)
    path = written(tmp_path, stored, "misleading.bz2")
    assert read(path) == CONTENT


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_compressed_zeros_do_not_swell_at_once(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    content = bytes(50_000_000) + b"\n"
    assert read(written(tmp_path, compress(content))) == content


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_a_truncated_archive_is_named(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    stored = compress(CONTENT)
    kind = "gzip" if compress is gzip.compress else "zstd"
    for length in (5, len(stored) // 2, len(stored) - 1):
        path = written(tmp_path, stored[:length])
        expected = f"{path}: damaged {kind} data; they end early; expected a whole {kind} file"
        assert message(path) == expected


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    stored = bytearray(gzip.compress(CONTENT))
    stored[-6] ^= 1
    path = written(tmp_path, bytes(stored))
    assert message(path) == (
        f"{path}: damaged gzip data; incorrect data check; expected a whole gzip file"
    )
    path = written(tmp_path, gzip.compress(CONTENT) + b"no member")
    assert message(path).startswith(f"{path}: damaged gzip data; incorrect header check;")
    stored = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(CONTENT))
    stored[-2] ^= 1
    path = written(tmp_path, bytes(stored))
    assert message(path).startswith(f"{path}: damaged zstd data;")


def test_files_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert message(tmp_path / "none") == f"{tmp_path}/none: no such file"
    assert message(tmp_path) == f"{tmp_path}: is a folder; expected a file, or a list of files"

    def refuse(path: str, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "open", refuse, raising=False)
    assert message("secret") == "secret: may not be read; permission denied"


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(CONTENT),))
    writer.start()
    assert read(path) == CONTENT
    writer.join()


def test_lines_are_numbered_on_over_files_and_places_in_each(tmp_path: Path) -> None:
    first = written(tmp_path, "a\nb", "first")
    second = written(tmp_path, "", "second")
    third = written(tmp_path, "\xefc\r\n\nd\n", "third")
    blocks = list(read_blocks([str(first), str(second), str(third)]))
    assert blocks == [
        Block(b"a\nb\n", str(first), 1, 0),
        Block("\xefc\r\n\nd\n".encode(), str(third), 3, 2),
    ]
    assert blocks[1].place(blocks[1].data.index(b"d")) == f"{third}:3:1"
    assert blocks[1].place(blocks[1].data.index(b"c")) == f"{third}:1:2"


def test_files_are_described_as_they_are_stored(tmp_path: Path) -> None:
    stored = [gzip.compress(b"a\n"), b"", b"b"]
    paths = [str(written(tmp_path, data, str(i))) for i, data in enumerate(stored)]
    found: list[DataFile] = []
    list(read_blocks(paths, found.append))
    assert found == [
        DataFile(path, len(data), hashlib.sha256(data).hexdigest())
        for path, data in zip(paths, stored, strict=True)
    ]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf1 2:3\n\xef\xbb\xbf\n")
    assert read(path) == b"1 2:3\n\xef\xbb\xbf\n"
    assert [block.data for block in line_blocks([b"\xef\xbb\xbf1"], "-")] == [b"1\n"]
    assert [block.data for block in line_blocks([b"\xef\xbb\xbf1"], "-", 7)] == [b"\xef\xbb\xbf1\n"]


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=20),
    block_bytes=st.integers(1, 40),
    piece_bytes=st.integers(1, 40),
    is_ended=st.booleans(),
)
def test_blocks_hold_whole_lines(
    lines: list[bytes],
    block_bytes: int,
    piece_bytes: int,
    is_ended: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    content = b"%" + b"\n".join(lines) + (b"\n" if is_ended else b"")
    path = written(tmp_path_factory.mktemp("blocks"), content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_of_lines, "_BLOCK_BYTES", block_bytes)
        patch.setattr(files, "_PIECE_BYTES", piece_bytes)
        blocks = list(read_blocks([str(path)]))
    assert all(block.data.endswith(b"\n") for block in blocks)
    expected = content if content.endswith(b"\n") else content + b"\n"
    assert b"".join(block.data for block in blocks) == expected
    seen = 0
    for block in blocks:
        assert block.first_line == seen + 1
        seen += block.data.count(b"\n")
    assert list(read_lines(str(path))) == expected[:-1].split(b"\n")
