"""What is kept, and what the links say."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from checkpointing import no_report, save, small_parts

from sstrain.errors import UserError
from sstrain.training.checkpoint import verify
from sstrain.training.checkpoints import Checkpoints
from sstrain.training.format import FORMAT_VERSION


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_is_a_folder_of_parts_with_a_state_and_a_manifest(folder: Path) -> None:
    path = Checkpoints(folder).save(7, small_parts(7), {"epoch": 1, "position": 3}, best=True)
    assert path == folder / "step-000000007"
    assert names(folder) == ["best", "last", "step-000000007"]
    tensors = ["model.safetensors", "optimizer.safetensors", "sampler.safetensors"]
    assert names(path) == ["manifest.json", *tensors, "state.json"]
    assert json.loads((path / "state.json").read_text()) == {"step": 7, "epoch": 1, "position": 3}
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["format_version"] == FORMAT_VERSION
    assert manifest["files"] == {
        name: {
            "bytes": (path / name).stat().st_size,
            "sha256": hashlib.sha256((path / name).read_bytes()).hexdigest(),
        }
        for name in [*tensors, "state.json"]
    }
    loaded = safetensors.numpy.load_file(path / "model.safetensors")
    assert np.array_equal(loaded["weight"], small_parts(7)["model"]["weight"])
    assert verify(path) == []


def test_equal_weights_are_equal_files(folder: Path, tmp_path: Path) -> None:
    first = Checkpoints(folder).save(1, small_parts(5), {}, best=False)
    second = Checkpoints(tmp_path / "other").save(2, small_parts(5), {"epoch": 2}, best=True)
    for name in ("model.safetensors", "optimizer.safetensors", "sampler.safetensors"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_run_goes_on_from_the_newest(folder: Path) -> None:
    checkpoints = Checkpoints(folder, keep=2)
    assert checkpoints.latest_whole(no_report) is None
    save(checkpoints, 1, 2, best=1)
    found = Checkpoints(folder).latest_whole(no_report)
    assert found is not None
    assert (found.step, found.best) == (2, 1)
    assert found.state == {"step": 2, "epoch": 0, "position": 2}
    assert np.array_equal(found.open("model")["weight"], small_parts(2)["model"]["weight"])
    live = {"squares": np.zeros((3, 4), np.float32)}
    found.read_into("optimizer", live)
    assert np.array_equal(live["squares"], small_parts(2)["optimizer"]["squares"])
    with pytest.raises(UserError, match="cannot be read"):
        found.open("other")


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_most_recent_and_the_best_are_kept(folder: Path, keep: int) -> None:
    checkpoints = Checkpoints(folder, keep)
    save(checkpoints, 1, 2, 3, 4, 5, best=2)
    recent = list(range(6 - keep, 6))
    assert checkpoints.steps() == sorted({2, *recent})
    assert os.readlink(folder / "last") == "step-000000005"
    assert os.readlink(folder / "best") == "step-000000002"
    for step in checkpoints.steps():
        path = checkpoints.find(step)
        assert verify(path) == []
        assert (path / "optimizer.safetensors").exists() == (step in recent)
    assert not [name for name in names(folder) if name.startswith(".")]


def test_a_new_best_takes_the_place_of_the_old_one(folder: Path) -> None:
    checkpoints = Checkpoints(folder)
    kept = []
    for step in (1, 2, 3, 4):
        save(checkpoints, step, best=step if step in (1, 3) else None)
        kept.append((checkpoints.steps(), checkpoints.linked("best")))
    assert kept == [([1], 1), ([1, 2], 1), ([3], 3), ([3, 4], 3)]


@pytest.mark.parametrize("left", [".partial-step-000000002", ".partial-step-000000003"])
def test_what_a_kill_left_is_cleared_away(folder: Path, left: str) -> None:
    checkpoints = Checkpoints(folder)
    for saved in (False, True):
        (folder / left).mkdir(parents=True)
        (folder / left / "model.safetensors").write_bytes(b"half")
        (folder / ".removed-step-000000001").mkdir()
        (folder / ".last.partial").symlink_to("step-000000001")
        if saved:
            checkpoints.latest_whole(no_report)
        else:
            save(checkpoints, 2)
        assert names(folder) == ["last", "step-000000002"]


def test_a_step_that_exists_is_replaced(folder: Path) -> None:
    checkpoints = Checkpoints(folder)
    save(checkpoints, 3, best=3)
    checkpoints.save(3, small_parts(9), {"epoch": 5}, best=False)
    found = checkpoints.latest_whole(no_report)
    assert found is not None
    assert found.state == {"step": 3, "epoch": 5}
    assert found.best == 3
    assert found.open("model")["weight"][0, 0] == 9
    assert names(folder) == ["best", "last", "step-000000003"]


@pytest.mark.parametrize("which", ["best", 3, 0, -1])
def test_a_checkpoint_that_does_not_exist_lists_those_that_do(
    folder: Path, which: str | int
) -> None:
    checkpoints = Checkpoints(folder, keep=2)
    with pytest.raises(UserError, match=f"no checkpoint {which}; there is none yet"):
        checkpoints.find(which)
    save(checkpoints, 1, 2)
    with pytest.raises(UserError, match=f"no checkpoint {which}; there are 1, 2"):
        checkpoints.find(which)
    assert checkpoints.find("last") == folder / "step-000000002"


def test_all_is_on_the_disk_before_it_gets_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(Checkpoints(folder), 1)
    events: list[str] = []
    real_fsync, real_rename, real_replace = os.fsync, os.rename, os.replace

    def fsync(descriptor: int) -> None:
        events.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")
        real_fsync(descriptor)

    def rename(source: Path, target: Path) -> None:
        events.append(f"move {Path(target).name}")
        real_rename(source, target)

    def replace(source: Path, target: Path) -> None:
        events.append(f"move {Path(target).name}")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "replace", replace)
    save(Checkpoints(folder), 2)
    in_place = events.index("move step-000000002")
    before, after = events[:in_place], events[in_place + 1 :]
    for name in ("model.safetensors", "optimizer.safetensors", "sampler.safetensors"):
        assert f"sync {name}" in before
    for name in ("state.json", "manifest.json"):
        assert before.index(f"sync .{name}.partial") < before.index(f"move {name}")
    assert before[-1] == "sync .partial-step-000000002"
    assert after[0] == "sync checkpoints"
    removed = after.index("move .removed-step-000000001")
    assert after[:removed] == ["sync checkpoints", "move last", "sync checkpoints"]


def test_all_of_a_runs_checkpoints_are_removed_and_nothing_else(folder: Path) -> None:
    checkpoints = Checkpoints(folder, keep=2)
    checkpoints.remove_all()
    save(checkpoints, 1, 2, best=1)
    (folder / ".partial-step-000000003").mkdir()
    (folder / "notes.txt").write_text("mine")
    checkpoints.remove_all()
    assert names(folder) == ["notes.txt"]
    (folder / "notes.txt").unlink()
    checkpoints.remove_all()
    assert not folder.exists()
