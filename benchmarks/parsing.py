"""How fast files are read: each format's reader, and beside svmlight's that of scikit-learn.

    python benchmarks/parsing.py --megabytes 200

The svmlight file is made from a model: a row has 1 + Poisson(29) distinct features, of a million
whose frequencies fall as a power law, with values of four digits; labels are of ten thousand
classes, by a power law too. The other formats hold the same examples, a quarter of them, as far as
they can. ``reading`` is all that happens to a file before its rows are encoded: read, checksum,
parse, number the names, keep the rows. Files stay in the folder for the next time.

Each reading has a process of its own, held to one or two cores, that reads a small file before.
A figure is the median of several, which take turns.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from sstrain.data import FORMATS
from sstrain.data.reading import Reading

NUM_FEATURES = 1_000_000
NUM_CLASSES = 10_000
ROWS_EACH = 20_000
OPTIONS: dict[str, dict[str, Any]] = {"table": {"target": "label"}, "sequence": {"context": 0}}


@dataclass(frozen=True)
class Examples:
    """Some of the model's examples: features in rising order, one-based."""

    labels: NDArray[np.int64]
    indptr: NDArray[np.int64]
    features: NDArray[np.int64]
    values: NDArray[np.float64]

    def rows(self, feature: Callable[[int, float], str]) -> Iterator[str]:
        """Yield each row's features as a text."""
        texts = list(map(feature, self.features.tolist(), self.values.tolist()))
        for row in range(len(self.labels)):
            yield " ".join(texts[self.indptr[row] : self.indptr[row + 1]])


def power_law(rng: np.random.Generator, size: int, largest: int) -> NDArray[np.int64]:
    """Return whole numbers from 1, whose frequencies fall about as 1/n."""
    return np.minimum(np.exp(rng.uniform(0, np.log(largest + 1), size)).astype(np.int64), largest)


