"""``sstrain data info``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sources import train_source, written

from sstrain.cli import main
from sstrain.data.info import describe
from sstrain.errors import UserError

TEXT = "1 1:1 2:1\n1 1:1\n2 2:1\n3\n"


def test_the_figures_are_counted(tmp_path: Path) -> None:
    figures = describe(train_source(written(tmp_path, TEXT), format="svmlight"), print)
    assert figures == {
        "num_examples": 4,
        "num_classes": 3,
        "num_features": 2,
        "num_nonzeros": 4,
        "nonzeros_per_example": 1.0,
        "num_empty": 1,
        "num_skipped": 0,
        "top_1_share": 0.5,
        "top_10_share": 1.0,
        "top_100_share": 1.0,
        "num_classes_seen_once": 2,
        "dense_gib": 24 / 2**30,
        "dense_adagrad_gib": 48 / 2**30,
    }


def test_skipped_positions_are_no_examples(tmp_path: Path) -> None:
    path = written(tmp_path, "a a b\n")
    figures = describe(train_source(path, format="sequence", min_count=2), print)
    assert (figures["num_examples"], figures["num_skipped"]) == (2, 1)
    with pytest.raises(UserError, match="no class; no label stands 3 times; lower min_count"):
        describe(train_source(path, format="sequence", min_count=3), print)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sstrain.cli", *arguments]
    program = f"import sys; from sstrain.cli import main; sys.exit(main({command[3:]!r}))"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_the_command_in_a_process_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT)
    ended = run("data", "info", str(path), "--format", "svmlight", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["num_examples"] == 4


def test_a_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "one two one\n")
    settings = ["--set", "context=1", "--set", "positions=0", "--set", "min_count=2"]
    assert main(["data", "info", str(path), "--format", "sequence", *settings]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["examples", "2"]
    assert lines[-1].split() == ["with", "AdaGrad", "0.00", "GiB"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["FILE", "--format", "svmlite"],
            "--format: unknown format; got 'svmlite'; expected sequence or svmlight; "
            "did you mean 'svmlight'?",
        ),
        (["FILE", "--format", "svmlight"], "FILE:1: the label is no number; found 'words'; "),
        (["none", "--format", "svmlight"], "none: no such file"),
        (
            ["FILE", "--format", "sequence", "--set", "contxt=3"],
            "--set contxt: unknown key; got 3; did you mean 'context'?",
        ),
        (
            ["FILE", "--format", "sequence", "--set", "context=-1"],
            "--set context: out of range; got -1; expected a whole number from 0",
        ),
    ],
)
def test_mistakes_are_one_line_each(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "words\n", "FILE")
    assert main(["data", "info", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(expected)
    assert captured.err.count("\n") == 1


def test_the_format_is_guessed_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, TEXT)
    assert main(["data", "info", str(path), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == f"{path}: read as svmlight; --format names another\n"
    assert json.loads(captured.out)["num_classes"] == 3
