"""One measurement: `python -m peers.cell REQUEST.json`, in the environment of the tool.

The request names the tool, its options, and the file that takes the result. Seconds and memory are
those of `train` alone: what precedes it (imports, the tool's own form of the examples) is reported
apart, evaluation is not counted. The limit of CPU time is the kernel's own (`RLIMIT_CPU`), so that
a tool that heeds no signal stops too.
"""

import json
import math
import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from peers import tools
from peers.examples import load
from peers.tools.base import Context


def limit_cpu_time(seconds: float) -> None:
    """Have the kernel end this process once it has used so many CPU seconds more."""
    used = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (used, resource.RLIM_INFINITY))


def resident_mib(key: str) -> float:
    """Return a line of /proc/self/status, `VmRSS` or the peak, `VmHWM`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith(f"{key}:"))
    return int(found.split()[1]) / 1024


def all_cpu_seconds() -> float:
    """Return those of this process and of the children that have ended."""
    return sum(os.times()[:4])


class Stopwatch:
    """CPU and wall seconds and peak memory from here on, of this process and its threads."""

    def __init__(self) -> None:
        # Forgets the peak of what came before (Linux: Documentation/filesystems/proc.rst).
        Path("/proc/self/clear_refs").write_text("5")
        self.rss_mib = resident_mib("VmRSS")
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def stop(self) -> dict[str, float]:
        """Return what was used."""
        return {
            "cpu_seconds": time.process_time() - self.cpu,
            "wall_seconds": time.perf_counter() - self.wall,
            "rss_mib": self.rss_mib,
            "peak_mib": resident_mib("VmHWM"),
        }


def run(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Prepare, train, evaluate; return the row's figures."""
    tool, options = tools.load(request["tool"]), request["options"]
    train, test = map(Path, request["files"])
    context = Context(folder, request["seed"], (train, test))
    stage = Path(request["stage"])
    limit_cpu_time(request["other_limit"])
    start = all_cpu_seconds()
    prepared = tool.prepare(load(Path(request["examples"])), options, context)
    found: dict[str, Any] = {"prepare_cpu_seconds": all_cpu_seconds() - start}
    stage.write_text("training")
    limit_cpu_time(request["limit"])
    watch = Stopwatch()
    trained = tool.train(prepared, options, context)
    found |= {**watch.stop(), **trained.measured}
    found |= {"share": trained.share, "note": trained.note}
    stage.write_text("evaluation")
    limit_cpu_time(request["other_limit"])
    found |= trained.figures()
    found["version"] = version(tool.DISTRIBUTION)
    return found


def main() -> None:
    """Write the result."""
    request = json.loads(Path(sys.argv[1]).read_text())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    found = run(request, Path(request["folder"]))
    Path(request["result"]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
