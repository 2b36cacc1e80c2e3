"""``sstrain index``: what it prints, what it leaves, what it refuses."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import snapshot, sstrain, svmlight_text
from factored import factored

from sstrain.cli import main
from sstrain.serving import index as indexing
from sstrain.training.saved import load_model


@pytest.fixture
def low_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs have low-rank models."""
    monkeypatch.setattr(indexing, "load_model", lambda *given: factored(load_model(*given)))


@pytest.mark.usefixtures("low_rank")
def test_it_prints_recall_and_times(
    svmlight_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(svmlight_run)
    try:
        assert main(["index", str(svmlight_run), "--recall-examples", "50"]) == 0
        out, _ = capsys.readouterr()
        assert re.fullmatch(
            rf"""{svmlight_run}/index: 12 classes of checkpoint 26, 0\.0 MB, built in \d+\.\d s

test split: 50 examples

k                      1           5          10
recall            1\.0000      1\.0000      1\.0000

exact        +\d+\.\d{{3}} ms a query
approximate  +\d+\.\d{{3}} ms a query
""",
            out,
        )
        after = snapshot(svmlight_run)
        assert after.keys() - before.keys() == {"index/graph.faiss", "index/index.json"}
        assert {name: after[name] for name in before} == before
    finally:
        for path in (svmlight_run / "index").glob("*"):
            path.unlink()
        (svmlight_run / "index").rmdir()


def test_a_dense_model_is_refused_in_one_line(svmlight_run: Path, tmp_path: Path) -> None:
    done = sstrain("index", svmlight_run, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"{svmlight_run}: its model is dense, which has no class vectors; an approximate index "
        "is for models of type low_rank\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{run}", "--checkpoint", "7"], "no checkpoint 7; there are "),
        (["{run}", "--checkpoint", "first"], "expected best, last or a step; got 'first'"),
        (["{run}", "--recall-examples", "0"], "Invalid value for '--recall-examples'"),
        (["{run}/none"], "none: does not exist; expected the folder of a run"),
    ],
)
def test_mistakes_of_usage(
    arguments: list[str], message: str, svmlight_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["index", *(part.format(run=svmlight_run) for part in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


def test_without_faiss_nothing_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert main(["index", str(tmp_path)]) == 2
    expected = "an approximate index needs the package faiss-cpu, which is not installed; "
    assert capsys.readouterr().err == f"{expected}pip install 'sstrain[index]'\n"


def test_predict_by_the_index_of_a_low_rank_run(tmp_path: Path) -> None:
    """It names the classes that the exact pass names, with scores; a changed model is noticed."""
    (tmp_path / "train.svm").write_text(svmlight_text(300, 30, 40, seed=3))
    rows = (tmp_path / "train.svm").read_text().splitlines()[:20]
    (tmp_path / "rows.svm").write_text("\n".join(rows) + "\n")
    (tmp_path / "c.yaml").write_text(
        "data: {train: {path: train.svm, format: svmlight}, validation: 0.2}\n"
        "model: {type: low_rank, rank: 6}\ntraining: {epochs: 2, batch_size: 32}\noutput: run\n"
    )

    def predict(*flags: str) -> list[dict[str, Any]]:
        done = sstrain("predict", "run", "rows.svm", "--top-k", 4, *flags, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    assert sstrain("train", "--config", "c.yaml", folder=tmp_path).returncode == 0
    missing = sstrain("predict", "run", "rows.svm", "--approximate", folder=tmp_path)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "run: has no approximate index; build it: sstrain index run" in missing.stderr
    assert sstrain("index", "run", folder=tmp_path).returncode == 0
    exact, found = predict(), predict("--approximate")
    assert [row["labels"] for row in found] == [row["labels"] for row in exact]
    for row, other in zip(exact, found, strict=True):
        assert other.keys() == {"labels", "scores"}
        logs = np.log(row["probabilities"])
        np.testing.assert_allclose(np.diff(other["scores"]), np.diff(logs), atol=1e-4)
    index = (tmp_path / "run" / "index").rename(tmp_path / "index")
    again = sstrain(
        "train", "--config", "c.yaml", "--overwrite", "--set", "seed=2", folder=tmp_path
    )
    assert again.returncode == 0
    assert not (tmp_path / "run" / "index").exists()
    index.rename(tmp_path / "run" / "index")
    stale = sstrain("predict", "run", "rows.svm", "--approximate", folder=tmp_path)
    assert (stale.returncode, stale.stdout) == (2, "")
    assert "is of another model than checkpoint" in stale.stderr
