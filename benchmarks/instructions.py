"""Instructions that the hottest kernels take on a fixed small input, beside those of a known state.

    python benchmarks/instructions.py [--update]

Unlike times, the counts do not depend on the machine or on what else it does: kernels are compiled
for a fixed processor (the one that Valgrind can play) into a cache of their own, and run on one
thread under Callgrind. Of each kernel the counts of one call and of eleven are taken, and the
difference divided by ten: what starting Python costs is not in it, what calling a kernel costs is.
More than 5% above the figures in instructions.json is a regression: exit 1. ``--update`` writes
the figures that are measured.
"""

import ctypes
import json
import mmap
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
from growth import Sizes, config_of
from synthetic import make_data

from sstrain import kernels
from sstrain.data.batches import Batch, BatchReader
from sstrain.models.base import Scores, StepContext
from sstrain.training.engine import Engine

FIGURES = Path(__file__).with_suffix(".json")
#: The share above the known figure from which a count is a regression.
SLACK = 0.05
CALLS = 10
#: What Valgrind plays: AVX2 and no AVX-512.
FEATURES = "+avx,+avx2,+bmi,+bmi2,+cx16,+f16c,+fma,+lzcnt,+movbe,+popcnt,+sse4.1,+sse4.2,+ssse3"
#: Hashes of names, threads and the processor that numpy and BLAS see: nothing may vary.
SURROUNDINGS = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": FEATURES,
    "NUMBA_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
#: Callgrind's requests: ("C" << 24) + ("T" << 16), and the number of each.
_BASE = (ord("C") << 24) + (ord("T") << 16)
_DUMP, _ZERO, _START = _BASE + 3, _BASE + 1, _BASE + 4
#: The instructions by which a program talks to Valgrind, which do nothing on a real processor:
#: mov rax, rdi; xor edx, edx; rol rdi by 3, 13, 61 and 51; xchg rbx, rbx; mov rax, rdx; ret.
_CODE = bytes.fromhex("4889f8 31d2 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3")


