"""Every layout on every set: quality, time, memory, disk.

    python benchmarks/layouts.py --data FOLDER --output FOLDER [--only PATTERN ...] [--threads 1]

A row is a config of this repository and what is changed in it (`ROWS`); FOLDER has the sets that
are not in data/ (see benchmarks/configs/). Each run is `sstrain train` and `sstrain eval` as
processes of their own, one after another, on the test split; CPU seconds are those of training, as
metrics.jsonl has them; peak memory is the training process's resident set. A line of JSON for each
row goes to rows.jsonl in the output folder, a table to stdout.
"""

import fnmatch
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import click

ROOT = Path(__file__).parent.parent
#: Where the files of a set lie under the data folder: train, test.
FILES = {
    "novels": ("novels/mid.train.svm.gz", "novels/mid.test.svm.gz"),
    "placenames": ("placenames/pn.train.svm.gz", "placenames/pn.test.svm.gz"),
    "sessions": ("sessions/train.txt", "sessions/test.txt"),
    "large": ("large/train.svm", "large/test.svm"),
}


class Row(NamedTuple):
    """A config, and what is changed in it."""

    config: str
    changes: tuple[str, ...] = ()
    #: The share of weights that is kept of the model when it has been trained.
    keep: str | None = None


QUICKSTART, LOW_RANK = "configs/quickstart.yaml", "configs/low_rank.yaml"
CONJUNCTIONS, NOVELS = "configs/kjv_conjunctions.yaml", "benchmarks/configs/novels.yaml"
PLACENAMES, SESSIONS = "benchmarks/configs/placenames.yaml", "benchmarks/configs/sessions.yaml"
LARGE = "benchmarks/configs/large.yaml"


def hashed(bits: int, rate: float) -> tuple[str, ...]:
    """Return what makes a low-rank config hashed."""
    return (
        f"model={{type: hashed, bits: {bits}}}",
        f"optimizer.learning_rate={rate}",
        "sampler.num_samples=256",
        "training.batch_size=128",
    )


#: The low-rank config without weight decay, which more epochs would need.
TWO_EPOCHS = ("training.epochs=2", "optimizer.l2=0", "optimizer.learning_rate=0.15")
#: By name: the set, then the layout.
ROWS: dict[str, Row] = {
    "kjv dense": Row(QUICKSTART),
    "kjv dense best": Row("configs/kjv_best.yaml"),
    "kjv dense bfloat16": Row(QUICKSTART, ("model.dtype=bfloat16",)),
    "kjv sparse 5%": Row(QUICKSTART, keep="5%"),
    "kjv sparse 1%": Row(QUICKSTART, keep="1%"),
    "kjv low_rank": Row(LOW_RANK),
    **{
        f"kjv low_rank r={r}": Row(LOW_RANK, (f"model.rank={r}", *TWO_EPOCHS))
        for r in (32, 100, 128, 300)
    },
    **{f"kjv hashed b={b}": Row(CONJUNCTIONS, (f"model.bits={b}",)) for b in (22, 24, 26)},
    "novels dense": Row(
        NOVELS,
        (
            "model={type: dense, dtype: bfloat16}",
            "data.train.min_feature_count=5",
            "optimizer={type: rowwise_adagrad, schedule: linear}",
            "training.batch_size=128",
            "sampler.num_samples=64",
        ),
    ),
    **{f"novels low_rank r={r}": Row(NOVELS, (f"model.rank={r}",)) for r in (32, 100, 300)},
    **{f"novels hashed b={b}": Row(NOVELS, hashed(b, 0.5)) for b in (24, 26, 28)},
    **{f"placenames low_rank r={r}": Row(PLACENAMES, (f"model.rank={r}",)) for r in (32, 100, 300)},
    **{f"placenames hashed b={b}": Row(PLACENAMES, hashed(b, 2.0)) for b in (24, 26, 28)},
    "sessions low_rank r=100": Row(SESSIONS),
    "large low_rank r=64": Row(LARGE),
    "large hashed b=28": Row(LARGE, hashed(28, 0.5)),
}
COLUMNS = {
    "log_loss": "{:.3f}",
    "top_1": "{:.4f}",
    "top_5": "{:.4f}",
    "top_20": "{:.4f}",
    "cpu_seconds": "{:.0f}",
    "peak_mib": "{:,.0f}",
    "model_mb": "{:,.0f}",
}


def sstrain(*arguments: str) -> tuple[str, float]:
    """Run a command; return its output and its own peak of resident memory, MiB."""
    command = [sys.executable, "-m", "sstrain", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)}: exit code {child.returncode}")
    return output, usage.ru_maxrss / 1024


def overrides(name: str, row: Row, data: Path | None, threads: int) -> list[str]:
    """Return the `--set` arguments of a row."""
    changes = [f"training.threads={threads}", *row.changes]
    if (files := FILES.get(name.split(maxsplit=1)[0])) and data is not None:
        train, test = (data / file for file in files)
        changes = [f"data.train.path={train}", f"data.test={{path: {test}}}", *changes]
    return [part for change in changes for part in ("--set", change)]


def measure(name: str, row: Row, data: Path | None, output: Path, threads: int) -> dict[str, Any]:
    """Train and evaluate one row; return its figures."""
    run = output / name.replace(" ", "_").replace("=", "")
    config = ["--config", str(ROOT / row.config), "--output", str(run), "--overwrite"]
    _, peak = sstrain("train", *config, *overrides(name, row, data, threads))
    trained = run
    if row.keep is not None:
        run = run.with_name(run.name + "_pruned")
        shutil.rmtree(run, ignore_errors=True)
        sstrain("prune", str(trained), "--keep", row.keep, "--output", str(run))
    figures = json.loads(sstrain("eval", str(run), "--json")[0])
    end = json.loads((trained / "metrics.jsonl").read_text().splitlines()[-1])
    model = (run / "checkpoints" / "last" / "model.safetensors").stat().st_size
    return {
        "name": name,
        **{key: figures[key] for key in ("split", "log_loss", "num_examples")},
        **{key: figure for key, figure in figures.items() if key.startswith("top_")},
        "cpu_seconds": end["cpu_seconds"],
        "wall_seconds": end["wall_seconds"],
        "examples": end["examples"],
        "peak_mib": peak,
        "model_mb": model / 1e6,
    }


@click.command()
@click.option("--data", type=Path, help="The folder of the sets that are not in data/.")
@click.option("--output", required=True, type=Path)
@click.option("--only", multiple=True, help="Patterns of names; all if not given.")
@click.option("--threads", default=1, show_default=True)
def main(data: Path | None, output: Path, only: tuple[str, ...], threads: int) -> None:
    """Print a row for each config."""
    output.mkdir(parents=True, exist_ok=True)
    print("| model | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for name, row in ROWS.items():
        if only and not any(fnmatch.fnmatch(name, pattern) for pattern in only):
            continue
        found = measure(name, row, data, output, threads)
        with (output / "rows.jsonl").open("a") as file:
            file.write(json.dumps(found) + "\n")
        cells = (form.format(found[key]) if key in found else "" for key, form in COLUMNS.items())
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
