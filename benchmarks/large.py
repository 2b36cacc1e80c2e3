"""A set with a million classes and a million features, drawn from a stated model.

    python benchmarks/large.py FOLDER [--classes 1000000] [--features 1001000]
        [--examples 2000000] [--test 10000] [--seed 1]

Writes train.svm and test.svm, svmlight with zero-based labels and features. Each class has 20
features of its own, a hash of class and slot. A class is drawn by Zipf's law (the label is its
rank), and ten distinct features are drawn for it: each is one of the class's own with probability
3/4, all of them equally likely, and any feature by Zipf's law otherwise; one that is drawn again
within an example is drawn anew. In training every class stands at least once: the first row of
each is set, and the remaining ones are drawn.
"""

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

ROW_FEATURES, OWN_FEATURES, NOISE = 10, 20, 0.25
BLOCK = 100_000


def zipf(rng: np.random.Generator, size: int, count: int) -> Ids:
    """Draw ranks in 0 ... size - 1, rank i with a share of log(1 + 1 / (i + 1))."""
    ranks: Ids = np.exp(rng.random(count) * np.log(size + 1)).astype(np.int64) - 1
    return np.minimum(ranks, size - 1)


def own_features(classes: Ids, slots: Ids, features: int) -> Ids:
    """Return the features in the classes' slots: SplitMix64's finaliser (Steele et al. 2014)."""
    state = (classes * OWN_FEATURES + slots + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Ids = ((state ^ (state >> np.uint64(31))) % np.uint64(features)).astype(np.int64)
    return found


def draw_features(rng: np.random.Generator, classes: Ids, features: int) -> Ids:
    """Return distinct features in rising order, int64 [B, ROW_FEATURES]."""
    found = np.full((len(classes), ROW_FEATURES), -1)
    while True:
        # Sorted, a feature equal to the one before is a repetition, and -1 has not been drawn.
        found.sort(axis=1)
        again = found < 0
        again[:, 1:] |= found[:, 1:] == found[:, :-1]
        rows = np.nonzero(again)[0]
        if len(rows) == 0:
            return found
        own = own_features(classes[rows], rng.integers(0, OWN_FEATURES, len(rows)), features)
        noise = zipf(rng, features, len(rows))
        found[again] = np.where(rng.random(len(rows)) < NOISE, noise, own)


def write(path: Path, rng: np.random.Generator, classes: Ids, features: int) -> None:
    """Write an example of each class in the list."""
    line = "%d " + " ".join(["%d:1"] * ROW_FEATURES) + "\n"
    with path.open("w") as file:
        for start in range(0, len(classes), BLOCK):
            block = classes[start : start + BLOCK]
            numbers = np.column_stack([block, draw_features(rng, block, features)])
            file.write(line * len(block) % tuple(numbers.ravel().tolist()))


@click.command()
@click.argument("folder", type=Path)
@click.option("--classes", default=1_000_000, show_default=True, type=click.IntRange(min=1))
@click.option("--features", default=1_001_000, show_default=True, type=click.IntRange(min=100))
@click.option("--examples", default=2_000_000, show_default=True, help="At least the classes.")
@click.option("--test", default=10_000, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=1, show_default=True)
def main(folder: Path, classes: int, features: int, examples: int, test: int, seed: int) -> None:
    """Write train.svm and test.svm into a folder."""
    if examples < classes:
        raise click.UsageError(f"--examples: {examples} cannot hold each of {classes} classes")
    rng = np.random.default_rng(seed)
    drawn = zipf(rng, classes, examples - classes)
    folder.mkdir(parents=True, exist_ok=True)
    every = rng.permutation(np.concatenate([np.arange(classes), drawn]))
    write(folder / "train.svm", rng, every, features)
    write(folder / "test.svm", rng, zipf(rng, classes, test), features)


if __name__ == "__main__":
    main()
