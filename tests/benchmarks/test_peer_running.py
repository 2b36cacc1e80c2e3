"""Cells as processes: the order, limits, and that whatever becomes of one is a row."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from peers import environments, running, tools
from peers.__main__ import Plan, needless, publish
from peers.environments import InstallError, interpreter, last_line
from peers.results import FAILED, FINISHED, NOT_INSTALLED, PART, STOPPED, Row
from peers.running import BENCHMARKS, Cell, Folders, Limits, cells, install, measure, progress
from peers.sets import ROOT
from peers.tools.base import Setting

SETTING = Setting("a", "because", {"x": 1})
LIMITS = Limits(60, 30)
CELL = Cell("kjv", "pytorch", SETTING, 1)
RESULT = {
    "cpu_seconds": 8.0, "wall_seconds": 4.0, "prepare_cpu_seconds": 1.0, "rss_mib": 10.0,
    "peak_mib": 20.0, "share": 1.0, "note": "", "version": "1", "log_loss": 4.0, "top_1": 0.2,
    "top_5": 0.4,
}  # fmt: skip


def outcome(folder: Path, script: str) -> Row:
    """Measure a cell whose tool is a shell script in the place of its Python."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\nscratch={folder / 'scratch'}\n{script}\n")
    python.chmod(0o755)
    folders = Folders(folder / "examples", folder / "scratch")
    return measure(CELL, python, (folder / "a.svm", folder / "b.svm"), folders, LIMITS)


def returned(**changes: float | None) -> str:
    return f"echo '{json.dumps(RESULT | changes)}' > $scratch/result.json"


def test_finished(tmp_path: Path) -> None:
    row = outcome(tmp_path, returned())
    assert (row.status, row.cpu_seconds, row.log_loss) == (FINISHED, 8.0, 4.0)
    request = json.loads((tmp_path / "scratch" / "request.json").read_text())
    assert (request["tool"], request["options"], request["seed"]) == ("pytorch", {"x": 1}, 1)


def test_a_part_is_extrapolated(tmp_path: Path) -> None:
    row = outcome(tmp_path, returned(share=0.25, log_loss=None))
    assert (row.status, row.extrapolated_seconds) == (PART, 32.0)


