"""The command as a process of its own, small data files for it, and what it leaves behind."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

#: A cache of data for the tests alone.
DATA_CACHE = tempfile.TemporaryDirectory(prefix="sstrain-tests-")
#: A process's threads are limited by this and by the config; two even where there is one core.
ENVIRONMENT = {**os.environ, "NUMBA_NUM_THREADS": "2", "SSTRAIN_DATA_CACHE": DATA_CACHE.name}
COMMAND = [sys.executable, "-m", "sstrain"]

#: What every run's folder holds beside `checkpoints`.
RUN_FILES = {
    ".lock",
    "classes.txt",
    "config.yaml",
    "counts.npz",
    "environment.json",
    "features.txt",
    "fitted.json",
    "loss.png",
    "metrics.jsonl",
}


def without_compiling(stderr: str) -> str:
    """Return what a command told, but for the line that depends on what was compiled before."""
    lines = stderr.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("compiling kernels, once"))


def sstrain(*arguments: object, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end; that it compiled kernels is left out of what it told."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env=ENVIRONMENT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    done.stderr = without_compiling(done.stderr)
    return done


def start(*arguments: object, folder: Path) -> subprocess.Popen[str]:
    """Start a command."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def svmlight_text(num_lines: int, num_classes: int, num_features: int, seed: int) -> str:
    """Return lines whose features tell something of their label; some have no feature.

    Labels are 0, 10, 20, ...; indices count from 1.
    """
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(num_lines):
        label = int(num_classes * rng.random() ** 2)
        others = rng.integers(0, num_features, rng.integers(0, 4)).tolist()
        indices = sorted({label % num_features, *others}) if rng.random() < 0.95 else []
        features = [f"{j + 1}:{rng.normal(1, 0.5):.4g}" for j in indices]
        lines.append(" ".join([str(10 * label), *features]))
    return "".join(f"{line}\n" for line in lines)


def sequence_text(num_lines: int, num_words: int, seed: int) -> str:
    """Return lines of words, each of which depends on the one before it."""
    rng = np.random.default_rng(seed)
    words = ["".join("abcdefghij"[int(d)] for d in f"{k:02}") for k in range(num_words)]
    lines = []
    for _ in range(num_lines):
        place, line = int(rng.integers(num_words)), []
        for _ in range(rng.integers(3, 12)):
            line.append(words[place])
            place = (3 * place + int(num_words * rng.random() ** 3)) % num_words
        lines.append(" ".join(line))
    return "".join(f"{line}\n" for line in lines)


def sha256(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def model_hash(run: Path, checkpoint: str = "last") -> str:
    """Return the SHA-256 of a checkpoint's model."""
    return sha256(run / "checkpoints" / checkpoint / "model.safetensors")


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return each file's time of change and content, and each link's target, locks apart."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mtime_ns,
            os.readlink(path).encode() if path.is_symlink() else path.read_bytes(),
        )
        for path in folder.rglob("*")
        if path.is_symlink() or (path.is_file() and path.name != ".lock")
    }


def metrics(run: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def without_times(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return metrics lines but for what a clock measured."""
    return [
        {key: value for key, value in line.items() if not key.endswith("_seconds")}
        for line in lines
    ]


def assert_same_run(run: Path, whole: Path) -> None:
    """Check that two runs' folders are equal but for what a clock measured."""
    for link in ("best", "last"):
        assert os.readlink(run / "checkpoints" / link) == os.readlink(whole / "checkpoints" / link)
        assert model_hash(run, link) == model_hash(whole, link)
    optimizer = Path("checkpoints") / "last" / "optimizer.safetensors"
    assert sha256(run / optimizer) == sha256(whole / optimizer)
    assert state_without_times(run) == state_without_times(whole)
    assert without_times(metrics(run)) == without_times(metrics(whole))


def state_without_times(run: Path) -> dict[str, Any]:
    """Return the last checkpoint's state, but for clocks and the length of lines that hold them."""
    state = json.loads((run / "checkpoints" / "last" / "state.json").read_text())
    (standing,) = without_times([state.pop("standing")])
    del state["metrics_bytes"]
    return {**state, **standing}


def flip_last_byte(path: Path) -> None:
    """Damage a file without changing its length."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
