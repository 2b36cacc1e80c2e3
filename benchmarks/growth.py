"""How the time of an example grows with classes, features, samples, batch and threads.

    python benchmarks/growth.py [--axis V ...] [--kind "sampled hashed" ...] [--output runs/growth]

One size at a time is varied; the others stay at V = 10,000 classes, n = 10 features an example of
D = 100,000 (1,000 in the dense model), K = 64 candidates that a batch of 128 shares, one thread.
The data are synthetic (`synthetic.make_data`), the low-rank model has 64 numbers a vector, the
hashed one 2^24 weights; AdaGrad, proposal unigram^0.75. A point is the median of several stretches
of steps, a slope the least-squares line through the logarithms. Writes growth.csv and growth.png
into the output folder, points that are not measured again included, and prints a table.
"""

import csv
import gc
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from growth_picture import draw
from load import LoadWatch
from synthetic import make_data

from sstrain import kernels
from sstrain.config.resolution import resolve
from sstrain.config.sections import Config
from sstrain.training.engine import Engine

MODELS: dict[str, dict[str, Any]] = {
    "dense": {"type": "dense"},
    "low-rank": {"type": "low_rank", "rank": 64},
    "hashed": {"type": "hashed", "bits": 24},
}
KINDS = [f"{gradient} {model}" for gradient in ("exact", "sampled") for model in MODELS]
#: What is varied, from small to large.
AXES: dict[str, Sequence[int]] = {
    "V": (1_000, 10_000, 100_000, 1_000_000),
    "n": (5, 10, 20, 40, 80),
    "K": (16, 64, 256, 1024),
    "D": (1_000, 10_000, 100_000, 1_000_000),
    "batch": (32, 128, 512, 2048),
    "threads": tuple(range(1, (os.cpu_count() or 1) + 1)),
}
#: The least number of classes from which the slopes count that goals are for.
SLOPE_FROM = 10_000
#: No point takes more for weights, accumulators and scores.
MOST_BYTES = 10 << 30
EXAMPLES = 1 << 16
STRETCHES = 5


@dataclass(frozen=True)
class Sizes:
    """The sizes of a point."""

    V: int = 10_000
    n: int = 10
    K: int = 64
    D: int = 100_000
    batch: int = 128
    threads: int = 1


@dataclass(frozen=True)
class Point:
    """What was measured at one size."""

    axis: str
    kind: str
    size: float  # along the axis; for n the mean number of distinct features
    seconds: float  # an example


def config_of(kind: str, sizes: Sizes) -> Config:
    """Return the resolved config of a kind of model and gradient."""
    gradient, model = kind.split()
    keys: dict[str, Any] = {"objective": {"type": "exact"}}
    if gradient == "sampled":
        sampler = {"type": "unigram", "num_samples": sizes.K, "share": "batch", "replacement": True}
        keys = {"objective": {"type": "importance"}, "sampler": sampler}
    training = {"batch_size": sizes.batch, "epochs": 1000}
    sections = {
        "data": {"train": {"path": "none.svm", "format": "svmlight"}},
        "model": MODELS[model],
        "optimizer": {"type": "adagrad", "learning_rate": 0.01},
        "training": training,
    }
    return resolve(Config.model_validate({**sections, **keys}))


def sizes_of(axis: str, kind: str) -> Iterator[Sizes]:
    """Yield the sizes of a kind's points on an axis, those that take too much memory left out."""
    if axis == "K" and kind.startswith("exact"):
        return
    base = Sizes(D=1_000) if kind.endswith("dense") else Sizes()
    for size in AXES[axis]:
        sizes = replace(base, **{axis: size})
        config = config_of(kind, sizes)
        parts = config.model.memory_bytes(sizes.D, sizes.V, config.optimizer).values()
        scores = 4 * sizes.batch * sizes.V if kind.startswith("exact") else 0
        if sum(parts) + scores <= MOST_BYTES:
            yield sizes