@pytest.mark.parametrize(
    ("script", "status", "reason"),
    [
        ("echo 'ValueError: so many classes' >&2; exit 3", FAILED,
         "exit code 3: ValueError: so many classes"),
        ("kill -SEGV $$", FAILED, "ended by SIGSEGV"),
        ("kill -KILL $$", FAILED,
         "ended by SIGKILL (out of memory, or over the time by the clock)"),
        ("kill -XCPU $$", FAILED, "its preparation was stopped after 30 s"),
        ("printf evaluation > $scratch/stage.json; kill -XCPU $$", FAILED,
         "its evaluation was stopped after 30 s"),
        (returned(log_loss=float("nan")), FAILED, "its scores are not finite"),
        ("exit 0", FAILED, "exit code 0: no output"),
        ("printf training > $scratch/stage.json; kill -XCPU $$", STOPPED, "stopped after 60 s"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_a_row(tmp_path: Path, script: str, status: str, reason: str) -> None:
    row = outcome(tmp_path, script)
    assert (row.status, row.reason) == (status, reason)
    assert row.log_loss is None


def test_stopped_on_its_way(tmp_path: Path) -> None:
    script = "printf training > $scratch/stage.json; echo 'Progress: 2.0% Progress: 40.0% lr' >&2"
    script += "; kill -XCPU $$"
    row = outcome(tmp_path, script)
    assert row.share == 0.4
    assert row.extrapolated_seconds == pytest.approx(150)


def test_a_setting_may_have_a_limit_of_its_own(tmp_path: Path) -> None:
    cell = Cell("kjv", "pytorch", Setting("a", "because", {}, limits={"kjv": 7}), 1)
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nprintf training > {tmp_path}/s/stage.json\nkill -XCPU $$\n")
    python.chmod(0o755)
    row = measure(cell, python, (tmp_path, tmp_path), Folders(tmp_path, tmp_path / "s"), LIMITS)
    assert row.reason == "stopped after 7 s"


def test_a_tool_that_does_not_install_is_a_row(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(tool: str, folder: Path) -> Path:
        raise InstallError("ERROR: No matching distribution found for torch")

    monkeypatch.setattr(running, "interpreter", refuse)
    pythons = install(["pytorch"], tmp_path)
    row = measure(
        CELL, pythons["pytorch"], (tmp_path, tmp_path), Folders(tmp_path, tmp_path), LIMITS
    )
    assert row.status == NOT_INSTALLED
    assert row.reason == "ERROR: No matching distribution found for torch"


def test_a_failing_installer_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environments, "REQUIREMENTS", tmp_path)
    (tmp_path / "pytorch.txt").write_text("--no-such-option\n")
    with pytest.raises(InstallError, match=r"^[^\n]*no such option: --no-such-option[^\n]*$"):
        interpreter("pytorch", tmp_path / "environments")


def test_last_line_that_says_something() -> None:
    assert last_line("one\nERROR: two\n\nnotice: three\n") == "ERROR: two"
    assert last_line("one\ntwo\n\n") == "two"


def test_cpu_time_is_limited_by_the_kernel() -> None:
    code = "from peers.cell import limit_cpu_time\nlimit_cpu_time(0.1)\nwhile True: pass"
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, timeout=60)
    assert done.returncode == -signal.SIGXCPU


def test_tools_take_turns() -> None:
    other = Setting("b", "because", {}, sets=("novels",))
    found = cells({"x": [SETTING, other], "y": [SETTING]}, ["kjv", "novels"], 2)
    assert [(c.repeat, c.set, c.tool, c.setting.name) for c in found][:6] == [
        (1, "kjv", "x", "a"),
        (1, "kjv", "y", "a"),
        (1, "novels", "x", "a"),
        (1, "novels", "y", "a"),
        (1, "novels", "x", "b"),
        (2, "kjv", "x", "a"),
    ]


def test_what_is_measured_again() -> None:
    def known(status: str, cpu: float, repeat: int = 1) -> list[Row]:
        return [Cell("kjv", "pytorch", SETTING, repeat).row(status, cpu_seconds=cpu)]

    plan = Plan({}, {}, repeats=3, once_from=100, limits=LIMITS)
    second = Cell("kjv", "pytorch", SETTING, 2)
    assert not needless(CELL, [], plan, False)
    assert needless(CELL, known(FINISHED, 1), plan, False)
    assert not needless(CELL, known(FINISHED, 1), plan, True)
    assert needless(second, known(FINISHED, 1) + known(FINISHED, 1, 2), plan, False)
    assert not needless(CELL, known(FAILED, 1), plan, False)
    assert needless(CELL, known(STOPPED, 60), plan, False)
    assert not needless(CELL, known(STOPPED, 30), plan, False)
    assert not needless(second, known(FINISHED, 1), plan, False)
    assert needless(second, known(FINISHED, 100), plan, False)
    assert needless(second, known(STOPPED, 60), plan, False)
    changed = Cell("kjv", "pytorch", Setting("a", "because", {"x": 2}), 1)
    assert not needless(changed, known(FINISHED, 1), plan, False)


def test_the_page_has_what_was_measured_before_too(tmp_path: Path) -> None:
    rows = [
        Cell("kjv", name, tools.load(name).SETTINGS[0], repeat).row(
            FINISHED, cpu_seconds=1.0, log_loss=4.0, top_1=0.2
        )
        for name in tools.NAMES
        for repeat in (1, 2)
    ]
    former = Setting("tried no more", "because", {})
    publish([*rows, Cell("kjv", "pytorch", former, 1).row(FINISHED, cpu_seconds=1.0)], tmp_path)
    page = (tmp_path / "RESULTS.md").read_text()
    assert all(f"\n| {tools.load(name).TITLE} |" in page for name in tools.NAMES)
    assert former.name not in page
    assert (tmp_path / "plots" / "kjv-top_1.png").exists()


def test_progress_of_a_log() -> None:
    assert progress("Progress: 0.0%") is None
    assert progress("") is None
    assert progress("Progress: 1.5%\nProgress:  62.5% words/sec") == 0.625


def test_settings_are_told_apart_and_say_why() -> None:
    for name in tools.NAMES:
        tool = tools.load(name)
        for title in ("kjv", "novels", "placenames"):
            names = [one.name for one in tool.SETTINGS if title in one.sets]
            assert len(set(names)) == len(names) > 0, name
        assert any(one.quick for one in tool.SETTINGS)
        assert all(one.reason and "|" not in one.name for one in tool.SETTINGS)
        assert json.loads(json.dumps([one.options for one in tool.SETTINGS]))
        requirements = environments.REQUIREMENTS / f"{name}.txt"
        assert name == "sstrain" or f"{tool.DISTRIBUTION}==" in requirements.read_text()


def test_quick_settings_of_sstrain_are_valid(tmp_path: Path) -> None:
    from peers.tools.base import Context
    from peers.tools.sstrain import SETTINGS, config

    from sstrain.config.loading import load

    for number, setting in enumerate(SETTINGS):
        folder = tmp_path / str(number)
        folder.mkdir()
        file = ROOT / "README.md"
        found = load(config(setting.options, file, file, Context(folder, 3, (file, file))))
        assert found.seed == 3
        assert found.training.threads == 1
