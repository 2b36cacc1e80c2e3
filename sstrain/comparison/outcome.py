"""What came of a comparison: ranking, recommendation, summary.json, pictures and report."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sstrain.comparison.cell import validation_lines
from sstrain.comparison.grid import arms
from sstrain.comparison.plots import write_plots
from sstrain.comparison.ranking import as_dict, as_table, rank
from sstrain.comparison.recommendation import recommend
from sstrain.comparison.report import write_report
from sstrain.comparison.slopes import slopes
from sstrain.comparison.tables import write_tables
from sstrain.config.comparison_loading import comparison_yaml
from sstrain.disk import disk_reason, read_json, write_json
from sstrain.errors import FailureError, UserError
from sstrain.training.gradient import caveats

if TYPE_CHECKING:
    from sstrain.comparison.folder import ComparisonFolder
    from sstrain.comparison.records import CellRecord
    from sstrain.config.comparison import Budget, Comparison
    from sstrain.data.loading import Splits

__all__ = ["Outcome", "read_outcome", "write_outcome"]


@dataclass(frozen=True)
class Outcome:
    """The ranking as a table, and the recommendation as a sentence."""

    table: str
    sentence: str


def read_outcome(folder: "ComparisonFolder") -> Outcome:
    """Return the outcome of a comparison that is finished.

    Raises
    ------
    UserError
        If its summary is damaged.
    """
    summary = read_json(folder.summary)
    try:
        return Outcome(str(summary["table"]), str(summary["recommendation"]["sentence"]))
    except (KeyError, TypeError):
        raise UserError(f"{folder.summary}: damaged; remove it, and --resume writes it") from None


def write_outcome(
    comparison: "Comparison",
    folder: "ComparisonFolder",
    records: "Sequence[CellRecord]",
    splits: "Splits",
    environment: dict[str, Any],
) -> Outcome:
    """Rank the cells, recommend, and write every table, picture and the report.

    Raises
    ------
    FailureError
        If something cannot be written.
    """
    assert splits.validation is not None
    assert comparison.budget is not None
    line_of_example, line_weights = validation_lines(splits.validation)
    num_examples = int(np.count_nonzero(line_of_example >= 0))
    ranking = rank(records, line_weights, num_examples)
    settings = arms(comparison, comparison.seeds[0])
    ranking.notes.extend(f"{text}." for text in caveats(config for _, config in settings))
    kind, budget = _budget(comparison.budget)
    recommendation = recommend(ranking, records, comparison.tolerance, kind)
    summary = {
        "recommendation": asdict(recommendation),
        "ranking": as_dict(ranking),
        "table": as_table(ranking),
        "slopes": slopes(records),
        "budget": budget,
        "data": {
            "examples": splits.train.num_examples,
            "validation_examples": num_examples,
            "validation_lines": len(line_weights),
            "classes": splits.vocabulary.num_classes,
            "features": splits.vocabulary.num_features,
        },
        "environment": environment,
        "config_yaml": comparison_yaml(comparison),
    }
    try:
        write_tables(folder, records)
        plots = write_plots(folder.path, records, ranking)
        write_report(folder.report, records, ranking, recommendation, plots, summary)
        # Last: a comparison with a summary is finished.
        write_json(folder.summary, summary)
    except OSError as error:
        raise FailureError(f"{folder.path}: cannot be written: {disk_reason(error)}") from error
    return Outcome(as_table(ranking), recommendation.sentence)


def _budget(budget: "Budget") -> tuple[str, str]:
    """Return the unit of a budget, and the budget in words."""
    for unit, count in budget.model_dump(exclude_none=True).items():
        name = unit if count != 1 else unit[:-1]
        words = "CPU seconds of training" if unit == "seconds" else f"{name} of training"
        return unit, f"{count:,} {words}"
    raise AssertionError
