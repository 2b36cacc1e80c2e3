"""What follows from the rows: medians, the best peers, and the seconds to equal them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from peers.results import FINISHED, Row

Figure = Literal["log_loss", "top_1"]
FIGURES: tuple[Figure, ...] = ("log_loss", "top_1")
OURS = "sstrain"
#: What part of a peer's CPU seconds sstrain is to need for the same quality.
GOALS = {"fasttext": 1 / 8}
GOAL = 1 / 4
#: A lead below this is within what the seed decides, and the choice of settings on the test rows.
CHANCE: dict[Figure, float] = {"log_loss": 0.01, "top_1": 0.002}


@dataclass(frozen=True)
class Range:
    """Median, smallest and largest of several measurements."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float | None]) -> Range | None:
    """Return the range of the values that there are; None if there is none."""
    found = [value for value in values if value is not None]
    return Range(median(found), min(found), max(found)) if found else None


@dataclass(frozen=True)
class Point:
    """A setting of a tool on a set, over its repeats.

    Attributes
    ----------
    set, tool, setting : str
    status, reason : str
        Of the repeat that went worst: one that failed is not to be overlooked.
    rows : tuple of Row
    """

    set: str
    tool: str
    setting: str
    status: str
    reason: str
    rows: tuple[Row, ...]

    def spread(self, name: str) -> Range | None:
        """Return a figure's range over the repeats."""
        return spread(getattr(row, name) for row in self.rows)

    def median(self, name: str) -> float | None:
        """Return a figure's median."""
        found = self.spread(name)
        return None if found is None else found.median

    @property
    def cpu_seconds(self) -> float:
        """The median; infinite if there is none, so that it is never the first."""
        found = self.median("cpu_seconds")
        return float("inf") if found is None else found

    @property
    def busy(self) -> bool:
        """Whether others were at work during a repeat."""
        return any(row.busy for row in self.rows)


def points(rows: Sequence[Row]) -> list[Point]:
    """Return a point for each setting, in the order of the rows."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.set, row.tool, row.setting), []).append(row)
    found = []
    for (name, tool, setting), group in groups.items():
        worst = next((row for row in group if row.status != FINISHED), group[0])
        found.append(Point(name, tool, setting, worst.status, worst.reason, tuple(group)))
    return found


def lead(figure: Figure, value: float, other: float) -> float:
    """Return by how much a value is better than another."""
    return other - value if figure == "log_loss" else value - other


def finished(found: Iterable[Point], figure: Figure) -> list[Point]:
    """Return the points that have a figure, the cheapest first."""
    chosen = [p for p in found if p.status == FINISHED and p.median(figure) is not None]
    return sorted(chosen, key=lambda point: point.cpu_seconds)


def best(found: Iterable[Point], figure: Figure) -> Point | None:
    """Return the best point; of equal ones the cheapest."""
    chosen = finished(found, figure)
    sign = 1 if figure == "log_loss" else -1
    return min(chosen, key=lambda point: sign * (point.median(figure) or 0.0), default=None)


def value(point: Point, figure: Figure) -> float:
    """Return the median of a figure that a point has."""
    found = point.median(figure)
    assert found is not None
    return found


def frontier(found: Iterable[Point], figure: Figure) -> list[Point]:
    """Return the points that are better than every cheaper one."""
    chosen: list[Point] = []
    for point in finished(found, figure):
        if not chosen or lead(figure, value(point, figure), value(chosen[-1], figure)) > 0:
            chosen.append(point)
    return chosen


@dataclass(frozen=True)
class Reach:
    """The seconds in which sstrain equals a peer.

    Attributes
    ----------
    figure : str
    peer : Point
    ours : Point or None
        The cheapest of sstrain's settings that is as good; None if there is none.
    sure : Point or None
        The cheapest that is better by `CHANCE` or more.
    goal : float
        What the ratio is to be at most.
    """

    figure: Figure
    peer: Point
    ours: Point | None
    sure: Point | None
    goal: float

    @property
    def ratio(self) -> float | None:
        """The ratio of CPU seconds."""
        return self.ratio_of(self.ours)

    def ratio_of(self, ours: Point | None) -> float | None:
        """Return the ratio of one of sstrain's settings to the peer's CPU seconds."""
        return None if ours is None else ours.cpu_seconds / self.peer.cpu_seconds

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.ratio is not None and self.ratio <= self.goal


def reach(ours: Iterable[Point], peer: Point, figure: Figure, goal: float) -> Reach:
    """Return the first of sstrain's settings, by CPU seconds, that is as good as a peer."""
    wanted = value(peer, figure)
    leads = [(lead(figure, value(one, figure), wanted), one) for one in finished(ours, figure)]
    first = next((one for by, one in leads if by >= 0), None)
    sure = next((one for by, one in leads if by >= CHANCE[figure]), None)
    return Reach(figure, peer, first, sure, goal)


@dataclass(frozen=True)
class EqualTime:
    """A peer's setting against the best of sstrain's that take no more CPU seconds.

    Attributes
    ----------
    figure : str
    peer : Point
    ours : Point or None
        None if sstrain has no setting that is so cheap.
    lead : float or None
        By how much sstrain is better; below 0 the peer is.
    """

    figure: Figure
    peer: Point
    ours: Point | None
    lead: float | None


def equal_time(ours: Iterable[Point], peer: Point, figure: Figure) -> EqualTime:
    """Compare at equal CPU seconds."""
    affordable = [p for p in finished(ours, figure) if p.cpu_seconds <= peer.cpu_seconds]
    chosen = best(affordable, figure)
    if chosen is None:
        return EqualTime(figure, peer, None, None)
    return EqualTime(figure, peer, chosen, lead(figure, value(chosen, figure), value(peer, figure)))


@dataclass(frozen=True)
class Summary:
    """What is claimed of a set."""

    set: str
    reaches: list[Reach]
    equal_times: list[EqualTime]


def summarise(found: Sequence[Point], name: str) -> Summary:
    """Return the best peer's and fastText's figures against sstrain's, and all at equal time."""
    own = [point for point in found if point.set == name]
    ours = [point for point in own if point.tool == OURS]
    peers = [point for point in own if point.tool != OURS]
    reaches, equal_times = [], []
    for figure in FIGURES:
        groups = [(peers, GOAL)]
        groups += [([p for p in peers if p.tool == tool], goal) for tool, goal in GOALS.items()]
        for group, goal in groups:
            if (peer := best(group, figure)) is not None:
                reaches.append(reach(ours, peer, figure, goal))
        equal_times += [equal_time(ours, peer, figure) for peer in finished(peers, figure)]
    return Summary(name, reaches, equal_times)
