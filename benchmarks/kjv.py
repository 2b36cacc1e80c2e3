"""Training on the King James Bible, every tenth verse held out: quality, time and memory.

    python benchmarks/kjv.py --output FOLDER [--only NAME ...]

Writes the two files of the split into FOLDER, runs `sstrain train` and `sstrain eval` for each
setting as processes of their own, and prints a table. The held-out verses are the first of each
ten lines; the training set is all others. Kernels are compiled before anything is timed.
"""

import gzip
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parent.parent
SAMPLERS = {
    "uniform": "{type: uniform}",
    "log_uniform": "{type: log_uniform}",
    "unigram^0.75": "{type: unigram}",
    "mixture": "{type: mixture}",
}


def settings() -> dict[str, list[str]]:
    """Return the overrides of configs/quickstart.yaml for each setting."""
    found: dict[str, list[str]] = {}
    for size in (64, 256):
        for name, sampler in SAMPLERS.items():
            key = f"{sampler[:-1]}, num_samples: {size}}}"
            found[f"{name} K={size}"] = [f"sampler={key}"]
    found["exact"] = ["objective={type: exact}", "sampler=null"]
    return found


def write_split(folder: Path) -> None:
    """Write train.txt and test.txt."""
    with gzip.open(ROOT / "data" / "kjv" / "kjv.txt.gz", "rt", encoding="utf-8") as file:
        lines = file.readlines()
    (folder / "train.txt").write_text("".join(x for i, x in enumerate(lines) if i % 10 != 0))
    (folder / "test.txt").write_text("".join(x for i, x in enumerate(lines) if i % 10 == 0))


def sstrain(*arguments: str) -> tuple[str, float]:
    """Run a command; return its output and the largest peak memory of any process so far, MiB."""
    command = [sys.executable, "-m", "sstrain", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def run(folder: Path, config: Path, name: str, overrides: list[str], threads: int) -> str:
    """Train and evaluate one setting; return its row of the table."""
    out = folder / "runs" / name.replace(" ", "-").replace("^", "")
    values = [
        f"data.train.path={folder / 'train.txt'}",
        f"data.test={{path: {folder / 'test.txt'}}}",
        "data.validation=null",
        f"training.threads={threads}",
        *overrides,
    ]
    flags = [part for value in values for part in ("--set", value)]
    _, peak = sstrain("train", "--config", str(config), "--output", str(out), "--overwrite", *flags)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    end: dict[str, Any] = lines[-1]
    figures = json.loads(sstrain("eval", str(out), "--json")[0])
    speed = end["examples"] / end["wall_seconds"]
    return (
        f"| {name} | {figures['log_loss']:.4f} | {figures['top_1']:.4f} | {figures['top_5']:.4f} "
        f"| {speed:,.0f} | {end['wall_seconds']:.1f} | {end['cpu_seconds']:.1f} | {peak:,.0f} |"
    )


@click.command()
@click.option("--output", required=True, type=Path)
@click.option("--config", default=ROOT / "configs" / "quickstart.yaml", type=Path)
@click.option("--only", multiple=True, help="Names of settings; all if not given.")
@click.option("--set", "extra", multiple=True, help="Overrides for each setting.")
@click.option("--threads", default=1, show_default=True)
def main(
    output: Path, config: Path, only: tuple[str, ...], extra: tuple[str, ...], threads: int
) -> None:
    """Print a row for each setting."""
    output.mkdir(parents=True, exist_ok=True)
    write_split(output)
    chosen: dict[str, list[str]] = {"as the config": [], **settings()}
    print("| setting | log-loss | top-1 | top-5 | examples/s | wall s | CPU s | peak MiB so far |")
    print("|---|---|---|---|---|---|---|---|")
    for name, overrides in chosen.items():
        if not only or name in only:
            print(run(output, config, name, [*overrides, *extra], threads), flush=True)


if __name__ == "__main__":
    main()
