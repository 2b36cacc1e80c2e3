"""Pieces of HTML; every text that goes into one is escaped here."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

__all__ = [
    "Table",
    "definitions",
    "interval",
    "listed",
    "number",
    "paragraph",
    "picture",
    "section",
    "short_count",
    "with_interval",
]

#: What stands for a figure that is not known.
NOTHING = "–"
#: More columns than this are set smaller on paper.
_MANY = 9
_PREFIXES = ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"))


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    caption : str
    header : sequence of str
        Of all columns, the first that of the rows' headings; empty for none.
    rows : sequence of sequences of str
        A cell's second line, if it has one, is set small.
    groups : sequence of (str, int)
        Headings over the header, each with the columns it spans; empty for none.
    marked : collection of int
        The rows to be set off.
    text : bool
        Whether its cells are words, to be set to the left.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    groups: Sequence[tuple[str, int]] = ()
    marked: Sequence[int] = ()
    text: bool = False

    def html(self) -> str:
        """Return the element, in a block that scrolls where it is too wide."""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.header)
        if self.header:
            head = f"<thead>{self._groups()}<tr>{head}</tr></thead>\n"
        body = "\n".join(self._row(place, row) for place, row in enumerate(self.rows))
        kind = ' class="text"' if self.text else ""
        if len(self.header) > _MANY:
            kind = ' class="many"'
        columns = "".join(f'<colgroup span="{span}"></colgroup>' for _, span in self.groups)
        return (
            f'<div class="wide"><table{kind}><caption>{escape(self.caption)}</caption>{columns}\n'
            f"{head}<tbody>\n{body}\n</tbody></table></div>"
        )

    def _groups(self) -> str:
        cells = [
            f'<th scope="colgroup" colspan="{span}">{escape(name)}</th>'
            if name
            else f'<td colspan="{span}"></td>'
            for name, span in self.groups
        ]
        return f"<tr>{''.join(cells)}</tr>" if cells else ""

    def _row(self, place: int, row: Sequence[str]) -> str:
        mark = ' class="reference"' if place in self.marked else ""
        cells = "".join(f"<td>{_two_lines(cell)}</td>" for cell in row[1:])
        return f'<tr{mark}><th scope="row">{escape(row[0])}</th>{cells}</tr>'


def _two_lines(cell: str) -> str:
    first, _, second = cell.partition("\n")
    return escape(first) + (f"<small>{escape(second)}</small>" if second else "")


def section(name: str, title: str, *parts: str) -> str:
    """Return a section with its heading; parts are HTML."""
    body = "\n".join(part for part in parts if part)
    return f'<section id="{name}">\n<h2>{escape(title)}</h2>\n{body}\n</section>'


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def listed(texts: Iterable[str]) -> str:
    """Return a list of plain texts, or nothing for none."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def definitions(terms: Iterable[tuple[str, str]]) -> str:
    """Return terms and what they mean."""
    items = "\n".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in terms)
    return f"<dl>\n{items}\n</dl>"


def picture(path: Path, alternative: str, caption: str) -> str:
    """Return a PNG that is part of the page, with its caption."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{escape(alternative)}" src="data:image/png;base64,{data}">\n'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def number(value: float | None, form: str = ".3g") -> str:
    """Return a figure by a format, with a true minus sign; a dash if it is not known."""
    return NOTHING if value is None else format(value, form).replace("-", "−")


def interval(low: float | None, high: float | None, form: str = "+.4f") -> str:
    """Return an interval; a dash if it is not known."""
    if low is None or high is None:
        return NOTHING
    # A constrained end is zero, of no sign.
    ends = [number(end, form) if end else "0" for end in (low, high)]
    return f"[{ends[0]}, {ends[1]}]"


def with_interval(value: float, low: float, high: float, form: str = ".3g") -> str:
    """Return a figure and, on a second line, its interval, if it has one."""
    if low == high:
        return number(value, form)
    return f"{number(value, form)}\n{interval(low, high, form)}"


def short_count(value: float | None) -> str:
    """Return a large count in three digits and a prefix."""
    for unit, prefix in _PREFIXES:
        if value is not None and value >= unit:
            return f"{value / unit:.3g}{prefix}"
    return number(value)
