"""sstrain itself: `sstrain train` and `sstrain eval` as processes of their own.

CPU and wall seconds are those of the run's `end` event: training alone, on one thread, without
reading, compiling and writing. Kernels are compiled by a run on a few rows beforehand.
"""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peers.evaluation import Figures
from peers.examples import Examples
from peers.tools import sstrain_settings
from peers.tools.base import Context, Trained

TITLE = "sstrain"
DISTRIBUTION = "sstrain"
SETTINGS = sstrain_settings.SETTINGS
NOTE = (
    "one thread; the peak is that of the whole process with the data, which it maps; kernels are "
    "compiled beforehand, which is in the preparation's seconds. Features of fewer training rows "
    "than `min_feature_count` are left out; to count them is part of reading, and of no seconds. "
    "Of some forty settings a set these are the ones that stood out, on the same test rows"
)

_WARM_UP_ROWS = 2000


def run(*arguments: str) -> tuple[str, float]:
    """Run a command; return its output and its own peak of resident memory, MiB."""
    command = [sys.executable, "-m", "sstrain", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode == -signal.SIGXCPU:  # The limit is this process's too.
        os.kill(os.getpid(), signal.SIGXCPU)
    if child.returncode:
        raise RuntimeError(f"sstrain {arguments[0]}: exit code {child.returncode}")
    return output, usage.ru_maxrss / 1024


def config(options: Mapping[str, Any], train: Path, test: Path, context: Context) -> Path:
    """Write the config of a run, as JSON, which is YAML; return its path."""
    sections = {key: value for key, value in options.items() if key != "train"}
    source = {"path": str(train), "format": "svmlight", "index_base": 0} | options["train"]
    found = {
        "seed": context.seed,
        "output": str(context.folder / "run"),
        "data": {"train": source, "test": {"path": str(test)}},
        "checkpoint": {"every": "1000 epochs", "keep": 1},
        **sections,
        "training": {"threads": 1, **options["training"]},
    }
    path = context.folder / "config.yaml"
    path.write_text(json.dumps(found))
    return path


def _warm_up(options: Mapping[str, Any], context: Context) -> None:
    """Train on the first rows, so that kernels of this setting are compiled and kept."""
    head = context.folder / "head.svm"
    opened = gzip.open if context.files[0].suffix == ".gz" else open
    with opened(context.files[0], "rt") as file, head.open("w") as target:
        for _, line in zip(range(_WARM_UP_ROWS), file, strict=False):
            target.write(line)
    short = {**options, "training": {**options["training"], "epochs": 1}}
    path = config(short, head, head, context)
    run("train", "--config", str(path), "--overwrite")


def prepare(examples: Examples, options: Mapping[str, Any], context: Context) -> int:
    """Compile the kernels."""
    _warm_up(options, context)
    return len(examples.train_targets)


def train(prepared: int, options: Mapping[str, Any], context: Context) -> Trained:
    """Train on the svmlight files."""
    path = config(options, *context.files, context)
    _, peak = run("train", "--config", str(path), "--overwrite")
    lines = (context.folder / "run" / "metrics.jsonl").read_text().splitlines()
    end = json.loads(lines[-1])
    measured = {key: end[key] for key in ("cpu_seconds", "wall_seconds")}
    measured |= {"rss_mib": None, "peak_mib": peak}
    return Trained(lambda: _figures(context), measured=measured)


def _figures(context: Context) -> Figures:
    output, _ = run("eval", str(context.folder / "run"), "--json")
    found = json.loads(output)
    return {key: found[key] for key in ("log_loss", "top_1", "top_5")}
