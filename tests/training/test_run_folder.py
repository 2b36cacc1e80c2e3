"""What may be written into a run's folder, and what it takes to open one."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sstrain.config import Config, load
from sstrain.data.vocabulary import VOCABULARY_FILES
from sstrain.errors import FailureError, UserError
from sstrain.training.checkpoints import Checkpoints
from sstrain.training.environment import environment
from sstrain.training.format import FORMAT_VERSION
from sstrain.training.metrics import MetricsSink
from sstrain.training.run_folder import RunFolder, open_run


def config(tmp_path: Path, *overrides: str) -> Config:
    file = tmp_path / "train.yaml"
    file.write_text("data: {train: {path: a.txt, format: sequence}}\n")
    return load(file, overrides)


def described(*files: tuple[str, str]) -> dict[str, Any]:
    data_files = [{"path": path, "bytes": 1, "sha256": sha256} for path, sha256 in files]
    return {**environment(2, []), "data_files": data_files}


DATA = described(("/data/a.txt", "a" * 64), ("/data/b.txt", "b" * 64))


def train(folder: RunFolder, config: Config, *steps: int) -> None:
    """Leave what a run leaves."""
    with folder.locked():
        folder.prepare(config, DATA, resuming=False)
        for name in VOCABULARY_FILES:
            (folder.path / name).write_text("a\n")
        with MetricsSink(folder.metrics) as sink:
            sink.write({"event": "train"})
        folder.picture.write_bytes(b"png")
        for step in steps:
            parts = {"model": {"a": np.zeros(2)}, "optimizer": {}}
            Checkpoints(folder.checkpoints, 2).save(step, parts, {}, best=False)


def contents(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "a folder with other files"])
def test_a_run_begins_where_no_run_is(tmp_path: Path, there: str) -> None:
    path = tmp_path / "runs" / "a"
    if there != "nothing":
        path.mkdir(parents=True)
    if there == "a folder with other files":
        (path / "notes.txt").write_text("mine")
    before = contents(tmp_path)
    folder = RunFolder(path)
    new = config(tmp_path)
    before["train.yaml"] = (tmp_path / "train.yaml").read_bytes()
    for flags in ({}, {"resume": True}, {"overwrite": True}):
        assert folder.check(new, **flags) is False
    assert contents(tmp_path) == before
    assert path.exists() == (there != "nothing")
    with folder.locked():
        folder.prepare(new, DATA, resuming=False)
    assert json.loads(folder.environment.read_text()) == DATA
    run = open_run(path)
    assert run.config == new
    assert run.environment["format_version"] == FORMAT_VERSION
    assert run.checkpoints.steps() == []
    assert (path / "notes.txt").exists() == (there == "a folder with other files")


def test_a_run_is_not_written_over_unasked(tmp_path: Path) -> None:
    folder, same = RunFolder(tmp_path / "run"), config(tmp_path)
    train(folder, same, 1)
    before = contents(folder.path)
    with pytest.raises(UserError) as caught:
        folder.check(same)
    (message,) = caught.value.messages
    assert message.startswith(f"{folder.path}: holds a run already")
    assert all(word in message for word in ("--resume", "--overwrite", "--output", "metrics.jsonl"))
    assert contents(folder.path) == before


@pytest.mark.parametrize(
    "name", ["config.yaml", "metrics.jsonl", "classes.txt", "features.txt", "loss.png"]
)
@pytest.mark.parametrize("flag", ["resume", "overwrite"])
def test_files_by_our_names_that_are_of_no_run_are_safe(
    tmp_path: Path, name: str, flag: str
) -> None:
    path = tmp_path / "mine"
    path.mkdir()
    (path / name).write_text("mine")
    with pytest.raises(UserError, match=f"holds {name}, but no environment.json"):
        RunFolder(path).check(config(tmp_path), **{flag: True})
    assert contents(path) == {name: b"mine"}


def test_overwriting_removes_what_a_run_left_and_nothing_else(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    train(folder, config(tmp_path), 1, 2)
    (folder.path / "notes.txt").write_text("mine")
    (folder.checkpoints / "notes.txt").write_text("mine")
    (folder.path / ".loss.png.partial").write_text("left by a kill")
    other = config(tmp_path, "seed=2")
    assert folder.check(other, overwrite=True) is False
    with folder.locked():
        folder.prepare(other, DATA, resuming=False)
    assert sorted(contents(folder.path)) == [
        ".lock",
        "checkpoints/notes.txt",
        "config.yaml",
        "environment.json",
        "notes.txt",
    ]
    assert open_run(folder.path).config == other


def test_a_run_without_a_checkpoint_is_resumed_afresh(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    train(folder, config(tmp_path))
    (folder.checkpoints / ".partial-step-000000001").mkdir(parents=True)
    other = config(tmp_path, "seed=2")
    assert folder.check(other, resume=True) is False
    with folder.locked():
        folder.prepare(other, DATA, resuming=False)
    assert sorted(contents(folder.path)) == [".lock", "config.yaml", "environment.json"]
    assert not folder.checkpoints.exists()


def test_a_run_with_a_checkpoint_is_resumed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    train(folder, config(tmp_path), 1)
    before = contents(folder.path)
    more = config(tmp_path, "training.threads=7", "checkpoint.keep=5")
    assert folder.check(more, resume=True) is True
    folder.check_data_files(DATA)
    assert contents(folder.path) == before
    with folder.locked():
        folder.prepare(more, DATA, resuming=True)
    after = contents(folder.path)
    assert after.keys() == before.keys()
    assert [name for name in after if after[name] != before[name]] == ["config.yaml"]
    assert open_run(folder.path).config == more


def test_another_config_is_not_resumed_and_every_difference_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    train(folder, config(tmp_path), 1)
    with pytest.raises(UserError) as caught:
        folder.check(config(tmp_path, "seed=2", "training.epochs=9"), resume=True)
    first, second = caught.value.messages
    assert first.startswith(f"{folder.config}: seed: 1 in the run, 2 now")
    assert second.startswith(f"{folder.config}: training.epochs: 3 in the run, 9 now")


def test_other_data_are_not_resumed_and_every_file_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    train(folder, config(tmp_path), 1)
    now = described(("/data/a.txt", "a" * 64), ("/data/b.txt", "c" * 64), ("/data/d.txt", "d" * 64))
    with pytest.raises(UserError) as caught:
        folder.check_data_files(now)
    first, second = caught.value.messages
    assert first.startswith("/data/b.txt: ")
    assert "found SHA-256 cccccccccccc...; expected bbbbbbbbbbbb..." in first
    assert second.startswith("/data/d.txt: ")
    folder.environment.write_text('{"data_files": [3, {"path": []}]}')
    with pytest.raises(UserError):
        folder.check_data_files(now)


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    folder, same = RunFolder(tmp_path / "run"), config(tmp_path)
    train(folder, same, 1)
    for version, said in ((FORMAT_VERSION + 1, "2"), (None, "missing"), ("1", "1"), (True, "True")):
        folder.environment.write_text(json.dumps({**DATA, "format_version": version}))
        for act in (lambda: open_run(folder.path), lambda: folder.check(same, resume=True)):
            with pytest.raises(UserError, match=f"format version {said}; this sstrain reads"):
                act()
        assert folder.check(same, overwrite=True) is False


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path / "file", tmp_path / "file" / "run", tmp_path / "broken"):
        with pytest.raises(UserError, match="is not a folder"):
            RunFolder(path).check(config(tmp_path))
        with pytest.raises(UserError), RunFolder(path).locked():
            pass


def test_a_place_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = config(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(UserError, match="cannot be written; give another --output"):
        RunFolder(tmp_path / "runs" / "a").check(new)


def test_a_full_disk_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path / "run")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with folder.locked():
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(FailureError, match="cannot be written: the disk is full"):
            folder.prepare(config(tmp_path), DATA, resuming=False)


def test_what_is_no_run_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist; expected the folder of a run"):
        open_run(tmp_path / "missing")
    with pytest.raises(UserError, match=r"is not the folder of a run: there is no config\.yaml"):
        open_run(tmp_path)
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    with pytest.raises(UserError, match=r"there is no environment\.json"):
        open_run(tmp_path)
    with pytest.raises(UserError, match="is not the folder of a run"):
        open_run(tmp_path / "config.yaml")


def test_the_config_trains_the_same_run_again(tmp_path: Path) -> None:
    folder, new = RunFolder(tmp_path / "run"), config(tmp_path, "training.epochs=4")
    train(folder, new)
    assert load(folder.config) == new
    assert yaml.safe_load(folder.config.read_text())["training"]["epochs"] == 4


HOLD = """
import sys
from pathlib import Path
from sstrain.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time_and_a_kill_gives_way(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        assert (folder.path / ".lock").read_text()
        with pytest.raises(UserError, match=f"process {os.getpid()} on "), folder.locked():
            pass
    assert (folder.path / ".lock").read_bytes() == b""
    command = [sys.executable, "-c", HOLD, str(folder.path / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        expected = f"process {other.pid} on .* is writing into it"
        with pytest.raises(UserError, match=expected), folder.locked():
            pass
        other.kill()
        other.wait()
    with folder.locked():
        assert folder.check(config(tmp_path)) is False


def test_a_file_system_without_locks_is_no_reason_to_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with RunFolder(tmp_path / "run").locked():
        pass
