"""The figures of each arm's gradient at the end of training, as means over seeds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sstrain.comparison.records import Arm

if TYPE_CHECKING:
    from sstrain.comparison.records import CellRecord

__all__ = ["EndFigures", "Mean", "Place", "end_figures"]


class Place(NamedTuple):
    """What a figure is of."""

    level: str
    space: str
    quantity: str


@dataclass(frozen=True)
class Mean:
    """A figure's mean over seeds.

    Attributes
    ----------
    value : float
    low, high : float
        Means of the intervals' ends: every seed draws alike, so that errors do not average out.
        Equal to ``value`` where there is no interval.
    closed_form : float or None
        The mean exact expectation.
    """

    value: float
    low: float
    high: float
    closed_form: float | None


@dataclass(frozen=True)
class EndFigures:
    """Figures at the end of training.

    Attributes
    ----------
    weights : str
        ``reference``: every arm at the reference's weights; ``own``: each at its own.
    means : dict
        By arm, in the order of the grid, and place; figures of all classes together.
    """

    weights: Literal["reference", "own"]
    means: dict[Arm, dict[Place, Mean]]

    def curve(self, objective: str, sampler: str, place: Place) -> list[tuple[int, Mean]]:
        """Return K and the mean of what differs in K alone, K ascending."""
        return sorted(
            (
                (arm.num_samples, means[place])
                for arm, means in self.means.items()
                if (arm.objective, arm.sampler) == (objective, sampler)
                and arm.num_samples is not None
                and place in means
            ),
            key=lambda point: point[0],
        )


def end_figures(records: "Iterable[CellRecord]") -> EndFigures:
    """Return the figures at the reference's final weights; if there are none, at each arm's own."""
    rows = [
        row
        for record in records
        for row in record.diagnostics
        if row["moment"] == "end" and row["part"] in ("all", "")
    ]
    by_weights: dict[str, list[dict[str, Any]]] = {"reference": [], "own": []}
    for row in rows:
        by_weights[row["weights"]].append(row)
    weights: Literal["reference", "own"] = "reference" if by_weights["reference"] else "own"
    found: dict[Arm, dict[Place, list[dict[str, Any]]]] = {}
    for row in by_weights[weights]:
        arm = Arm(row["objective"], row["sampler"], row["num_samples"])
        place = Place(row["level"], row["space"], row["quantity"])
        found.setdefault(arm, {}).setdefault(place, []).append(row)
    return EndFigures(
        weights,
        {arm: {place: _mean(of) for place, of in places.items()} for arm, places in found.items()},
    )


def _mean(rows: list[dict[str, Any]]) -> Mean:
    def mean(key: str) -> float:
        values = [float(row["value"] if row[key] is None else row[key]) for row in rows]
        return sum(values) / len(values)

    known = all(row["closed_form"] is not None for row in rows)
    return Mean(mean("value"), mean("low"), mean("high"), mean("closed_form") if known else None)
