"""Which setting to use, in one sentence, or that the data cannot say."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sstrain.comparison.hsu import could_be_best, critical_value, fit_two_way, pair_errors

if TYPE_CHECKING:
    from sstrain.comparison.ranking import RankedArm, Ranking
    from sstrain.comparison.records import Arm, CellRecord

__all__ = ["Recommendation", "recommend"]

#: Costs that differ by less are the same where their error is not known.
_SAME_COST = 0.05


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What to use, and what that rests on.

    Attributes
    ----------
    sentence : str
    arm : Arm or None
        The recommended arm, or an example of those tied; None if there is none.
    tied : list of Arm
        Those that the data cannot tell apart, ``arm`` first; empty if there are not two.
    anchor : Arm or None
        What the others are held against: the exact gradient, or else the best.
    qualified : list of Arm
        The sampled arms that are close enough to the anchor, the best log-loss first.
    allowed : float or None
        How far above the anchor's log-loss the upper end of an arm's interval may be.
    difference, low, high : float or None
        Log-loss of ``arm``, or of the best sampled arm if none qualifies, less the anchor's, and
        its interval with both kinds of error, which holds for all arms at once.
    cpu_seconds : float or None
        Mean cost of ``arm``.
    times_cheaper : float or None
        The exact gradient's mean cost over that of ``arm``; None with a budget in seconds.
    """

    sentence: str
    arm: "Arm | None" = None
    tied: "list[Arm]" = field(default_factory=list)
    anchor: "Arm | None" = None
    qualified: "list[Arm]" = field(default_factory=list)
    allowed: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    cpu_seconds: float | None = None
    times_cheaper: float | None = None


def recommend(
    ranking: "Ranking", records: "Sequence[CellRecord]", tolerance: float, budget: str
) -> Recommendation:
    """Recommend the cheapest sampled arm whose log-loss is close enough to the exact gradient's.

    An arm qualifies if the upper end of the interval for its distance from the anchor is at most
    ``tolerance`` times the anchor's log-loss. Of those that are cheapest as far as can be told the
    best log-loss is taken, if that can be told.

    Parameters
    ----------
    ranking : Ranking
        Of the records.
    records : sequence of CellRecord
    tolerance : float
    budget : str
        ``epochs``, ``examples`` or ``seconds``; in seconds all arms cost the same.
    """
    rows = ranking.finished
    if not rows:
        return Recommendation(sentence="No recommendation: no cell finished.")
    if len(rows) == 1:
        alone = f"only {_name(rows[0].arm)} finished, so there is nothing to compare"
        return Recommendation(sentence=f"No recommendation: {alone}.")
    case = _Case(ranking, tolerance, budget)
    if not case.qualified:
        place = next(place for place, row in enumerate(rows) if not row.arm.is_reference)
        return case.recommendation(case.none_qualifies(place), place, recommended=False)
    cheapest = case.qualified
    if budget != "seconds":
        cheapest = [case.qualified[i] for i in _cheapest(case.arms(case.qualified), records)]
    places = _best(ranking, cheapest)
    return case.recommendation(case.recommended(places), places[0], places)


def _cheapest(arms: "list[Arm]", records: "Sequence[CellRecord]") -> list[int]:
    """Return the places of the arms that no other is certainly cheaper than."""
    costs = [
        (arms.index(record.arm), record.seed, float(record.results["cpu_seconds"]))
        for record in records
        if record.status == "finished" and record.arm in arms
    ]
    columns = np.array(costs)
    logs = np.log(np.maximum(columns[:, 2], 1e-9))
    fit = fit_two_way(columns[:, 0].astype(np.intp), columns[:, 1].astype(np.intp), logs)
    if len(arms) > 1 and fit.df:
        d = critical_value(len(arms) - 1, fit.df)
        chosen = could_be_best(fit.means, pair_errors(fit.variance * fit.covariance), d)
    else:
        chosen = fit.means <= fit.means.min() + np.log1p(_SAME_COST)
    return np.flatnonzero(chosen).tolist()


def _best(ranking: "Ranking", places: list[int]) -> list[int]:
    """Return the places whose log-loss no other of them certainly beats, the lowest first."""
    assert ranking.errors is not None
    assert ranking.d is not None
    errors = ranking.errors[np.ix_(places, places)]
    chosen = np.flatnonzero(could_be_best(_log_losses(ranking)[places], errors, ranking.d))
    return [places[i] for i in chosen]


def _log_losses(ranking: "Ranking") -> NDArray[np.float64]:
    return np.array([row.log_loss for row in ranking.finished], dtype=np.float64)


