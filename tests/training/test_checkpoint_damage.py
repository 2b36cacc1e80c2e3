"""What damage to checkpoints does, and what a full disk does."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from checkpointing import no_report, save

from sstrain.errors import FailureError, UserError
from sstrain.training.checkpoint import verify
from sstrain.training.checkpoints import Checkpoints


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "file", ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]
)
@pytest.mark.parametrize("damage", [flip_a_byte, os.remove, lambda path: os.truncate(path, 9)])
def test_a_damaged_checkpoint_is_said_and_the_one_before_it_is_used(
    folder: Path, file: str, damage: Any
) -> None:
    checkpoints = Checkpoints(folder, keep=2)
    save(checkpoints, 1, 2, best=2)
    damage(folder / "step-000000002" / file)
    assert verify(folder / "step-000000002") == [file]
    lines: list[str] = []
    found = checkpoints.latest_whole(lines.append)
    assert found is not None
    assert found.step == 1
    assert lines == [
        f"{folder}/step-000000002: damaged: missing, or not as its SHA-256 says: {file}",
        f"{folder}/step-000000001: used instead of the checkpoint of step 2",
    ]
    assert checkpoints.linked("last") == 1
    assert checkpoints.linked("best") is None  # none was when step 1 was written
    save(checkpoints, 2, best=2)
    assert verify(checkpoints.find("best")) == []
    assert checkpoints.steps() == [1, 2]


def test_a_damaged_later_checkpoint_does_not_crowd_out_a_new_one(folder: Path) -> None:
    checkpoints = Checkpoints(folder, keep=2)
    save(checkpoints, 10, 20)
    flip_a_byte(folder / "step-000000020" / "model.safetensors")
    lines: list[str] = []
    checkpoints.latest_whole(lines.append)
    save(Checkpoints(folder, keep=1), 15)
    assert checkpoints.steps() == [15]
    assert checkpoints.linked("last") == 15


def test_no_run_goes_on_without_its_optimizer(folder: Path) -> None:
    checkpoints = Checkpoints(folder)
    save(checkpoints, 1, 2, best=1)
    flip_a_byte(folder / "step-000000002" / "model.safetensors")
    lines: list[str] = []
    with pytest.raises(FailureError, match="--overwrite"):
        checkpoints.latest_whole(lines.append)
    assert len(lines) == 1
    found = checkpoints.open_for_reading("last", lines.append)
    assert found.step == 1
    assert len(lines) == 3


def test_reading_minds_damage_to_what_is_read_alone(folder: Path) -> None:
    checkpoints = Checkpoints(folder, keep=3)
    save(checkpoints, 1, 2, 3, best=2)
    flip_a_byte(folder / "step-000000002" / "optimizer.safetensors")
    assert checkpoints.open_for_reading("best", no_report).step == 2
    assert checkpoints.open_for_reading("best", lambda line: None, parts=None).step == 1
    assert checkpoints.open_for_reading("last", no_report).step == 3
    assert checkpoints.open_for_reading(1, no_report).step == 1
    flip_a_byte(folder / "step-000000001" / "model.safetensors")
    lines: list[str] = []
    with pytest.raises(FailureError, match="neither checkpoint 1 nor one before it is whole"):
        checkpoints.open_for_reading(1, lines.append)
    assert lines == [
        f"{folder}/step-000000001: damaged: missing, or not as its SHA-256 says: model.safetensors"
    ]


def test_another_format_version_is_the_users_to_know(folder: Path) -> None:
    checkpoints = Checkpoints(folder)
    save(checkpoints, 1)
    manifest = folder / "step-000000001" / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "format_version": 99}))
    with pytest.raises(UserError, match="format version 99; this sstrain reads version 1"):
        checkpoints.latest_whole(no_report)
    with pytest.raises(UserError, match="format version 99"):
        checkpoints.open_for_reading("last", no_report)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"format_version": 1}',
        '{"format_version": 1, "best": "1", "files": {}}',
        '{"format_version": 1, "best": null, "files": {"../../x": {"bytes": 1, "sha256": ""}}}',
        '{"format_version": 1, "best": null, "files": {"x": {"bytes": "1", "sha256": ""}}}',
        '{"format_version": 1, "best": null, "files": {"x": 3}}',
    ],
)
def test_a_manifest_of_anothers_making_is_damage(folder: Path, content: str) -> None:
    save(Checkpoints(folder), 1)
    (folder / "step-000000001" / "manifest.json").write_text(content)
    assert verify(folder / "step-000000001") == ["manifest.json"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_leaves_the_last_good_checkpoint(
    folder: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(folder)
    save(checkpoints, 1, best=1)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}

    def fail(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FailureError) as caught:
        save(checkpoints, 2)
    monkeypatch.undo()
    reason = os.strerror(code) if code == errno.EIO else "the disk is full"
    assert str(caught.value) == (
        f"{folder}: the checkpoint of step 2 could not be written: {reason}; "
        f"the one of step 1 stays"
    )
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
    save(checkpoints, 2)
    assert checkpoints.steps() == [1, 2]