def seconds_an_example(engine: Engine, seconds: float) -> float:
    """Return the median of stretches of steps, each of one at the least."""
    start = time.perf_counter()
    engine.step()
    if time.perf_counter() - start < seconds / STRETCHES:
        for _ in range(10):
            engine.step()
    found = []
    for _ in range(STRETCHES):
        before, start = engine.examples, time.perf_counter()
        while engine.examples == before or time.perf_counter() - start < seconds / STRETCHES:
            engine.step()
        found.append((time.perf_counter() - start) / (engine.examples - before))
    return median(found)


def measure(axis: str, kind: str, sizes: Sizes, seconds: float) -> Point:
    """Measure one point."""
    rng = np.random.default_rng(1)
    dataset, vocabulary = make_data(rng, sizes.V, sizes.D, sizes.n, EXAMPLES)
    engine = Engine(config_of(kind, sizes), dataset, vocabulary)
    engine.touch_memory()
    kernels.use_threads(sizes.threads)
    spent = seconds_an_example(engine, seconds)
    entries = len(dataset.indices) / dataset.num_examples
    size = entries if axis == "n" else asdict(sizes)[axis]
    del engine, dataset, vocabulary
    gc.collect()  # two models of many classes need not fit into memory at once
    return Point(axis, kind, size, spent)


def slope(points: Sequence[Point], least: float = 0) -> float | None:
    """Return the slope of log time against log size from a size on; None for less than two."""
    kept = [point for point in points if point.size >= least]
    if len(kept) < 2:
        return None
    sizes, times = ([getattr(p, name) for p in kept] for name in ("size", "seconds"))
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def goal_of(axis: str, kind: str) -> tuple[float, float] | None:
    """Return between what the slope in V should lie, if there is a goal for it."""
    if axis != "V" or kind == "sampled dense":
        return None
    return (0.9, 1.1) if kind.startswith("exact") else (-np.inf, 0.1)


def verdict(axis: str, kind: str, fitted: float | None) -> str:
    """Return whether a slope is what it should be, where there is a goal for it."""
    goal = goal_of(axis, kind)
    if goal is None or fitted is None:
        return ""
    return "met" if goal[0] < fitted < goal[1] else "missed"


def rows(points: Sequence[Point]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| varied | model | microseconds an example | slope | goal |"
    yield "|---|---|---|---|---|"
    for axis in AXES:
        for kind in KINDS:
            found = [p for p in points if (p.axis, p.kind) == (axis, kind)]
            if not found:
                continue
            times = ", ".join(f"{p.size:,.4g}: {1e6 * p.seconds:,.4g}" for p in found)
            fitted = slope(found, SLOPE_FROM if axis == "V" else 0)
            words = "" if fitted is None else f"{fitted:.2f}"
            whole = max(p.size for p in found) >= AXES[axis][-1]
            said = verdict(axis, kind, fitted) if whole else ""
            yield f"| {axis} | {kind} | {times} | {words} | {said} |"


def read_points(path: Path) -> list[Point]:
    """Return the points that were written before."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Point(row["axis"], row["kind"], float(row["size"]), float(row["seconds"]))
            for row in csv.DictReader(file)
        ]


def write_points(path: Path, points: Sequence[Point]) -> None:
    """Write points, a line each."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ("axis", "kind", "size", "seconds"))
        writer.writeheader()
        writer.writerows(asdict(point) for point in points)


@click.command()
@click.option("--axis", "axes", multiple=True, type=click.Choice(list(AXES)), default=list(AXES))
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), default=KINDS)
@click.option("--seconds", default=1.0, show_default=True, help="Of each point, at the least.")
@click.option("--output", default=Path("runs/growth"), type=Path, show_default=True)
def main(axes: tuple[str, ...], kinds: tuple[str, ...], seconds: float, output: Path) -> None:
    """Measure, write the points and the picture, print the table."""
    output.mkdir(parents=True, exist_ok=True)
    path = output / "growth.csv"
    points = [p for p in read_points(path) if p.axis not in axes or p.kind not in kinds]
    with LoadWatch() as watch:
        for axis in axes:
            for kind in kinds:
                for sizes in sizes_of(axis, kind):
                    points.append(measure(axis, kind, sizes, seconds))
                    write_points(path, points)
    (output / "growth.png").write_bytes(draw(points, list(AXES), KINDS))
    print("\n".join(rows(points)))
    if warning := watch.warning():
        print("\n" + warning)


if __name__ == "__main__":
    main()
