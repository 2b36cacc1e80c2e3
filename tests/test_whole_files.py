"""Files that are replaced whole or not at all."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sstrain import disk
from sstrain.disk import (
    disk_reason,
    placing_folder,
    read_json,
    replacing,
    replacing_all,
    temporary_folder,
    write_json,
    write_text,
)
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


def test_files_that_belong_together_are_replaced_when_all_are_whole(tmp_path: Path) -> None:
    paths = [tmp_path / "names.txt", tmp_path / "a.txt"]
    write_text(paths[0], "old")
    with pytest.raises(OSError, match="full"), replacing_all(paths) as (names, _):  # noqa: PT012
        names.write_text("new")
        raise OSError(errno.ENOSPC, "full")
    with pytest.raises(FileNotFoundError), replacing_all(paths) as (names, _):
        names.write_text("new")  # and the other file is never written
    assert paths[0].read_text() == "old"
    assert list(tmp_path.iterdir()) == paths[:1]
    with replacing_all(paths) as temporaries:
        for temporary in temporaries:
            temporary.write_text("new")
    assert [path.read_text() for path in paths] == ["new", "new"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_a_folder_takes_its_place_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder"
    with placing_folder(path) as temporary:
        (temporary / "a").write_text("new")
        assert not path.exists()
    with placing_folder(path) as temporary:
        (temporary / "a").write_text("second")
    assert (path / "a").read_text() == "new"
    with placing_folder(path, replace=True) as temporary:
        (temporary / "a").write_text("third")
        assert (path / "a").read_text() == "new"
    assert (path / "a").read_text() == "third"
    with pytest.raises(KeyboardInterrupt), placing_folder(path, replace=True) as temporary:
        raise KeyboardInterrupt
    assert (path / "a").read_text() == "third"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "a").write_text("old")
    rename = os.rename

    def failing(source: Path, target: Path) -> None:
        if target == path and not (source / "a").exists():
            raise OSError(errno.EIO, "broken")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="broken"), placing_folder(path, replace=True):
        pass
    assert (path / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_a_folder_is_replaced_and_its_folder_stays(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / "link"
    other.mkdir()
    link.symlink_to(other)
    with placing_folder(link, replace=True) as temporary:
        (temporary / "a").write_text("new")
    assert sorted(tmp_path.iterdir()) == [link, other]
    assert not link.is_symlink()
    assert list(other.iterdir()) == []


def test_what_a_kill_leaves_goes_with_the_next_call(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from sstrain.disk import temporary_folder\n"
        "with temporary_folder(Path(sys.argv[1])) as f: (f / 'a').write_text('b'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 9
    (left,) = tmp_path.iterdir()
    foreign = tmp_path / ".partial-of-another-program"
    foreign.mkdir()
    with temporary_folder(tmp_path) as held:
        assert left.exists()  # too young: its maker may be about to lock it
        for folder in (left, foreign, held):
            os.utime(folder, (time.time() - 3600,) * 2)
        with temporary_folder(tmp_path) as another:
            assert {*tmp_path.iterdir()} == {foreign, held, another}
    assert list(tmp_path.iterdir()) == [foreign]


@pytest.mark.parametrize("reason", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(disk, "_STALE_SECONDS", 0)
    with temporary_folder(tmp_path) as held, placing_folder(tmp_path / "a"):
        assert held.exists()  # whether it is stale cannot be told
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
