"""Instruction counts: what Callgrind writes, read and compared; its requests without it."""

import json
import platform
from pathlib import Path

import instructions
import pytest


def write_dump(folder: Path, number: int, label: str, total: int) -> None:
    text = f"version: 1\npart: {number}\ndesc: Trigger: Client Request: {label}\n\nevents: Ir\n"
    (folder / f"counts.{number}").write_text(f"{text}summary: {total}\n\nfn=(0)\n0 {total}\n")


def test_the_cost_of_one_call_is_that_of_ten_more(tmp_path: Path) -> None:
    dumps = {"a, b/1": 5_100, "a, b/11": 15_100, "c/1": 70, "c/11": 1_079}
    for number, (label, total) in enumerate(dumps.items()):
        write_dump(tmp_path, number, label, total)
    (tmp_path / "counts").write_text("desc: Trigger: Program termination\nsummary: 99\n")
    assert instructions.read_counts(tmp_path) == {"a, b": 1000, "c": 100}


@pytest.mark.parametrize(
    ("counts", "good", "word"),
    [
        ({"a": 105, "b": 7}, True, "+5.0%"),
        ({"a": 106, "b": 7}, False, "REGRESSION"),
        ({"a": 10, "b": 7}, True, "-90.0%"),
        ({"a": 100}, False, "not counted"),
        ({"a": 100, "b": 7, "c": 3}, True, "new"),
    ],
)
def test_more_than_a_twentieth_above_the_known_count_is_a_regression(
    counts: dict[str, int], good: bool, word: str
) -> None:
    lines, found = instructions.compare(counts, {"a": 100, "b": 7})
    assert found == good
    assert word in "\n".join(lines)


def test_without_valgrind_there_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", "")
    assert "apt-get install valgrind" in str(instructions.obstacle())
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert "arm64" in str(instructions.obstacle())


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="machine code of x86-64")
def test_a_request_does_nothing_outside_of_valgrind() -> None:
    assert instructions.make_request()(0x43540001) == 0


def test_the_known_figures_are_those_of_the_actions() -> None:
    figures = json.loads(instructions.FIGURES.read_text())
    assert figures["instructions"].keys() == instructions.actions().keys()
    assert figures["versions"].keys() == instructions.versions().keys()
