"""Peak memory of training, against the forecast of `sstrain plan`.

    python benchmarks/plan_memory.py [CONFIG ...] [--set key.path=value ...]

Trains each config in a process of its own and samples its anonymous memory 100 times a second;
mapped files, as those of the data's cache, are not among it. By default the configs are SETTINGS on
28% of the King James Bible, for one epoch. A forecast is good that is within 10% or 200 MiB of the
peak, whichever is more; the exit code is 1 if one is not.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sstrain.config import load
from sstrain.data.cache import load as load_data
from sstrain.models import MODELS
from sstrain.training.forecast import forecast_memory
from sstrain.training.warm_start import open_source

QUICKSTART = Path(__file__).parents[1] / "configs" / "quickstart.yaml"
SMALLER = ("data.test=0.7", "data.validation=0.02", "training.epochs=1")
EXACT = ("objective={type: exact}", "sampler=null")
EACH = ("sampler={num_samples: 32, share: example}",)
SETTINGS: dict[str, list[tuple[str, ...]]] = {
    "dense": [
        (),
        EACH,
        EXACT,
        ("optimizer={type: rowwise_adagrad, average_from: 0 steps}",),
        ("optimizer={type: adam}", "model.dtype=bfloat16"),
        ("data.validation=null", "training.batch_size=1024", "sampler.num_samples=1024"),
    ],
    "low_rank": [
        ("model={type: low_rank, rank: 100}", "training.batch_size=512"),
        ("model={type: low_rank, rank: 100}", *EACH),
        ("model={type: low_rank, rank: 100}", "training.batch_size=512", *EXACT),
        ("model={type: low_rank, rank: 1000}", "optimizer={type: adam, average_from: 0 steps}"),
    ],
    "hashed": [
        ("model={type: hashed, bits: 26}",),
        ("model={type: hashed, bits: 24}", *EACH),
        ("model={type: hashed, bits: 24}", *EXACT),
        ("model={type: hashed, bits: 26}", "optimizer={type: adam, average_from: 0 steps}"),
    ],
}


def peak(arguments: list[str]) -> int:
    """Run a command and return its peak of anonymous memory, in bytes."""
    highest = 0
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-m", "sstrain", *arguments]
        child = subprocess.Popen(command, stdout=log, stderr=log)
        while child.poll() is None:
            highest = max(highest, anonymous(child.pid))
            time.sleep(0.01)
        if child.returncode:
            log.seek(0)
            sys.exit(f"{command}: exit code {child.returncode}\n{log.read().decode()}")
    return highest


def anonymous(process: int) -> int:
    """Return a process's anonymous memory in bytes; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (OSError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon")), 0)


def compare(path: Path, settings: list[str], folder: Path) -> bool:
    """Print a line on one config and return whether its forecast is good."""
    config = load(path, settings)
    splits = load_data(config.data, lambda _: None)
    source = open_source(config.model, None)
    old = 0 if source is None else source.bytes
    parts = forecast_memory(config, splits.vocabulary, splits.datasets(), old)
    forecast = sum(parts.values())
    del splits
    chosen = [argument for setting in settings for argument in ("--set", setting)]
    output = ["--output", str(folder / "run"), "--overwrite"]
    measured = peak(["train", "--config", str(path), *chosen, *output])
    good = abs(forecast - measured) <= max(measured / 10, 200 << 20)
    told = " ".join(f"{name} {size >> 20}" for name, size in parts.items())
    verdict = "" if good else "  TOO FAR OFF"
    print(
        f"{forecast >> 20:>9}{measured >> 20:>10}{(forecast - measured) / measured:>+9.1%}{verdict}"
    )
    print(f"    {path.name} {' '.join(settings)}\n    {told}", flush=True)
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configs", type=Path, nargs="*")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--folder", type=Path, default=None, help="where runs are written")
    parser.add_argument("--models", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    options = parser.parse_args()
    cases = [(config, options.settings) for config in options.configs] or [
        (QUICKSTART, [*SMALLER, *settings, *options.settings])
        for model in options.models
        if model in MODELS
        for settings in SETTINGS[model]
    ]
    print(f"{'forecast':>9}{'measured':>10}{'':>9}  (MiB)")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        results = [compare(path, settings, Path(folder)) for path, settings in cases]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
