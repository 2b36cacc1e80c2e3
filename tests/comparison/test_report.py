"""report.html: valid, whole in itself, escaped, and saying what was found."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from constructed_records import EXACT, LINES, arm
from measured_records import cell, comparison, figure

from sstrain.comparison.markup import Table, interval, number, short_count, with_interval
from sstrain.comparison.plots import write_plots
from sstrain.comparison.ranking import rank
from sstrain.comparison.recommendation import Recommendation
from sstrain.comparison.records import CellRecord
from sstrain.comparison.report import write_report
from sstrain.comparison.report_tables import agreement_table
from sstrain.comparison.slopes import slopes

EVIL = 'file(path=<script>alert("1")</script>&amp;.tsv)'
CONFIG = """
base:
  optimizer: {type: adagrad, learning_rate: 0.5}
  training: {batch_size: 128}
diagnostics: {examples: 128, draws: 512}
"""
SUMMARY: dict[str, Any] = {
    "budget": "1 epoch of training",
    "data": {
        "examples": 12345,
        "validation_examples": 678,
        "validation_lines": 60,
        "classes": 5000,
        "features": 9876,
    },
    "environment": {
        "python": "3.11.0",
        "logical_cpus": 2,
        "data_files": [{"path": "a/<words>.txt", "bytes": 1234, "sha256": "ab" * 32}],
    },
    "config_yaml": CONFIG,
}
VOID = {"meta", "img"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str | None]
    children: "list[Element]" = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def all(self, name: str) -> "list[Element]":
        found = [self] if self.name == name else []
        return found + [one for child in self.children for one in child.all(name)]

    @property
    def text(self) -> str:
        return " ".join([*self.words, *(child.text for child in self.children)])


class Strict(HTMLParser):
    """Builds a tree; a tag that is not closed where it must be is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert len(dict(attributes)) == len(attributes)
        element = Element(tag, dict(attributes))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.open[-1].words.append(data.strip())


def written(
    folder: Path, records: list[CellRecord], sentence: str = "Use it.", **summary: Any
) -> Element:
    ranking = rank(records, *LINES)
    plots = write_plots(folder, records, ranking)
    path = folder / "report.html"
    whole = {**SUMMARY, "slopes": slopes(records), **summary}
    write_report(path, records, ranking, Recommendation(sentence=sentence), plots, whole)
    parser = Strict()
    parser.feed(path.read_text(encoding="utf-8"))
    parser.close()
    assert len(parser.open) == 1
    return parser.open[0]


def sections(page: Element) -> Mapping[str, Element]:
    return {one.all("h2")[0].text: one for one in page.all("section")}


def cells(table: Element) -> list[list[str]]:
    """Return the texts of a table's body, row headings first."""
    return [[one.text for one in row.children] for row in table.all("tbody")[0].all("tr")]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Element:
    failed = (arm("uniform", 16), 2)
    records = comparison(["uniform", "unigram", EVIL], failed=[failed])
    return written(tmp_path_factory.mktemp("report"), records, "Use <q> & K = 64.")


def test_it_is_a_page_with_its_language_and_title(page: Element) -> None:
    html = page.children[0]
    assert (html.name, html.attributes) == ("html", {"lang": "en"})
    assert [child.name for child in html.children] == ["head", "body"]
    assert len(html.all("h1")) == len(html.all("title")) == len(html.all("main")) == 1
    assert any(meta.attributes.get("charset") == "utf-8" for meta in html.all("meta"))


def test_it_needs_nothing_but_itself(page: Element) -> None:
    for name in ("script", "link", "iframe", "object", "form"):
        assert not page.all(name)
    names = {one.attributes.get("id") for one in page.all("section")}
    assert {link.attributes["href"] for link in page.all("a")} == {f"#{name}" for name in names}
    style = page.all("style")[0].text
    assert "url(" not in style
    assert "@import" not in style
    assert "@media print" in style


def test_pictures_are_the_pngs(tmp_path: Path) -> None:
    page = written(tmp_path, comparison())
    images = page.all("img")
    files = {path.read_bytes() for path in tmp_path.glob("*.png")}
    assert len(files) == len(images) == 4
    found = set()
    for image in images:
        head, _, data = (image.attributes["src"] or "").partition(",")
        assert head == "data:image/png;base64"
        assert image.attributes["alt"]
        found.add(base64.b64decode(data, validate=True))
    assert found == files
    assert all(len(one.all("figcaption")[0].text) > 100 for one in page.all("figure"))


def test_tables_are_whole(page: Element) -> None:
    assert len(page.all("table")) == 8
    for table in page.all("table"):
        assert table.all("caption")[0].text
        widths = {
            sum(int(one.attributes.get("colspan") or 1) for one in row.children)
            for row in table.all("tr")
        }
        assert len(widths) == 1
        spans = [int(one.attributes["span"] or 0) for one in table.all("colgroup")]
        assert sum(spans) in (0, *widths)
        for heading in table.all("th"):
            assert heading.attributes["scope"] in ("row", "col", "colgroup")
            assert heading.text
        assert all(row.children[0].name == "th" for row in table.all("tbody")[0].all("tr"))


def test_labels_are_escaped(page: Element) -> None:
    assert page.all("p")[0].text == "Use <q> & K = 64."
    ranked = cells(sections(page)["Ranking"].all("table")[0])
    assert f"{EVIL}, K = 64" in [row[0] for row in ranked]
    assert "a/<words>.txt" in sections(page)["Environment"].text
    assert sections(page)["Config"].all("pre")[0].text == CONFIG.strip()


