"""Click sessions drawn from a stated model, for next-item work without a data set.

    python benchmarks/sessions.py FOLDER [--items 43000] [--sessions 144000] [--seed 1]

Writes train.txt and test.txt (the last tenth), a session of item ids a line: sstrain's `sequence`
format. Prints the hit rate at 20, over all test clicks after a session's first, of the item-
nearest-neighbour recommender (cosine of co-occurrence in training sessions, neighbours of the last
item), which SHARES puts where real sets have it, near 36%.

The model: items have popularities by Zipf's law, and are dealt at random into categories, whose
sizes fall by Zipf's law too. Each item has its own list of neighbours, drawn from its category by
popularity. A session has 1 + Geometric(1/4) clicks. The first is on an item drawn by popularity;
each later one is, with the shares in SHARES, on a neighbour of the last item, a neighbour of an
earlier one, an earlier item again, an item of the last one's category, or any item; neighbours by
Zipf's law over the list, items by popularity. Where a session has no earlier item, the last one
stands for it.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Ids = NDArray[np.int64]

SHARES = {"neighbour": 0.40, "earlier": 0.10, "repeat": 0.11, "category": 0.26, "any": 0.13}
NEIGHBOURS = 12
CATEGORIES = 600
POPULARITY_EXPONENT, CATEGORY_EXPONENT, NEIGHBOUR_EXPONENT = 0.6, 0.5, 0.8
MEAN_LATER_CLICKS = 4
TOP = 20


def zipf(size: int, exponent: float) -> NDArray[np.float64]:
    """Return falling weights that sum to 1."""
    weights = np.arange(1.0, size + 1) ** -exponent
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


@dataclass(frozen=True)
class Catalogue:
    """Items in the order of their categories.

    Attributes
    ----------
    cumulative : float64 [V + 1]
        The popularity of all items before each.
    first, last : int64 [V]
        Bounds of each item's category.
    neighbours : int64 [V, NEIGHBOURS]
        Each item's list, the strongest first; one may stand in it twice.
    """

    cumulative: NDArray[np.float64]
    first: Ids
    last: Ids
    neighbours: Ids

    def draw(self, rng: np.random.Generator, first: Ids, last: Ids) -> Ids:
        """Return an item by popularity from each range of items."""
        low, high = self.cumulative[first], self.cumulative[last]
        found = np.searchsorted(self.cumulative, rng.uniform(low, high), side="right") - 1
        return np.clip(found, first, last - 1)


def make_catalogue(rng: np.random.Generator, items: int) -> Catalogue:
    """Draw categories, popularities and neighbours."""
    count = min(CATEGORIES, items)
    categories = np.sort(rng.choice(count, items, p=zipf(count, CATEGORY_EXPONENT)))
    popularity = rng.permutation(zipf(items, POPULARITY_EXPONENT))
    bounds = np.searchsorted(categories, np.arange(count + 1))
    first, last = bounds[categories], bounds[categories + 1]
    cumulative = np.concatenate([[0.0], np.cumsum(popularity)])
    alone = Catalogue(cumulative, first, last, np.empty((0, 0), np.int64))
    columns = [alone.draw(rng, first, last) for _ in range(NEIGHBOURS)]
    return Catalogue(cumulative, first, last, np.column_stack(columns))


def draw_next(rng: np.random.Generator, catalogue: Catalogue, last: Ids, earlier: Ids) -> Ids:
    """Return the item that follows in each session."""
    kinds = rng.choice(list(SHARES), len(last), p=list(SHARES.values()))
    found = earlier.copy()
    for kind, items in (("neighbour", last), ("earlier", earlier)):
        at = kinds == kind
        slots = rng.choice(NEIGHBOURS, at.sum(), p=zipf(NEIGHBOURS, NEIGHBOUR_EXPONENT))
        found[at] = catalogue.neighbours[items[at], slots]
    at = kinds == "category"
    found[at] = catalogue.draw(rng, catalogue.first[last[at]], catalogue.last[last[at]])
    start = np.zeros((kinds == "any").sum(), np.int64)
    found[kinds == "any"] = catalogue.draw(rng, start, start + len(catalogue.first))
    return found


def draw_sessions(rng: np.random.Generator, catalogue: Catalogue, sessions: int) -> tuple[Ids, Ids]:
    """Return the items [S, longest], of which the first ``lengths`` [S] of a row are its clicks."""
    lengths = 1 + rng.geometric(1 / MEAN_LATER_CLICKS, sessions)
    clicks = np.zeros((sessions, lengths.max()), np.int64)
    start = np.zeros(sessions, np.int64)
    clicks[:, 0] = catalogue.draw(rng, start, start + len(catalogue.first))
    for position in range(1, clicks.shape[1]):
        rows = np.flatnonzero(lengths > position)
        earlier = rng.integers(0, max(position - 1, 1), len(rows))
        clicks[rows, position] = draw_next(
            rng, catalogue, clicks[rows, position - 1], clicks[rows, earlier]
        )
    return clicks, lengths


def neighbour_hit_rate(train: tuple[Ids, Ids], test: tuple[Ids, Ids], items: int) -> float:
    """Return the share of test clicks among the last item's most similar ones."""
    clicks, lengths = train
    filled = np.arange(clicks.shape[1]) < lengths[:, np.newaxis]
    rows, ids = np.repeat(np.arange(len(clicks)), lengths), clicks[filled]
    held = sparse.csr_matrix((np.ones(len(ids)), (rows, ids)), (len(clicks), items))
    held.data[:] = 1  # An item that is clicked twice in a session counts once.
    together = (held.T @ held).tocsr()
    together.setdiag(0)
    together.eliminate_zeros()
    support = np.sqrt(np.maximum(np.bincount(held.indices, minlength=items), 1))
    together.data /= np.repeat(support, np.diff(together.indptr)) * support[together.indices]
    best = np.full((items, TOP), -1)
    for item in range(items):
        row = slice(together.indptr[item], together.indptr[item + 1])
        order = np.argsort(-together.data[row], kind="stable")[:TOP]
        best[item, : len(order)] = together.indices[row][order]
    clicks, lengths = test
    follows = np.arange(1, clicks.shape[1]) < lengths[:, np.newaxis]
    before, after = clicks[:, :-1][follows], clicks[:, 1:][follows]
    return float((best[before] == after[:, np.newaxis]).any(axis=1).mean())


