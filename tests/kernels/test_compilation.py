"""That kernels compile is told once, and timed; kernels from the cache are neither."""

import subprocess
import sys
from pathlib import Path

from commands import ENVIRONMENT

#: A kernel, called in processes whose cache is the same.
CODE = """\
from sstrain import kernels

kernels.tell_compilation(print)
for size in (3, 4):
    kernels.stream_key(1, 2, 3, size)
wall, cpu = kernels.compilation_time()
assert 0 <= cpu <= wall + 0.1
print("compiled" if wall else "cached")
"""


def lines(cache: Path) -> list[str]:
    environment = {**ENVIRONMENT, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_compiling_is_told_once_and_timed_and_loading_is_not(tmp_path: Path) -> None:
    told, state = lines(tmp_path)
    assert told.startswith("compiling kernels, once for this installation and configuration")
    assert state == "compiled"
    assert lines(tmp_path) == ["cached"]
