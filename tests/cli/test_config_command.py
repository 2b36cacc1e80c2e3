import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sstrain.cli import main
from sstrain.config import load, resolved_yaml
from sstrain.errors import FailureError

CONFIG = "data: {train: {path: a.txt, format: sequence}, validation: 0.1}\n"

#: What a quick command must not load.
HEAVY = {"numba", "scipy", "sklearn", "matplotlib", "llvmlite"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    return Path("c.yaml")


def run(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    code = "import sys; from sstrain.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_check_says_that_a_config_is_valid(file: Path) -> None:
    done = run("config", "check", "c.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "c.yaml: valid\n", "")


def test_check_names_every_mistake_on_stderr(file: Path) -> None:
    file.write_text("sed: 1\n" + CONFIG)
    done = run("config", "check", "c.yaml", "--set", "training.epochs=0", "--set", "model=")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "c.yaml:1 sed: unknown key; got 1; did you mean 'seed'?",
        "--set training.epochs: out of range; got 0; expected a whole number from 1",
    ]


def test_check_notes_what_has_no_use(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "data.validation=null", "--set", "evaluation.every=5"]
    assert main(["config", "check", "c.yaml", *settings]) == 0
    out, err = capsys.readouterr()
    assert out == "c.yaml: valid\n"
    assert err.startswith("evaluation.every: 5 steps has no use")


def test_show_prints_the_resolved_config(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "c.yaml", "--set", "seed=5"]) == 0
    out, err = capsys.readouterr()
    assert out == resolved_yaml(load(file, ["seed=5"]))
    assert f"path: {Path.cwd()}/a.txt\n" in out
    assert err == ""


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Config"


def test_missing_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "d.yaml"]) == 2
    assert capsys.readouterr().err == (
        "d.yaml: cannot read the config: No such file or directory\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["confg"], "no command 'confg'; did you mean 'config'?"),
        (["config", "chekc"], "no command 'chekc'; did you mean 'check'?"),
        (["config", "xyz"], "no command 'xyz'; expected check, schema, show"),
        (["config", "check"], "Missing argument 'FILE'"),
        (["config", "check", "c.yaml", "--sett", "a=1"], "No such option"),
    ],
)
def test_wrong_usage(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("sstrain, version ")


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def load(*_: object) -> None:
        raise error

    monkeypatch.setattr("sstrain.config.load", load)


def test_a_failure_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, FailureError("the disk is full"))
    assert main(["config", "check", "c.yaml"]) == 1
    assert capsys.readouterr().err == "the disk is full\n"


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    assert main(["config", "check", "c.yaml"]) == 130


def test_what_nobody_expected_is_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["config", "check", "c.yaml"])


def test_a_reader_that_leaves_is_no_reason_to_complain(file: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from sstrain.cli import main; sys.exit(main(['config', 'schema']))"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("arguments", [["--help"], ["config", "check", "c.yaml"]])
def test_quick_commands_load_nothing_heavy(file: Path, arguments: list[str]) -> None:
    code = (
        "import sys; from sstrain.cli import main; status = main(sys.argv[1:]); "
        "print(*sys.modules, file=sys.stderr); sys.exit(status)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "click" in loaded
    assert not loaded & HEAVY
