"""``NUMBA_BOUNDSCHECK=1`` does what it says: everything that is fuzzed relies on it."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """\
import sys
import numpy as np
from sstrain import kernels

targets = np.zeros(1000, np.int32)
targets[-1] = int(sys.argv[1])
ranks = np.empty(1000, np.int64)
scores, rows = np.zeros((1000, 3), np.float32), np.arange(1000)
kernels.rank_targets(scores, rows, targets, np.zeros(1000), ranks)
print(ranks[-1])
"""


def run(target: int, cache: Path, checked: bool) -> "subprocess.CompletedProcess[str]":
    """Rank targets on two threads, of which the other one has the last target."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "NUMBA_NUM_THREADS": "2"}
    environment.pop("NUMBA_CACHE_DIR", None)
    environment["NUMBA_BOUNDSCHECK"] = "1" if checked else "0"
    command = [sys.executable, "-c", PROGRAM, str(target)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_an_index_out_of_bounds_raises_whatever_was_compiled_before(tmp_path: Path) -> None:
    unchecked = run(2, tmp_path, checked=False)
    assert (unchecked.returncode, unchecked.stdout) == (0, "3\n")
    found = run(2, tmp_path, checked=True)
    assert (found.returncode, found.stdout) == (0, "3\n")
    beyond = run(3, tmp_path, checked=True)
    assert beyond.returncode == 1
    assert "IndexError: index is out of bounds" in beyond.stderr
