"""How fast a step is on the King James Bible: the quickstart's model, sampled and exact.

    python benchmarks/speed.py

For each objective and number of threads: the median of several stretches of steps, by wall time
and by CPU time, batches taken and candidates drawn included; and the seconds of the parts of a
start: reading the data, compiling or loading the kernels.
"""

import time
from pathlib import Path
from statistics import median

import click

from sstrain import kernels
from sstrain.config import load
from sstrain.data.cache import load as load_data
from sstrain.data.loading import Splits
from sstrain.training.engine import Engine

CONFIG = Path(__file__).parent.parent / "configs" / "quickstart.yaml"
KINDS = {
    "importance, K = 64": [],
    "importance, K = 256": ["sampler.num_samples=256"],
    "importance, K = 64, an example's own": ["sampler.share=example"],
    "importance, K = 64, distinct": ["sampler.replacement=false"],
    "exact": ["objective={type: exact}", "sampler=null"],
    "exact, batch 512": ["objective={type: exact}", "sampler=null", "training.batch_size=512"],
}


def measure(
    splits: Splits, overrides: list[str], threads: int, stretches: int, seconds: float
) -> tuple[float, float]:
    """Return the median examples a second, by wall time and by CPU time."""
    config = load(CONFIG, overrides)
    engine = Engine(config, splits.train, splits.vocabulary)
    kernels.use_threads(threads)
    # The first tenth of an epoch allocates the pages of the weights that are used most.
    for _ in range(min(engine.steps_per_epoch // 10, 600)):
        engine.step()
    speeds = []
    for _ in range(stretches):
        before, wall, cpu = engine.examples, time.perf_counter(), time.process_time()
        while time.perf_counter() - wall < seconds:
            engine.step()
        seen = engine.examples - before
        speeds.append((seen / (time.perf_counter() - wall), seen / (time.process_time() - cpu)))
    return median(speed[0] for speed in speeds), median(speed[1] for speed in speeds)


@click.command()
@click.option("--stretches", default=7, show_default=True)
@click.option("--seconds", default=1.5, show_default=True, help="Of each stretch.")
def main(stretches: int, seconds: float) -> None:
    """Print a row for each objective and number of threads."""
    start = time.perf_counter()
    splits = load_data(load(CONFIG).data, lambda line: None)
    print(f"reading the data: {time.perf_counter() - start:.1f} s")
    print("| objective | threads | examples/s | examples a CPU second |")
    print("|---|---|---|---|")
    for name, overrides in KINDS.items():
        for threads in (1, 2):
            wall, cpu = measure(splits, overrides, threads, stretches, seconds)
            print(f"| {name} | {threads} | {wall:,.0f} | {cpu:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