def make_request() -> Callable[..., int]:
    """Return a function that sends a request and its arguments to Callgrind."""
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(_CODE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(address)

    def request(number: int, argument: int = 0) -> int:
        words = (ctypes.c_uint64 * 6)(number, argument)
        return int(function(ctypes.addressof(words)))

    request.__dict__["memory"] = memory  # which must live as long
    return request


def actions() -> dict[str, Callable[[], Any]]:
    """Return the calls that are counted, each with its kernels compiled."""
    batch, exact, sampled, context = fixed_input()
    forward = exact.model.forward(batch, context)
    log_partitions = np.full(batch.size, np.log(exact.vocabulary.num_classes))
    assert sampled.sampler is not None
    candidates = sampled.sampler.draw(batch, 1, 0, 0)
    hits = np.empty(batch.size, np.int32)
    kernels.find_hits(candidates, batch.targets, hits)
    scores = sampled.model.score(batch, candidates, hits, context)
    gradient = Scores(*(np.full_like(part, 1e-3) for part in scores))
    found: dict[str, Callable[[], Any]] = {
        "exact dense, scores": lambda: exact.model.forward(batch, context),
        "exact dense, update": lambda: exact.model.update_all(
            batch, forward, log_partitions, context
        ),
        "sampled dense, update": lambda: sampled.model.update(
            batch, candidates, hits, gradient, context
        ),
    }
    for action in found.values():
        action()
    return found


def fixed_input() -> tuple[Batch, Engine, Engine, StepContext]:
    """Return a batch, an exact and a sampled run, and the context of a step."""
    sizes = Sizes(V=1000, n=10, K=64, D=500, batch=64)
    data, vocabulary = make_data(np.random.default_rng(1), sizes.V, sizes.D, sizes.n, 640)
    batch = BatchReader(data, sizes.D).take(np.arange(sizes.batch))
    exact, sampled = (
        Engine(config_of(f"{gradient} dense", sizes), data, vocabulary)
        for gradient in ("exact", "sampled")
    )
    return batch, exact, sampled, StepContext(0.01, 1)


def count_here() -> None:
    """Under Callgrind: have the counts of one call and of eleven written for each action."""
    found = actions()
    request = make_request()
    request(_START)
    for name, action in found.items():
        for calls in (1, 1 + CALLS):
            label = ctypes.create_string_buffer(f"{name}/{calls}".encode())
            request(_ZERO)
            for _ in range(calls):
                action()
            request(_DUMP, ctypes.addressof(label))


def read_counts(folder: Path) -> dict[str, int]:
    """Return the instructions of one call of each action, from what Callgrind wrote."""
    totals: dict[str, int] = {}
    for path in folder.glob("counts*"):
        text = path.read_text()
        label = re.search(r"^desc: Trigger: Client Request: (.+)$", text, re.MULTILINE)
        total = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
        if label and total:
            totals[label[1]] = int(total[1])
    names = {label.rpartition("/")[0] for label in totals}
    return {
        name: (totals[f"{name}/{1 + CALLS}"] - totals[f"{name}/1"]) // CALLS
        for name in sorted(names)
    }


def measure() -> dict[str, int]:
    """Compile, run under Callgrind, and return the counts."""
    command = [sys.executable, __file__, "--count"]
    with tempfile.TemporaryDirectory() as folder:
        surroundings = {**os.environ, **SURROUNDINGS, "NUMBA_CACHE_DIR": f"{folder}/kernels"}
        subprocess.run(command, check=True, env=surroundings)  # compiles the kernels
        callgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no"]
        out = f"--callgrind-out-file={folder}/counts"
        done = subprocess.run(
            [*callgrind, out, *command], env=surroundings, stderr=subprocess.PIPE, text=True
        )
        if done.returncode:
            sys.exit(f"valgrind failed:\n{done.stderr[-2000:]}")
        return read_counts(Path(folder))


def versions() -> dict[str, str]:
    """Return what the counts depend on beside the sources."""
    found = {name: version(name) for name in ("numba", "llvmlite", "numpy")}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **found}


def compare(counts: dict[str, int], known: dict[str, int]) -> tuple[list[str], bool]:
    """Return the lines of a table, and whether no count is missing or far above the known one."""
    lines = ["| kernel | instructions a call | known | change |", "|---|---|---|---|"]
    good = True
    for name in dict.fromkeys([*known, *counts]):
        count, figure = counts.get(name), known.get(name)
        if count is None or figure is None:
            good = good and count is not None
            change = "not counted" if count is None else "new"
        else:
            good = good and count <= (1 + SLACK) * figure
            change = f"{count / figure - 1:+.1%}"
            change += " REGRESSION" if count > (1 + SLACK) * figure else ""
        cells = ["" if each is None else f"{each:,}" for each in (count, figure)]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {change} |")
    return lines, good


def obstacle() -> str | None:
    """Return why nothing can be counted here, or None."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return f"instructions are counted on x86-64 only; this machine is {platform.machine()}"
    if shutil.which("valgrind") is None:
        return "valgrind is not there; install it, as by apt-get install valgrind"
    return None


@click.command()
@click.option("--update", is_flag=True, help="Write the figures that are measured.")
@click.option("--count", is_flag=True, hidden=True, help="Run what is counted, in this process.")
def main(update: bool, count: bool) -> None:
    """Count, compare, and exit 1 on a regression, 2 where nothing can be counted."""
    if count:
        count_here()
        return
    if reason := obstacle():
        click.echo(reason, err=True)
        sys.exit(2)
    counts = measure()
    if update:
        figures = {"versions": versions(), "instructions": counts}
        FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    known = json.loads(FIGURES.read_text())
    lines, good = compare(counts, known["instructions"])
    print("\n".join(lines))
    if known["versions"] != versions():
        print(f"\nThe known figures are those of {known['versions']}; here there is {versions()}.")
    sys.exit(not good)


if __name__ == "__main__":
    main()
