"""Peak memory of reading, converting and training from files of 50 MB, 500 MB and 5 GB.

    python benchmarks/memory.py [--megabytes 50 500 5000] [--limit 600]

A file of the first size is drawn from a stated model (20,000 features of power-law frequency, 100 a
row; 1,000 classes), and the larger ones repeat it, so that names and weights are as many for each
and what differs is the size alone. Each command runs under a limit on anonymous memory (`ulimit
-d`), and its peaks of anonymous memory and of all resident pages, those of mapped files among them,
are sampled 50 times a second.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

NUM_FEATURES, ROW_FEATURES, NUM_CLASSES = 20_000, 100, 1_000
CONFIG = """\
data:
  train: {{path: {data}, format: {format}}}
  validation: 0.01
sampler: {{type: unigram, num_samples: 16}}
training: {{epochs: 1, batch_size: 128}}
"""


def write_block(path: Path, megabytes: float) -> None:
    """Write svmlight rows drawn from the model until the file has its size."""
    rng = np.random.default_rng(1)
    with path.open("w") as file:
        while file.tell() < megabytes * 1e6:
            draws = rng.random((1000, ROW_FEATURES))
            features = np.sort((NUM_FEATURES * draws**3).astype(np.int64) + 1, axis=1)
            labels = (NUM_CLASSES * rng.random(1000) ** 2).astype(np.int64)
            values = rng.integers(1, 1000, features.shape)
            for label, row, numbers in zip(labels, features, values, strict=True):
                first = np.flatnonzero(np.diff(row, prepend=0))
                pairs = (f"{row[i]}:{numbers[i] / 1000}" for i in first)
                file.write(f"{label} {' '.join(pairs)}\n")


def repeat(block: Path, path: Path, times: int) -> None:
    """Write a file over and over into another."""
    content = block.read_bytes()
    with path.open("wb") as file:
        for _ in range(times):
            file.write(content)


def run(arguments: list[str], limit: int, cache: Path) -> tuple[float, float, float, float]:
    """Run a command; return its peaks in MiB, anonymous and resident, and its wall, CPU seconds."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit << 20, limit << 20))

    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "sstrain", *arguments]
    environment = {**os.environ, "SSTRAIN_DATA_CACHE": str(cache)}
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            command, preexec_fn=limited, env=environment, stdout=log, stderr=log
        )
        peaks = [0, 0]
        while child.poll() is None:
            for i, name in enumerate(("RssAnon", "VmHWM")):
                peaks[i] = max(peaks[i], _status(child.pid, name))
            time.sleep(0.02)
        if child.returncode != 0:
            log.seek(0)
            sys.exit(f"{command}: exit code {child.returncode}\n{log.read().decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return peaks[0] / 1024, peaks[1] / 1024, time.perf_counter() - start, cpu


def _status(process: int, name: str) -> int:
    """Return a line of a process's status, in KiB; 0 once it is gone."""
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    except (OSError, ProcessLookupError):
        pass
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[50, 500, 5000])
    parser.add_argument("--limit", type=int, default=600, help="anonymous memory, in MiB")
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    print(f"under a limit of {options.limit} MiB of anonymous memory")
    print(f"{'file':>8}  {'command':20}{'anonymous':>10}{'resident':>10}{'wall s':>8}{'CPU s':>8}")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        block = folder / "block.svm"
        write_block(block, options.megabytes[0])
        for megabytes in options.megabytes:
            data, store, cache = folder / "data.svm", folder / "store", folder / "cache"
            repeat(block, data, megabytes // options.megabytes[0])
            (folder / "text.yaml").write_text(CONFIG.format(data=data, format="svmlight"))
            (folder / "store.yaml").write_text(CONFIG.format(data=store, format="store"))
            out = ["--output", str(folder / "run"), "--overwrite"]
            for label, arguments in (
                ("data convert", ["data", "convert", str(data), str(store)]),
                ("train, from text", ["train", "--config", str(folder / "text.yaml"), *out]),
                ("train, from cache", ["train", "--config", str(folder / "text.yaml"), *out]),
                ("train, from store", ["train", "--config", str(folder / "store.yaml"), *out]),
            ):
                peaks = run(arguments, options.limit, cache)
                figures = "".join(f"{x:>10.0f}" for x in peaks[:2])
                times = "".join(f"{x:>8.1f}" for x in peaks[2:])
                print(f"{megabytes:>5} MB  {label:20}{figures}{times}", flush=True)
            subprocess.run(["rm", "-rf", str(store), str(cache), str(data)], check=True)


if __name__ == "__main__":
    main()