def examples(part: int) -> Examples:
    """Return one part of the examples, a pure function of its number."""
    rng = np.random.default_rng(part)
    rows = np.repeat(np.arange(ROWS_EACH), 1 + rng.poisson(29, ROWS_EACH))
    keys = np.unique(rows * (NUM_FEATURES + 1) + power_law(rng, len(rows), NUM_FEATURES))
    lengths = np.bincount(keys // (NUM_FEATURES + 1), minlength=ROWS_EACH)
    return Examples(
        labels=power_law(rng, ROWS_EACH, NUM_CLASSES),
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        features=keys % (NUM_FEATURES + 1),
        values=np.round(rng.uniform(0.001, 10, len(keys)), 4),
    )


#: For each format what a line begins with, and how a feature stands there.
LINES = {
    "fasttext": ("__label__{} ", "w{0}"),
    "sequence": ("", "w{0}"),
    "svmlight": ("{} ", "{0}:{1:.4g}"),
    "text": ("{}\t", "w{0}"),
    "vw": ("{} | ", "w{0}:{1:.4g}"),
    "xc": ("{} ", "{0}:{1:.4g}"),
}


def text_of(name: str, part: Examples) -> str:
    """Return examples as lines of a format."""
    labels = part.labels.tolist()
    if name == "table":
        values, features = part.values[part.indptr[:-1]], part.features[part.indptr[:-1]]
        columns = zip(labels, features.tolist(), (features % 97).tolist(), values, strict=True)
        return "".join(f"c{a},site{b},hour{c},{d},{d:.3g}\n" for a, b, c, d in columns)
    start, feature = LINES[name]
    rows = part.rows(feature.format)
    return "".join(f"{start.format(c)}{row}\n" for c, row in zip(labels, rows, strict=True))


def write_text(name: str, path: Path, num_bytes: int) -> None:
    """Write a file of at least so many bytes."""
    header = {"table": "label,site,hour,price,share\n"}.get(name, "")
    with open(path, "w") as file:
        file.write(header)
        part = 0
        while file.tell() < num_bytes:
            file.write(text_of(name, examples(part)))
            part += 1
    if name == "xc":  # its header says how many rows follow
        lines = path.read_bytes()
        counts = f"{part * ROWS_EACH} {NUM_FEATURES + 1} {NUM_CLASSES + 1}\n"
        path.write_bytes(counts.encode() + lines)


def write_npz(path: Path, num_bytes: int) -> None:
    """Write an archive of about so many bytes, as scipy does, with targets."""
    row_bytes = examples(0).indptr[-1] * 8 / ROWS_EACH
    parts = list(map(examples, range(max(1, round(num_bytes / row_bytes / ROWS_EACH)))))
    lengths = np.concatenate([np.diff(part.indptr) for part in parts])
    np.savez(
        path,
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        indices=np.concatenate([part.features for part in parts]).astype(np.int32),
        data=np.concatenate([part.values for part in parts]).astype(np.float32),
        shape=np.array([len(lengths), NUM_FEATURES + 1]),
        format=np.array(b"csr"),
        targets=np.concatenate([part.labels for part in parts]),
    )


def made(name: str, folder: Path, megabytes: float) -> Path:
    """Return a file of a format, which may be there already."""
    path = folder / f"{name}-{megabytes:g}.{'npz' if name == 'npz' else 'txt'}"
    if not path.exists():
        partial_path = path.with_stem("partial")
        num_bytes = int(megabytes * 1e6)
        if name == "npz":
            write_npz(partial_path, num_bytes)
        else:
            write_text(name, partial_path, num_bytes)
        partial_path.rename(path)
    return path


def read_here(name: str, path: Path) -> int:
    """Read a file by our reader; return the rows."""
    source = FORMATS[name][0](path=(str(path),), **OPTIONS.get(name, {}))
    reader = source.reader({})
    chunks = list(reader.chunks(Reading(source.path)))
    assert reader.label_names
    return sum(chunk.num_rows for chunk in chunks)


def read_sklearn(path: Path) -> int:
    """Read an svmlight file by scikit-learn; return the rows."""
    from sklearn.datasets import load_svmlight_file

    matrix, _ = load_svmlight_file(str(path), dtype=np.float32)
    return int(matrix.shape[0])


def timed(read: Callable[[Path], int], small: Path, path: Path, cores: int) -> tuple[float, ...]:
    """Return wall seconds, CPU seconds and rows of one reading."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    read(small)
    wall, cpu = time.perf_counter(), time.process_time()
    rows = read(path)
    return time.perf_counter() - wall, time.process_time() - cpu, rows


def measured(
    sides: dict[tuple[str, str, int], Callable[[Path], int]],
    files: dict[str, tuple[Path, Path]],
    repeats: int,
) -> Iterator[str]:
    """Yield a table's row for each format, tool and number of cores."""
    found: dict[tuple[str, str, int], list[tuple[float, ...]]] = {side: [] for side in sides}
    for _ in range(repeats):
        for side, read in sides.items():
            small, path = files[side[0]]
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                found[side].append(process.submit(timed, read, small, path, side[2]).result())
    for (name, tool, cores), figures in found.items():
        wall, cpu, rows = (median(column) for column in zip(*figures, strict=True))
        megabytes = files[name][1].stat().st_size / 1e6
        yield (
            f"| {name} | {tool} | {cores} | {megabytes:,.0f} | {wall:.2f} | {cpu:.2f} | "
            f"{megabytes / wall:,.0f} | {rows / wall:,.0f} |"
        )


@click.command()
@click.option("--megabytes", default=200.0, show_default=True, help="Of the svmlight file.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--folder", type=Path, default=Path(tempfile.gettempdir(), "sstrain-parsing"))
@click.option("--format", "only", help="One format alone.")
def main(megabytes: float, repeats: int, folder: Path, only: str | None) -> None:
    """Print a row for each format, tool and number of cores."""
    folder.mkdir(exist_ok=True)
    sides: dict[tuple[str, str, int], Callable[[Path], int]] = {}
    files = {}
    for name in [only] if only else sorted(FORMATS.keys() - {"store"}, key="svmlight".__ne__):
        size = megabytes if name == "svmlight" else megabytes / 4
        files[name] = (made(name, folder, 0.01), made(name, folder, size))
        if name == "svmlight":
            sides[name, "scikit-learn", 1] = read_sklearn
        for cores in (1, 2):
            sides[name, "sstrain", cores] = partial(read_here, name)
    print("| format | reader | cores | MB | wall s | CPU s | MB/s | rows/s |")
    print("|---|---|---|---|---|---|---|---|")
    for row in measured(sides, files, repeats):
        print(row, flush=True)


if __name__ == "__main__":
    main()