def write(path: Path, clicks: Ids, lengths: Ids, names: Ids) -> None:
    """Write a session a line."""
    rows = zip(names[clicks].tolist(), lengths.tolist(), strict=True)
    path.write_text("".join(" ".join(map(str, row[:size])) + "\n" for row, size in rows))


@click.command()
@click.argument("folder", type=Path)
@click.option("--items", default=43_000, show_default=True, type=click.IntRange(min=2))
@click.option("--sessions", default=144_000, show_default=True, type=click.IntRange(min=10))
@click.option("--seed", default=1, show_default=True)
def main(folder: Path, items: int, sessions: int, seed: int) -> None:
    """Write train.txt and test.txt into a folder."""
    rng = np.random.default_rng(seed)
    catalogue = make_catalogue(rng, items)
    clicks, lengths = draw_sessions(rng, catalogue, sessions)
    # Ids in the order of categories would give them away.
    names = rng.permutation(items) + 1
    split = sessions - sessions // 10
    train, test = (clicks[:split], lengths[:split]), (clicks[split:], lengths[split:])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "train.txt", *train, names)
    write(folder / "test.txt", *test, names)
    print(f"clicks: {lengths.sum():,}")
    rate = neighbour_hit_rate(train, test, items)
    print(f"item nearest neighbours, hit rate at {TOP}: {rate:.1%}")


if __name__ == "__main__":
    main()