class _Case:
    """The arms held against the anchor, and sentences about them; arms go by their place."""

    def __init__(self, ranking: "Ranking", tolerance: float, budget: str) -> None:
        self.ranking, self.tolerance, self.budget = ranking, tolerance, budget
        self.rows = ranking.finished
        exact = [place for place, row in enumerate(self.rows) if row.arm.is_reference]
        self.exact = self.rows[exact[0]] if exact else None
        self.anchor = exact[0] if exact else 0
        losses = _log_losses(ranking)
        self.differences = losses - losses[self.anchor]
        self.low, self.high = self._intervals()
        self.allowed = tolerance * float(losses[self.anchor])
        self.qualified = [
            place
            for place, row in enumerate(self.rows)
            if not row.arm.is_reference and self._bound(place) <= self.allowed
        ]

    def _intervals(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return intervals of the differences that all hold at once.

        Against the exact gradient they are Dunnett's. Without it the anchor was chosen by the
        same data, for which Hsu's allow; that of the anchor is against the best of the others.
        """
        if self.exact is None:
            ends = [(row.low_both, row.high_both) for row in self.rows]
            low, high = np.array(ends, dtype=np.float64).T
            return low, high
        assert self.ranking.errors is not None
        d = critical_value(len(self.rows) - 1, self.ranking.df or np.inf, two_sided=True)
        reach = d * self.ranking.errors[self.anchor]
        return self.differences - reach, self.differences + reach

    def _bound(self, place: int) -> float:
        return 0.0 if place == self.anchor else float(self.high[place])

    def arms(self, places: list[int]) -> "list[Arm]":
        """Return the arms of some places."""
        return [self.rows[place].arm for place in places]

    def recommendation(
        self, sentence: str, place: int, tied: Sequence[int] = (), *, recommended: bool = True
    ) -> Recommendation:
        """Return a sentence about the arm of a place with its figures."""
        row = self.rows[place]
        return Recommendation(
            sentence=sentence,
            arm=row.arm if recommended else None,
            tied=self.arms(list(tied)) if len(tied) > 1 else [],
            anchor=self.rows[self.anchor].arm,
            qualified=self.arms(self.qualified),
            allowed=self.allowed,
            difference=float(self.differences[place]),
            low=float(self.low[place]),
            high=float(self.high[place]),
            cpu_seconds=row.cpu_seconds if recommended else None,
            times_cheaper=self._times_cheaper(row) if recommended else None,
        )

    def recommended(self, places: list[int]) -> str:
        """Return the sentence that recommends one arm, or several that are tied."""
        arm, *others = map(_name, self.arms(places))
        named = arm
        if others:
            what = "log-loss" if self.budget == "seconds" else "cost or log-loss"
            named = (
                f"the data cannot tell {', '.join([arm, *others[:-1]])} and {others[-1]} apart in "
                f"{what}; take for example {arm}"
            )
        about = f"{self._cost(places[0])}, {self._quality(places[0])}"
        return f"Recommended: {named}: {about}; {self._basis()}."

    def none_qualifies(self, place: int) -> str:
        """Return the sentence that says so, and how near the best came."""
        short = "more samples or examples are needed"
        if self.differences[place] <= self.allowed:
            short = f"more seeds or validation lines might show it, else {short}"
        return (
            f"No recommendation: no sampled setting is shown to lose at most "
            f"{100 * self.tolerance:.3g}% ({self.allowed:.4f}) of {self._anchor_name()} log-loss; "
            f"the best is {_name(self.rows[place].arm)}, {self._quality(place)}; {short}; "
            f"{self._basis()}."
        )

    def _anchor_name(self) -> str:
        return "the best setting's" if self.exact is None else "the exact gradient's"

    def _times_cheaper(self, row: "RankedArm") -> float | None:
        if self.budget == "seconds" or self.exact is None:
            return None
        if not self.exact.cpu_seconds or not row.cpu_seconds:
            return None
        return self.exact.cpu_seconds / row.cpu_seconds

    def _cost(self, place: int) -> str:
        seconds, times = self.rows[place].cpu_seconds, self._times_cheaper(self.rows[place])
        words = "no known cost" if seconds is None else f"{_short(seconds)} CPU seconds of training"
        if times is None or self.exact is None or self.exact.cpu_seconds is None:
            return words
        factor = f"{times:.3g} times less" if times >= 1 else f"{1 / times:.3g} times more"
        return f"{words} ({factor} than the exact gradient's {_short(self.exact.cpu_seconds)})"

    def _quality(self, place: int) -> str:
        anchor = self.rows[self.anchor].log_loss
        errors = "seeds and lines" if self.ranking.df else "lines alone"
        interval = (
            f"95% interval with the errors of {errors}: "
            f"{self.low[place]:.4f} to {self.high[place]:.4f}"
        )
        words = f"validation log-loss {self.rows[place].log_loss:.4f}"
        if place == self.anchor:
            return f"{words}, the best of all (against the best of the others, {interval})"
        difference = self.differences[place]
        side = "above" if difference >= 0 else "below"
        return (
            f"{words}, {abs(difference):.4f} {side} {self._anchor_name()} {anchor:.4f} ({interval})"
        )

    def _basis(self) -> str:
        seeds, lines = self.ranking.seeds, self.ranking.lines
        return (
            f"this rests on {seeds} seed{'s' * (seeds != 1)}, {lines:,} validation "
            f"line{'s' * (lines != 1)}, a tolerance of {100 * self.tolerance:.3g}% and a budget "
            f"in {self.budget}"
        )


def _name(arm: "Arm") -> str:
    """Return an arm's name with no comma before K, since names stand in a row."""
    return str(arm).replace(", K = ", " with K = ")


def _short(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.3g}"
