"""How long commands take to start once kernels and data are in their caches.

    python benchmarks/startup.py [--config FILE]

Each command is started several times as a process of its own; the table has the medians of wall
and CPU seconds: of `train` up to the line of its first step, of the others to their end. `eval`
and `predict` read a run of one epoch that is trained first, into a folder for the time being.
The second table is one start of `train` in parts, the median of as many processes.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
from load import LoadWatch

QUICKSTART = Path(__file__).parent.parent / "configs" / "quickstart.yaml"
COMMAND = [sys.executable, "-m", "sstrain"]
#: Bytecode is kept, as it is where the package was installed.
ENVIRONMENT = {key: os.environ[key] for key in os.environ if key != "PYTHONDONTWRITEBYTECODE"}
FIRST_STEP = " step 1:"


def start(command: list[str], text: str = "", until: str | None = None) -> tuple[float, float]:
    """Return wall and CPU seconds of a process, to a line on stderr or to its end."""
    began = time.perf_counter()
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdin=pipe, stdout=nothing, stderr=pipe, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(text)
        process.stdin.close()
        found = any(until is not None and until in line for line in process.stderr)
        if found:
            process.send_signal(signal.SIGKILL)  # no checkpoint is written
        elif until is not None:
            raise click.ClickException(f"{' '.join(command)}: ended before{until}")
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if not found and process.returncode:
        raise click.ClickException(f"{' '.join(command)}: exit code {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime


def parts(config_file: Path) -> dict[str, float]:
    """Return the wall seconds of each part of a start, in this process."""
    seconds: dict[str, float] = {}

    def timed(name: str, part: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = part()
        seconds[name] = time.perf_counter() - began
        return result

    def import_parts() -> None:
        import sstrain.cli
        import sstrain.training.train  # noqa: F401

    def import_numba() -> None:
        from sstrain import kernels

        kernels.use_threads(None)
        kernels.stream_key(0, 0, 0, 0)  # the first kernel brings what numba's library needs

    timed("imports: numpy", lambda: __import__("numpy"))
    timed("imports: sstrain, pydantic, click", import_parts)
    from sstrain.config import load
    from sstrain.data.cache import load as load_data
    from sstrain.training.building import build_engine

    config = timed("config", lambda: load(config_file))
    timed("numba", import_numba)
    splits = timed("data", lambda: load_data(config.data, lambda line: None))
    engine, _ = timed("engine", lambda: build_engine(config, splits, None, lambda line: None))
    timed("kernels of a step", engine.warm_up)
    timed("first step: memory", engine.step)
    return seconds


def show(title: str, rows: dict[str, list[tuple[float, ...]]]) -> None:
    """Print the medians of each row's measurements."""
    print(title)
    for name, measured in rows.items():
        medians = [median(column) for column in zip(*measured, strict=True)]
        print(f"{name:36}" + "".join(f"{seconds:8.2f}" for seconds in medians))
    print()


@click.command()
@click.option("--config", "config_file", default=QUICKSTART, show_default=True, type=Path)
@click.option("--times", default=7, show_default=True, help="Starts of each.")
@click.option("--inside", is_flag=True, help="Print the parts of one start as JSON, and no table.")
def main(config_file: Path, times: int, inside: bool) -> None:
    """Print how long each command takes to start."""
    if inside:
        print(json.dumps(parts(config_file)))
        return
    with LoadWatch() as watch, tempfile.TemporaryDirectory() as folder:
        run, begun = Path(folder) / "run", Path(folder) / "begun"
        train = [*COMMAND, "train", "--overwrite", "--config", str(config_file)]
        # Fills the caches, and leaves a run to read.
        start([*train, f"--output={run}", "--set=training.epochs=1"])
        commands: dict[str, tuple[list[str], str, str | None]] = {
            "--help": ([*COMMAND, "--help"], "", None),
            "config check": ([*COMMAND, "config", "check", str(config_file)], "", None),
            "train, to the first step's line": (
                [*train, f"--output={begun}", "--set=training.log_every=1"],
                "",
                FIRST_STEP,
            ),
            "predict, one line": ([*COMMAND, "predict", str(run), "-"], "in the\n", None),
            "eval": ([*COMMAND, "eval", str(run)], "", None),
        }
        rows = {name: [start(*how) for _ in range(times)] for name, how in commands.items()}
    show(f"{'command':36}{'wall s':>8}{'CPU s':>8}", rows)  # type: ignore[arg-type]
    own = [sys.executable, __file__, f"--config={config_file}", "--inside"]
    inside_parts = [
        json.loads(subprocess.run(own, env=ENVIRONMENT, capture_output=True, check=True).stdout)
        for _ in range(times)
    ]
    show(
        f"{'part of a start':36}{'wall s':>8}",
        {name: [(measured[name],) for measured in inside_parts] for name in inside_parts[0]},
    )
    if warning := watch.warning():
        print(warning)


if __name__ == "__main__":
    main()
