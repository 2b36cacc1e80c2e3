"""The tables of report.html."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sstrain.comparison.end_figures import EndFigures, Mean, Place
from sstrain.comparison.markup import (
    NOTHING,
    Table,
    interval,
    number,
    short_count,
    with_interval,
)
from sstrain.comparison.slopes import PLACES, Slope

if TYPE_CHECKING:
    from sstrain.comparison.ranking import RankedArm, Ranking
    from sstrain.comparison.records import CellRecord

__all__ = [
    "agreement_table",
    "draws_table",
    "failures_table",
    "gradient_table",
    "ranking_table",
    "slopes_table",
]

_GRADIENT = {
    ("example", "score"): "an example's gradient, by the scores",
    ("batch", "score"): "a batch's gradient, by the bias",
    ("batch", "weight"): "a batch's gradient, by the weights",
}
_ERRORS = {
    "relative_bias": "relative bias",
    "bias_cosine": "cosine",
    "relative_variance": "relative variance",
}
_DRAWS = {
    Place("example", "", "log_partition_bias"): "bias of log Z~",
    Place("example", "", "log_partition_variance"): "variance of log Z~",
    Place("example", "", "partition_relative_variance"): "Var(Z~) / Z²",
    Place("draws", "", "effective_sample_size"): "effective sample size",
    Place("draws", "", "kl_divergence"): "KL(p‖q)",
    Place("draws", "", "chi_square"): "χ²(p‖q)",
    Place("draws", "", "accidental_hit_rate"): "accidental-hit rate",
    Place("draws", "", "distinct_classes"): "distinct classes",
    Place("draws", "", "nanoseconds_a_draw"): "ns a draw",
}
#: By level and space, as the slopes' table calls them.
_WHERE = {
    ("example", "score"): "example, scores",
    ("example", "weight"): "example, weights",
    ("batch", "score"): "batch, bias",
    ("batch", "weight"): "batch, weights",
}


def ranking_table(ranking: "Ranking") -> str:
    """Return the arms by their final validation log-loss."""
    exact = [row.cpu_seconds for row in ranking.rows if row.arm.is_reference]
    return Table(
        "Settings by their final validation log-loss over all classes, in nats, the best first.",
        (
            "setting",
            "seeds",
            "log-loss",
            "spread over seeds",
            "error by lines",
            "above the best of the others",
            "95%, seeds",
            "95%, lines",
            "95%, seeds and lines",
            "top-1",
            "CPU seconds",
            "times less than exact",
            "candidates",
        ),
        [_ranked(row, exact[0] if exact else None) for row in ranking.rows],
        marked=[place for place, row in enumerate(ranking.rows) if row.arm.is_reference],
    ).html()


def _ranked(row: "RankedArm", exact_seconds: float | None) -> list[str]:
    times = None
    if exact_seconds and row.cpu_seconds and not row.arm.is_reference:
        times = exact_seconds / row.cpu_seconds
    return [
        str(row.arm),
        f"{row.seeds} of {row.seeds + row.failed}" if row.failed else str(row.seeds),
        number(row.log_loss, ".4f"),
        number(row.spread, ".4f"),
        number(row.line_error, ".4f"),
        number(row.difference, "+.4f"),
        interval(row.low, row.high),
        interval(row.line_low_difference, row.line_high_difference),
        interval(row.low_both, row.high_both),
        number(row.top_1, ".4f"),
        number(row.cpu_seconds, ",.1f"),
        number(times, ".1f"),
        short_count(row.candidates_scored),
    ]


def gradient_table(figures: EndFigures) -> str:
    """Return bias, cosine and variance of each arm at three places."""
    places = [Place(*where, error) for where in _GRADIENT for error in _ERRORS]
    return Table(
        "The sampled gradient beside the exact one at the end of training; in brackets the 95% "
        "interval for the error of finitely many draws.",
        ("setting", *(_ERRORS[place.quantity] for place in places)),
        _figures(figures, places),
        groups=[("", 1), *((title, len(_ERRORS)) for title in _GRADIENT.values())],
    ).html()


def draws_table(figures: EndFigures) -> str:
    """Return the figures of the draws and of the estimated partition function."""
    return Table(
        "The proposal, its draws and the estimate Z~ of the partition function at the end of "
        "training, means over examples; in brackets the 95% interval.",
        ("setting", *_DRAWS.values()),
        _figures(figures, list(_DRAWS)),
    ).html()


def _figures(figures: EndFigures, places: Sequence[Place]) -> list[list[str]]:
    return [
        [str(arm), *(_figure(means.get(place), place.quantity) for place in places)]
        for arm, means in figures.means.items()
    ]


def _figure(mean: Mean | None, quantity: str) -> str:
    if mean is None:
        return NOTHING
    # A cosine's distance from 1 is what counts.
    form = ".5f" if quantity == "bias_cosine" else ".3g"
    return with_interval(mean.value, mean.low, mean.high, form)


def slopes_table(slopes: Iterable[Mapping[str, Any]]) -> str:
    """Return the slope against K of each sampler's bias and variance; nothing if there is none."""
    found: dict[str, dict[Place, str]] = {}
    for row in slopes:
        objective = "" if row["objective"] == "importance" else f"{row['objective']}, "
        place = Place(row["level"], row["space"], row["quantity"])
        slope = Slope(row["slope"], 0.0, row["standard_error"], row["points"])
        found.setdefault(f"{objective}{row['sampler']}", {})[place] = str(slope)
    if not found:
        return ""
    return Table(
        "Slope against K on log axes, ± its standard error by the residuals where there are three "
        "points or more. Theory for independent draws and large K: −1 for both.",
        ("sampler", *(place.quantity.removeprefix("relative_") for place in PLACES)),
        [[name, *(of.get(place, NOTHING) for place in PLACES)] for name, of in found.items()],
        groups=[("", 1), *((where, 2) for where in _WHERE.values())],
    ).html()


def agreement_table(records: "Iterable[CellRecord]") -> str:
    """Return how many intervals hold the closed form; nothing if there are none."""
    held: dict[tuple[str, str, str], list[bool]] = {}
    for row in (row for record in records for row in record.diagnostics):
        low, high, exact = row["low"], row["high"], row["closed_form"]
        # What is relative is the same figure over a constant.
        relative = row["quantity"].startswith("relative_")
        if exact is not None and low is not None and low < high and not relative:
            where = (row["quantity"], row["level"], row["space"])
            held.setdefault(where, []).append(low <= exact <= high)
    if not held:
        return ""
    held["all", "", ""] = [one for of in held.values() for one in of]
    return Table(
        "Share of the 95% intervals that hold the exact expectation, over all settings, seeds and "
        "moments.",
        ("figure", "level", "space", "intervals", "hold it"),
        [
            [quantity.replace("_", " "), level, space, f"{len(of):,}", f"{sum(of) / len(of):.1%}"]
            for (quantity, level, space), of in held.items()
        ],
        text=True,
    ).html()


def failures_table(records: "Iterable[CellRecord]") -> str:
    """Return the cells that did not finish; nothing if all did."""
    failed = [record for record in records if record.status != "finished"]
    if not failed:
        return ""
    return Table(
        "Cells that did not finish.",
        ("setting", "seed", "reason"),
        [[str(record.arm), str(record.seed), record.reason] for record in failed],
        text=True,
    ).html()
