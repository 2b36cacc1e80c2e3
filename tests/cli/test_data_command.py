"""``sstrain data`` as a process of its own, and its messages."""

import gzip
import json
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest
from commands import COMMAND, ENVIRONMENT, sequence_text, sstrain, svmlight_text
from sources import written

from sstrain.cli import main

TEXT = "1 1:1 2:1\n1 1:1\n2 2:1\n3\n"


def test_info_of_a_real_file(tmp_path: Path) -> None:
    text = svmlight_text(300, 12, 20, seed=1)
    (tmp_path / "data.svm.gz").write_bytes(gzip.compress(text.encode()))
    done = sstrain("data", "info", "data.svm.gz", "--json", "--picture", "f.png", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("data.svm.gz: read as svmlight; --format names another\n")
    figures = json.loads(done.stdout)
    assert figures["num_rows"] == 300
    assert figures["num_classes"] == len({line.split()[0] for line in text.splitlines()})
    assert figures["memory_bytes"]["dense"]["sgd"] == 4 * (
        (figures["num_features"] + 1) * figures["num_classes"]
    )
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


def test_info_of_standard_input(tmp_path: Path) -> None:
    done = sstrain(
        *("data", "info", "-", "--format", "sequence", "--set", "min_count=2", "--json"),
        folder=tmp_path,
        stdin=sequence_text(50, 20, seed=1),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["num_rows"] > 100


@pytest.mark.parametrize("command", ["info", "check", "convert"])
def test_standard_input_needs_a_format(command: str, tmp_path: Path) -> None:
    target = ["to.svm"] if command == "convert" else []
    done = sstrain("data", command, "-", *target, folder=tmp_path, stdin=TEXT)
    assert (done.returncode, done.stdout) == (2, "")
    assert "-: a pipe is read once, unguessed; give --format" in done.stderr


def test_check_of_a_file_with_bad_lines(tmp_path: Path) -> None:
    written(tmp_path, f"x 1:1\n{TEXT}2 1:x\n1 1\n", "bad.svm")
    arguments = ["data", "check", "bad.svm", "--format", "svmlight", "--limit", "2"]
    done = sstrain(*arguments, folder=tmp_path)
    assert (done.returncode, done.stderr) == (2, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("bad.svm:1:1: ")
    assert lines[1].startswith("bad.svm:6:3: ")
    assert lines[2:] == [
        "... and 1 more; a higher --limit shows them",
        "7 lines, of which 3 are bad; 4 good examples",
    ]
    found = json.loads(sstrain(*arguments, "--json", folder=tmp_path).stdout)
    assert found["num_bad_lines"] == 3
    assert found["bad_lines"] == lines[:2]


def test_check_of_a_good_file_from_standard_input(tmp_path: Path) -> None:
    done = sstrain("data", "check", "-", "--format", "svmlight", folder=tmp_path, stdin=TEXT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "4 lines, of which 0 are bad; 4 good examples\n"


def test_a_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "one two one\n")
    settings = ["--set", "context=1", "--set", "positions=0", "--set", "min_count=2"]
    assert main(["data", "info", str(path), "--format", "sequence", *settings]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["rows", "2"]
    assert lines[-1].split()[-2:] == ["0.0", "MiB"]


@pytest.mark.parametrize("command", ["info", "check"])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["FILE", "--format", "svmlite"], "--format: unknown format; got 'svmlite'; expected "),
        (["none", "--format", "svmlight"], "none: no such file"),
        (["none"], "none: no such file"),
        ([".", "--format", "svmlight"], ".: is a folder; expected a file"),
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
    command: str,
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "words\n", "FILE")
    assert main(["data", command, *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(expected)
    assert captured.err.count("\n") == 1


def test_a_bad_line_stops_info(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "words\n", "FILE")
    assert main(["data", "info", "FILE", "--format", "svmlight"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("FILE:1:1: the label is no number; found 'words'; ")


def test_the_format_is_guessed_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, TEXT)
    assert main(["data", "info", str(path), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(f"{path}: read as svmlight; --format names another\n")
    assert json.loads(captured.out)["num_classes"] == 3


def test_there_and_back_again(tmp_path: Path) -> None:
    """A real file to a store, which is checked and described, and back to text of both kinds."""
    text = svmlight_text(300, 12, 20, seed=1)
    (tmp_path / "data.svm.gz").write_bytes(gzip.compress(text.encode()))

    def done(*arguments: str) -> str:
        process = sstrain("data", *arguments, folder=tmp_path)
        assert process.returncode == 0, process.stderr
        return process.stdout

    assert done("convert", "data.svm.gz", "store") == ""
    assert done("check", "store").endswith("; 300 good examples\n")
    assert done("convert", "store", "back.svm") == ""
    assert done("convert", "store", "text", "--to", "svmlight") == ""
    assert (tmp_path / "back.svm").read_bytes() == (tmp_path / "text").read_bytes()
    described = [done("info", name, "--json") for name in ("data.svm.gz", "store", "back.svm")]
    assert described[0] == described[1] == described[2]


def test_convert_from_standard_input(tmp_path: Path) -> None:
    arguments = ("data", "convert", "-", "out.svm.gz", "--format", "svmlight")
    done = sstrain(*arguments, folder=tmp_path, stdin=TEXT)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "out.svm.gz: written as svmlight\n"
    again = sstrain(*arguments, folder=tmp_path, stdin=TEXT)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == "out.svm.gz: exists; give another name, or --overwrite\n"
    replaced = sstrain(*arguments, "--overwrite", folder=tmp_path, stdin="7 7:0.5\n")
    assert replaced.returncode == 0
    assert gzip.decompress((tmp_path / "out.svm.gz").read_bytes()) == b"7 7:0.5\n"


def test_standard_input_that_is_closed(tmp_path: Path) -> None:
    command = [*COMMAND, "data", "info", "-", "--format", "svmlight"]
    shell = ["sh", "-c", '"$@" <&-', "sh", *command]
    done = subprocess.run(
        shell, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "-: cannot be read; it is closed\n"


@pytest.mark.parametrize("command", ["info", "convert"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_no_temporary_file(
    number: int, code: int, command: str, tmp_path: Path
) -> None:
    target = ["store"] if command == "convert" else []
    arguments = ["data", command, "-", *target, "--format", "svmlight"]
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=tmp_path,
        env={**ENVIRONMENT, "SSTRAIN_DATA_CACHE": str(tmp_path / "cache")},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell runs in the background is deaf to Ctrl-C, and so are its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    folder = tmp_path / "cache" if command == "info" else tmp_path
    end = time.monotonic() + 60
    while not any(folder.glob(".*")) and time.monotonic() < end:
        time.sleep(0.02)
    assert any(folder.glob(".*"))
    process.send_signal(number)
    # Not communicate(), which ends its input: it ends though more may come.
    assert process.wait(timeout=30) == code
    process.stdin.close()
    assert process.stderr is not None
    assert process.stderr.read().strip() == ""
    assert not any(folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "most_bytes"),
    [
        (["info"], 10_000),
        (["convert", "store"], 10_000),
        (["convert", "out.svm"], 10_000),
        (["convert", "out.svm"], 40_000),  # room for the temporary files, none for the text
        (["convert", "out.xc"], 40_000),
    ],
)
def test_a_full_disk_ends_with_1_and_leaves_nothing(
    arguments: list[str], most_bytes: int, tmp_path: Path
) -> None:
    (tmp_path / "data.svm").write_text(svmlight_text(3000, 2000, 5000, seed=1))
    command, *target = arguments

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    done = subprocess.run(
        [*COMMAND, "data", command, "data.svm", *target, "--format", "svmlight"],
        cwd=tmp_path,
        env={**ENVIRONMENT, "SSTRAIN_DATA_CACHE": str(tmp_path / "cache")},
        preexec_fn=limit_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "cannot be written" in done.stderr
    assert "the file would be larger than is allowed here" in done.stderr
    named = target[0] if target == ["store"] or most_bytes == 40_000 else f"{tmp_path}/cache"
    assert done.stderr.startswith(f"{named}: ")
    assert {path.name for path in tmp_path.rglob("*")} - {"cache"} == {"data.svm"}
