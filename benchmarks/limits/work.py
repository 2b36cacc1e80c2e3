"""What a piece of work asks of a machine at least, and how long that takes at least."""

from dataclasses import dataclass, field
from typing import NamedTuple

from limits.caches import LEVELS
from limits.machine import Machine, Rates

__all__ = ["Bound", "Traffic", "Work", "moved"]


class Traffic(NamedTuple):
    """What a level of the memory moves."""

    read: float = 0.0  # bytes that are read in a row
    update: float = 0.0  # bytes that are read or written of what is changed in place
    read_lines: float = 0.0  # lines of 64 bytes here and there
    update_lines: float = 0.0  # such lines that are read, changed and written back

    def plus(self, other: "Traffic") -> "Traffic":
        """Return the sum of two."""
        return Traffic(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Bound(NamedTuple):
    """The least time that work takes, and the resource that takes it."""

    seconds: float
    resource: str


def _seconds(traffic: Traffic, rates: Rates) -> float:
    """Return the time of a level's traffic.

    What is updated is read and written: where a machine does that no faster than it reads, the
    rate of reading keeps the time a bound.
    """
    return (
        traffic.read / rates.read
        + traffic.update / max(rates.update, rates.read)
        + traffic.read_lines / rates.read_lines
        + traffic.update_lines / max(rates.update_lines, rates.read_lines / 2)
    )


@dataclass(frozen=True)
class Work:
    """Floating-point operations, exponentials, and what moves between the levels of the memory.

    A multiply-add counts as two operations.
    """

    flops: float = 0.0
    exponentials: float = 0.0
    traffic: dict[str, Traffic] = field(default_factory=dict)  # by level

    def __add__(self, other: "Work") -> "Work":
        traffic = dict(self.traffic)
        for level, each in other.traffic.items():
            traffic[level] = traffic.get(level, Traffic()).plus(each)
        return Work(self.flops + other.flops, self.exponentials + other.exponentials, traffic)

    def seconds(self, machine: Machine) -> dict[str, float]:
        """Return the time that each resource takes, each at the best rate that was measured."""
        found = {
            "multiply-adds": self.flops / machine.flops,
            "exponentials": self.exponentials / machine.exponentials,
        }
        passing = Traffic()
        for level in reversed(LEVELS):
            # What comes from beyond a level comes the way by which the level's own comes.
            passing = passing.plus(self.traffic.get(level, Traffic()))
            found[level] = _seconds(passing, machine.rates[level])
        return found

    def bound(self, machine: Machine) -> Bound:
        """Return the time of the slowest resource: at best the others work meanwhile."""
        found = self.seconds(machine)
        slowest = max(found, key=found.__getitem__)
        return Bound(found[slowest], slowest)


def moved(level: str, **amounts: float) -> Work:
    """Return work that does nothing but move something; amounts as `Traffic` has them."""
    return Work(traffic={level: Traffic(**amounts)})
