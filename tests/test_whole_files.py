"""Files that are replaced whole or not at all."""

import errno
from pathlib import Path

import pytest

from sstrain.disk import disk_reason, read_json, replacing, write_json, write_text
from sstrain.errors import UserError


def test_a_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old\n")
    with replacing(path) as temporary:
        temporary.write_text("new\r\n", newline="")
        assert path.read_text() == "old\n"
    assert path.read_bytes() == b"new\r\n"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("half of the n")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_round_trips_and_refuses_what_json_has_not(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": [1, 2.5, None, "é\n"]})
    assert read_json(path) == {"a": [1, 2.5, None, "é\n"]}
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": [1, 2.5, None, "é\n"]}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_damaged_json_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json: damaged: it holds no JSON"):
        read_json(path)
    path.write_bytes(b"[]")
    with pytest.raises(UserError, match="expected a JSON object; got list"):
        read_json(path)
    path.unlink()
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_json(path)


def test_reasons_are_plain() -> None:
    assert disk_reason(OSError(errno.ENOSPC, "No space left on device")) == "the disk is full"
    assert "larger than is allowed" in disk_reason(OSError(errno.EFBIG, "File too large"))
    assert disk_reason(OSError(errno.EROFS, "Read-only file system")) == "Read-only file system"
    assert disk_reason(OSError("odd")) == "odd"
