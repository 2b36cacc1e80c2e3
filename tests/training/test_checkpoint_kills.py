"""A process killed before any one of its operations on files leaves a checkpoint to go on from."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sstrain.training.checkpoint import verify
from sstrain.training.checkpoints import Checkpoints

# Runs a save again and again, in a process of its own for each, and ends that process at once when
# it is about to do its n-th operation on a file, for n = 0, 1, ... until a save ends by itself.
KILLER = """
import os, shutil, sys
import numpy as np
from sstrain.training.checkpoints import Checkpoints

base, results, step, best = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "best"
OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink"}
parts = {name: {"a": np.full(4, step, np.float32)} for name in ("model", "optimizer")}

def save_until(allowed, folder):
    left = allowed
    def audit(event, arguments):
        nonlocal left
        if event in OPERATIONS:
            if left == 0:
                os._exit(9)
            left -= 1
    sys.addaudithook(audit)
    Checkpoints(folder, keep=1).save(step, parts, {"run": "new"}, best=best)
    os._exit(0)

from pathlib import Path
for allowed in range(1000):
    folder = Path(results) / f"{allowed:03}"
    shutil.copytree(base, folder, symlinks=True)
    child = os.fork()
    if child == 0:
        try:
            save_until(allowed, folder)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 9:
        sys.exit(code)
"""


def kill_everywhere(base: Path, results: Path, step: int, best: str) -> list[Path]:
    results.mkdir()
    subprocess.run(
        [sys.executable, "-c", KILLER, str(base), str(results), str(step), best], check=True
    )
    return sorted(results.iterdir())


def save(checkpoints: Checkpoints, step: int, best: bool) -> None:
    parts = {name: {"a": np.full(4, step, np.float32)} for name in ("model", "optimizer")}
    checkpoints.save(step, parts, {"run": "old"}, best=best)


def no_report(line: str) -> None:
    raise AssertionError(line)


@pytest.mark.parametrize("best", ["best", "not the best"])
@pytest.mark.parametrize(("earlier_best", "step"), [(1, 3), (2, 3), (2, 2), (1, 2)])
def test_a_kill_at_any_moment(tmp_path: Path, earlier_best: int, step: int, best: str) -> None:
    base = tmp_path / "base"
    for earlier in (1, 2):
        save(Checkpoints(base), earlier, best=earlier == earlier_best)
    folders = kill_everywhere(base, tmp_path / "results", step, best)
    assert len(folders) > 20
    stages = []
    for folder in folders:
        checkpoints = Checkpoints(folder, keep=1)
        # Someone who reads at this moment, before anything is mended.
        for link in ("best", "last"):
            read = checkpoints.open_for_reading(link, no_report)
            assert read.open("model")["a"][0] == read.step
        found = checkpoints.latest_whole(no_report)
        assert found is not None
        stages.append((found.step, found.state["run"]))
        assert found.open("optimizer")["a"][0] == found.step
        assert checkpoints.linked("last") == found.step
        new = found.state["run"] == "new"
        best_step = step if new and best == "best" else earlier_best
        assert checkpoints.linked("best") == best_step
        # The run goes on, and nothing of the kill is left.
        save(checkpoints, 4, best=False)
        assert checkpoints.steps() == sorted({best_step, 4})
        assert all(verify(checkpoints.find(kept)) == [] for kept in checkpoints.steps())
        assert not list(folder.glob(".*"))
    # From the first operation to the last it is the old checkpoint, and then the new one.
    assert stages == sorted(stages, key=lambda stage: stage[1] == "new")
    assert stages[0] == (2, "old")
    assert stages[-1] == (step, "new")
