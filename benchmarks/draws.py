"""What a draw of each proposal costs, and what it takes to make its sampler.

    python benchmarks/draws.py [--only NAME ...] [--sizes 10000 100000 1000000]

The data are synthetic: as many features as classes, ten a row, both by Zipf's law, 200,000
examples; the model is low-rank with 64 numbers a class and random weights. On one thread, for each
proposal and number of classes: nanoseconds a draw where each of 128 examples draws 64 of its own;
microseconds a batch where the batch shares its draws; seconds to fit and to make ready; the memory
of all arrays that the sampler holds beside the model's. Times are CPU time, medians of stretches.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from synthetic import make_data

from sstrain import kernels
from sstrain.config.sections import Config
from sstrain.config.shapes import sections, tags
from sstrain.data.batches import Batch, BatchReader
from sstrain.samplers import PROPOSALS, Sampler, SamplerSection, Setting, build_sampler

BATCH, K, ROW_FEATURES, EXAMPLES, RANK = 128, 64, 10, 200_000, 64
#: The most classes of a proposal whose draws take time in proportion to them.
LIMITS = {"softmax": 100_000}


def make_setting(size: int) -> Setting:
    """Return data of so many classes and features, and a model of random weights."""
    rng = np.random.default_rng(1)
    dataset, vocabulary = make_data(rng, size, size, ROW_FEATURES, EXAMPLES)
    config = Config.model_validate(
        {
            "data": {"train": {"path": "none.svm", "format": "svmlight"}},
            "model": {"type": "low_rank", "rank": RANK},
            "optimizer": {"type": "sgd", "learning_rate": 0.1},
        }
    )
    model = config.model.allocate(size, size, config.optimizer)
    model.initialise(vocabulary, 1)
    for array in model.live_arrays(0)["model"].values():
        array += rng.standard_normal(array.shape, np.float32) / 4
    return Setting(vocabulary, dataset, model, BATCH, seed=1)


def make_section(kind: str, file: Path, **keys: Any) -> Any:
    """Return a sampler section with its defaults; ``file`` is read by those that read one."""
    if "path" in PROPOSALS[kind].model_fields:
        keys["path"] = str(file)
    section: Any = next(each for each in sections(SamplerSection) if kind in tags(each))
    return section.model_validate({"type": kind, **keys}).resolved(True, BATCH)


def arrays_in(value: Any, seen: set[int]) -> Iterator[np.ndarray]:
    """Yield the arrays that a value holds, but for what has been seen."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield value if value.base is None else np.asarray(value.base)
    elif isinstance(value, dict):
        for each in value.values():
            yield from arrays_in(each, seen)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from arrays_in(each, seen)
    elif type(value).__module__.startswith("sstrain"):
        yield from arrays_in(vars(value), seen)


def held_bytes(sampler: Sampler, setting: Setting) -> int:
    """Return the bytes of all arrays that a sampler holds beside data and model."""
    assert setting.model is not None
    parts = setting.model.live_arrays(0).values()
    foreign = {array.ctypes.data for part in parts for array in part.values()}
    seen = {id(setting), id(setting.model), id(setting.dataset), id(setting.vocabulary)}
    held = {array.ctypes.data: array.nbytes for array in arrays_in(sampler, seen)}
    return sum(size for place, size in held.items() if place not in foreign)


def seconds(action: Callable[[], Any], stretch: float, stretches: int = 7) -> float:
    """Return the CPU seconds of an action, the median of stretches."""
    action()
    found = []
    for _ in range(stretches):
        start, times = time.process_time(), 0
        while times == 0 or time.process_time() - start < stretch:
            action()
            times += 1
        found.append((time.process_time() - start) / times)
    return median(found)


def drawing_seconds(sampler: Sampler, batches: list[Batch], stretch: float) -> float:
    """Return the CPU seconds of drawing for a batch, the batches in turn."""
    steps = iter(range(1 << 62))

    def draw() -> None:
        step = next(steps)
        sampler.draw(batches[step % len(batches)], 1, step, step)

    return seconds(draw, stretch)


def measure(kind: str, setting: Setting, file: Path, stretch: float) -> list[str]:
    """Return a row of the table, but for its heads."""
    assert setting.dataset is not None
    shares = str(PROPOSALS[kind].sharing.model_fields["share"].annotation)
    readers = [BatchReader(setting.dataset, setting.vocabulary.num_features) for _ in range(8)]
    batches = [reader.take(i * BATCH + np.arange(BATCH)) for i, reader in enumerate(readers)]

    def made(section: Any) -> Sampler:
        sampler = build_sampler(section, setting)
        sampler.refresh(0)
        return sampler

    start = time.process_time()
    sampler = made(make_section(kind, file, share="example", num_samples=K))
    build = time.process_time() - start
    each = f"{1e9 * drawing_seconds(sampler, batches, stretch) / (BATCH * K):,.0f}"
    memory, shared = held_bytes(sampler, setting), ""
    if "batch" in shares:
        sampler = made(make_section(kind, file, share="batch"))
        shared = f"{1e6 * drawing_seconds(sampler, batches, stretch):,.0f}"
    return [each, shared, f"{build:.2f}", f"{memory / 2**20:,.1f}"]


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(PROPOSALS)))
@click.option("--sizes", multiple=True, type=int, default=(10_000, 100_000, 1_000_000))
@click.option("--stretch", default=0.3, show_default=True, help="Seconds of each stretch.")
def main(only: tuple[str, ...], sizes: tuple[int, ...], stretch: float) -> None:
    """Print a row for each proposal and number of classes."""
    kernels.use_threads(1)
    print("| proposal | V | ns a draw | shared, us a batch | build, s | memory, MiB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "q.tsv"
        for place, size in enumerate(sizes):
            setting = make_setting(size)
            names = setting.vocabulary.classes
            file.write_text("".join(f"{name}\t{1 / (1 + j)}\n" for j, name in enumerate(names)))
            for kind in only or PROPOSALS:
                if size > LIMITS.get(kind, size):
                    continue
                if place == 0:
                    measure(kind, setting, file, 0.0)  # compiles or loads the kernels
                cells = measure(kind, setting, file, stretch)
                print(f"| {kind} | {size:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
