"""report.html: what a comparison found, in one file without script or outside part."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstrain.comparison.end_figures import end_figures
from sstrain.comparison.markup import Table, definitions, listed, paragraph, picture, section
from sstrain.comparison.report_style import STYLE
from sstrain.comparison.report_tables import (
    agreement_table,
    draws_table,
    failures_table,
    gradient_table,
    ranking_table,
    slopes_table,
)
from sstrain.comparison.report_words import (
    AGREEMENT,
    DEFINITIONS,
    NO_DIAGNOSTICS,
    PICTURES,
    TITLE,
    WEIGHTS,
)
from sstrain.config.tree import Place
from sstrain.config.yaml import parse
from sstrain.disk import write_text

if TYPE_CHECKING:
    from sstrain.comparison.ranking import Ranking
    from sstrain.comparison.recommendation import Recommendation
    from sstrain.comparison.records import CellRecord

__all__ = ["write_report"]

#: The parts of the base that every cell shares and that a reader wants first.
_BASE = ("model", "optimizer", "training")


def write_report(
    path: Path,
    records: "Sequence[CellRecord]",
    ranking: "Ranking",
    recommendation: "Recommendation",
    plots: Mapping[str, Path],
    summary: Mapping[str, Any],
) -> None:
    """Write the report.

    Parameters
    ----------
    path : Path
        The HTML file, replaced when it is whole.
    records : sequence of CellRecord
        In the order of the grid.
    ranking : Ranking
    recommendation : Recommendation
    plots : mapping
        The PNGs by name, as `sstrain.comparison.plots.write_plots` returns them.
    summary : mapping
        ``data`` (``examples``, ``validation_examples``, ``validation_lines``, ``classes``,
        ``features``), ``budget`` in words, ``slopes``, ``environment`` and ``config_yaml``.

    Raises
    ------
    OSError
        If a picture cannot be read or the report not be written.
    """
    sections = dict(_sections(records, ranking, plots, summary))
    links = "".join(f'<li><a href="#{_name(t)}">{escape(t)}</a></li>' for t in sections)
    body = "\n".join(section(_name(title), title, *parts) for title, parts in sections.items())
    write_text(
        path,
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{TITLE}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{TITLE}</h1>\n"
        f'<p class="recommendation">{escape(recommendation.sentence)}</p>\n'
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n</header>\n'
        f"<main>\n{body}\n</main>\n</body>\n</html>\n",
    )


def _name(title: str) -> str:
    return title.lower().replace(" ", "-")


def _sections(
    records: "Sequence[CellRecord]",
    ranking: "Ranking",
    plots: Mapping[str, Path],
    summary: Mapping[str, Any],
) -> Iterator[tuple[str, list[str]]]:
    """Yield the titles and the parts of all sections in order."""
    pictures = {name: picture(file, *PICTURES[name]) for name, file in plots.items()}
    yield "What was compared", [_compared(records, summary)]
    yield (
        "Ranking",
        [ranking_table(ranking), listed(ranking.notes), pictures.get("ranking", "")],
    )
    yield "Quality and cost", [pictures.get("curves", ""), pictures.get("pareto", "")]
    figures = end_figures(records)
    if figures.means:
        yield (
            "Errors of the gradient",
            [
                paragraph(WEIGHTS[figures.weights]),
                pictures.get("bias_variance", ""),
                gradient_table(figures),
                slopes_table(summary["slopes"]),
            ],
        )
        yield "The draws", [draws_table(figures)]
        agreement = agreement_table(records)
        if agreement:
            yield "Agreement with closed forms", [paragraph(AGREEMENT), agreement]
    else:
        yield "Errors of the gradient", [paragraph(NO_DIAGNOSTICS)]
    failures = failures_table(records)
    yield "Failed cells", [failures or paragraph("None: every cell finished.")]
    yield "How to read it", [definitions(DEFINITIONS)]
    yield "Environment", [_environment(summary["environment"])]
    yield "Config", [f"<pre>{escape(summary['config_yaml'])}</pre>"]


def _compared(records: "Sequence[CellRecord]", summary: Mapping[str, Any]) -> str:
    data = summary["data"]
    sampled = [record.arm for record in records if not record.arm.is_reference]
    reference = "trained beside them" if len(sampled) < len(records) else "not trained"
    rows = [
        ("training examples", f"{data['examples']:,}"),
        (
            "validation examples",
            f"{data['validation_examples']:,} on {data['validation_lines']:,} lines",
        ),
        ("classes", f"{data['classes']:,}"),
        ("features", f"{data['features']:,}"),
        ("budget of a cell", summary["budget"]),
        ("seeds", _in_order(record.seed for record in records)),
        ("objectives", _in_order(arm.objective for arm in sampled)),
        ("samplers", _in_order(arm.sampler for arm in sampled)),
        ("numbers of samples K", _in_order(arm.num_samples for arm in sampled)),
        ("exact gradient", reference),
        ("cells", f"{len(records):,}"),
        *_base(summary["config_yaml"]),
    ]
    caption = "Every cell has the same data, split and settings; cells of one seed also pair."
    return Table(caption, (), rows, text=True).html()


def _in_order(values: Iterator[Any]) -> str:
    return ", ".join(str(value) for value in dict.fromkeys(values)) or "none"


def _base(config_yaml: str) -> list[tuple[str, str]]:
    """Return the base's settings and those of the diagnostics, as far as the config has them."""
    node = parse(config_yaml, Place(0, 1, 1, "", ""), [])
    config = node.plain() if node else None
    config = config if isinstance(config, dict) else {}
    base = config.get("base")
    found = {name: base.get(name) for name in _BASE} if isinstance(base, dict) else {}
    found["diagnostics"] = config.get("diagnostics")
    return [
        (name, ", ".join(f"{key} {value}" for key, value in keys.items()))
        for name, keys in found.items()
        if isinstance(keys, dict)
    ]


def _environment(environment: Mapping[str, Any]) -> str:
    rows = [
        (name.replace("_", " "), str(value))
        for name, value in environment.items()
        if name != "data_files"
    ]
    rows += [
        (str(file["path"]), f"{file['bytes']:,} bytes\nSHA-256 {file['sha256']}")
        for file in environment.get("data_files", [])
    ]
    return Table("With what, and on what, it was measured.", (), rows, text=True).html()