def test_what_was_compared(page: Element) -> None:
    rows = dict(cells(sections(page)["What was compared"].all("table")[0]))
    assert rows["training examples"] == "12,345"
    assert rows["validation examples"] == "678 on 60 lines"
    assert rows["budget of a cell"] == "1 epoch of training"
    assert rows["seeds"] == "1, 2, 3"
    assert rows["samplers"] == f"uniform, unigram, {EVIL}"
    assert rows["numbers of samples K"] == "16, 64"
    assert rows["exact gradient"] == "trained beside them"
    assert rows["cells"] == "21"
    assert rows["optimizer"] == "type adagrad, learning_rate 0.5"
    assert rows["diagnostics"] == "examples 128, draws 512"


def test_the_ranking_has_every_arm_and_how_much_cheaper_it_is(page: Element) -> None:
    table = sections(page)["Ranking"].all("table")[0]
    rows = {row[0]: row[1:] for row in cells(table)}
    assert next(iter(rows)) == "exact"
    assert len(rows) == 7
    assert rows["uniform, K = 16"][0] == "2 of 3"
    assert rows["unigram, K = 16"][:2] == ["3", "4.1270"]
    assert rows["unigram, K = 16"][9:11] == ["6.0", "16.7"]
    assert rows["exact"][10] == "–"
    marked = [row for row in table.all("tr") if row.attributes.get("class") == "reference"]
    assert [row.children[0].text for row in marked] == ["exact"]
    assert "uniform, K = 16: finished 2 of 3 seeds" in sections(page)["Ranking"].all("ul")[0].text


def test_the_gradients_errors_carry_their_intervals(page: Element) -> None:
    gradient, slope_table = sections(page)["Errors of the gradient"].all("table")
    rows = {row[0]: row[1:] for row in cells(gradient)}
    assert len(rows) == 6
    # 2/64 on average over seeds 1.02 times, and a fifth of it.
    assert rows["unigram, K = 64"][2] == "0.0319 [0.0287, 0.0351]"
    assert rows["unigram, K = 64"][0] == "0.00638 [0.00574, 0.00701]"
    assert rows["unigram, K = 64"][1] == "0.99000 [0.89100, 1.08900]"
    assert cells(slope_table)[0] == ["uniform", *["−1.00"] * 8]
    draws = {row[0]: row[1:] for row in cells(sections(page)["The draws"].all("table")[0])}
    assert draws["unigram, K = 64"][3:6] == ["32 [28.8, 35.2]", "1.5", "–"]
    assert draws["unigram, K = 64"][0].startswith("−0.0159")


def test_agreement_is_the_share_of_intervals_that_hold_the_closed_form() -> None:
    rows = [
        figure(arm("unigram"), 1, "variance", 1.0, "batch", "weight", closed_form=exact)
        for exact in (0.9, 1.0, 1.1, 1.11)
    ]
    rows.append({**rows[-1], "quantity": "relative_variance"})
    unknown = figure(arm("unigram"), 1, "bias_norm", 1.0, "batch", "weight")
    certain = figure(arm("unigram"), 1, "chi_square", 2.0, "draws", low=2.0, high=2.0)
    certain["closed_form"] = 2.0
    records = [replace(cell(EXACT, 1), diagnostics=[*rows, unknown, certain])]
    parser = Strict()
    parser.feed(agreement_table(records))
    assert cells(parser.open[0]) == [
        ["variance", "batch", "weight", "4", "75.0%"],
        ["all", "", "", "4", "75.0%"],
    ]


def test_failed_cells_are_given_with_their_reasons(page: Element, tmp_path: Path) -> None:
    table = sections(page)["Failed cells"].all("table")[0]
    assert cells(table) == [["uniform, K = 16", "2", "after step 3: not finite"]]
    other = written(tmp_path, comparison(["unigram"], (16,)))
    assert "None: every cell finished." in sections(other)["Failed cells"].text


def test_a_comparison_that_measured_nothing_says_so(tmp_path: Path) -> None:
    records = comparison(reference=False, measured=False)
    page = written(tmp_path, records, config_yaml="diagnostics: off\n")
    found = sections(page)
    assert "Diagnostics were off" in found["Errors of the gradient"].text
    assert "The draws" not in found
    rows = dict(cells(found["What was compared"].all("table")[0]))
    assert rows["exact gradient"] == "not trained"
    assert "diagnostics" not in rows


def test_a_comparison_of_which_nothing_finished_has_a_report(tmp_path: Path) -> None:
    failed = [(arm("unigram", 16), seed) for seed in (1, 2, 3)]
    records = comparison(["unigram"], (16,), reference=False, failed=failed)
    page = written(tmp_path, records)
    assert not page.all("img")
    assert len(cells(sections(page)["Failed cells"].all("table")[0])) == 3


def test_numbers_are_short_and_plain() -> None:
    assert number(None) == "–"
    assert number(-0.01234) == "−0.0123"
    assert interval(0.0, 0.01234) == "[0, +0.0123]"
    assert interval(None, 1.0) == "–"
    assert with_interval(1.0, 1.0, 1.0) == "1"
    assert with_interval(1.0, 0.5, 2.0) == "1\n[0.5, 2]"
    assert [short_count(x) for x in (None, 12.0, 123456.0, 6.789e9)] == [
        "–",
        "12",
        "123 k",
        "6.79 G",
    ]


def test_a_table_escapes_every_part() -> None:
    table = Table("<c>", ("<h>", "h"), [("<r>", "<a>\n<b>")], groups=[("<g>", 2)], marked=[0])
    html = table.html()
    for name in "chrabg":
        assert f"&lt;{name}&gt;" in html
    assert "<small>&lt;b&gt;</small>" in html
