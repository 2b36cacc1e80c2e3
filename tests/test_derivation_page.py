"""docs/derivation.md keeps its numbers, and its last table names what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "derivation.md").read_text(encoding="utf-8")
LAST = 46


def table() -> list[list[str]]:
    section = PAGE[PAGE.index("## 10 ") :]
    lines = [line for line in section.splitlines() if line.startswith("| (")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_equations_are_numbered_in_order() -> None:
    tags = [int(number) for number in re.findall(r"\\tag\{(\d+)\}", PAGE)]
    assert tags == list(range(1, LAST + 1))


def test_every_equation_has_its_row() -> None:
    rows = [int(number) for row in table() for number in re.findall(r"\((\d+)\)", row[0])]
    assert rows == list(range(1, LAST + 1))


@pytest.mark.parametrize("row", table(), ids=lambda row: row[0])
def test_the_table_names_what_is_there(row: list[str]) -> None:
    for folder, cell in (("sstrain", row[2]), ("tests/reference", row[3])):
        for path, names in re.findall(r"`([\w/]+\.py)`: ([^;]+)", cell):
            source = (ROOT / folder / path).read_text(encoding="utf-8")
            for name in re.findall(r"`(\w+)`", names):
                assert re.search(rf"^(def|class) {name}\b", source, re.MULTILINE), (path, name)
    files = (ROOT / "tests").glob("test_reference_*.py")
    tests = "".join(path.read_text(encoding="utf-8") for path in files)
    names = re.findall(r"`(\w+)`", row[4])
    assert all(f"def {name}(" in tests for name in names)
    numbered = {number for name in names for number in re.findall(r"\d+", name)}
    assert set(re.findall(r"\((\d+)\)", row[0])) <= numbered


@pytest.mark.parametrize("path", sorted((ROOT / "sstrain").rglob("*.py")), ids=lambda p: p.name)
def test_docstrings_name_equations_that_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for phrase in re.findall(r"\bequations? ([\d(), toand]*\d)", text):
        assert all(1 <= int(number) <= LAST for number in re.findall(r"\d+", phrase)), phrase
