"""``sstrain prune``, and every other command on the run that it writes."""

import json
import shutil
from pathlib import Path

import pytest
from commands import metrics, model_hash, sstrain

from sstrain.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def pruned_run(svmlight_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that keeps a fifth of another's weights."""
    folder = tmp_path_factory.mktemp("pruned")
    done = sstrain("prune", svmlight_run, "--keep", "20%", "--output", "run", folder=folder)
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    return folder / "run"


def test_what_pruning_changed_is_printed(svmlight_run: Path, pruned_run: Path) -> None:
    lines = (pruned_run.parent / "stdout").read_text().splitlines()
    cells = {words[0]: words[1:] for words in map(str.split, lines) if words}
    assert cells["run"] == ["run"]
    assert cells["kept"][0] == "48"
    assert cells["kept"][-1] == "(20.0000%)"
    assert cells["split"] == ["validation,", "70", "examples"]
    scored = [line for line in metrics(svmlight_run) if line["event"] == "eval"]
    before = min(line["log_loss"] for line in scored)
    (after,) = (line for line in metrics(pruned_run) if line["event"] == "eval")
    assert cells["log_loss"] == [f"{before:.4f}", f"{after['log_loss']:.4f}"]
    sizes = [
        f"{(run / 'checkpoints' / 'best' / 'model.safetensors').stat().st_size:,}"
        for run in (svmlight_run, pruned_run)
    ]
    assert lines[-1].split()[-2:] == sizes


def test_the_run_is_evaluated_and_serves(pruned_run: Path, capsys: Capture) -> None:
    home = pruned_run.parent
    assert main(["eval", str(pruned_run), "--data", str(data_file(pruned_run)), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    (after,) = (line for line in metrics(pruned_run) if line["event"] == "eval")
    assert figures["log_loss"] == pytest.approx(after["log_loss"], rel=1e-6)
    (home / "input.svm").write_text("0 1:1 2:0.5\n")
    assert main(["predict", str(pruned_run), str(home / "input.svm"), "--top-k", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["labels"]) == 2


def data_file(run: Path) -> Path:
    """Return the validation file that the run's config names."""
    text = (run / "config.yaml").read_text()
    (path,) = (line.split()[-1] for line in text.splitlines() if line.endswith("valid.svm"))
    return Path(path)


def test_training_goes_on_with_the_kept_weights_and_resumes_alone(
    pruned_run: Path, svmlight_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "source"
    shutil.copytree(pruned_run, run, symlinks=True)
    train = ["train", "--config", run / "config.yaml", "--set", f"model.from={run}"]
    train += ["--set", "checkpoint.every=13 steps"]
    whole = sstrain(*train, "--output", "whole", folder=tmp_path)
    assert whole.returncode == 0, whole.stderr
    assert "warm start from" in whole.stderr
    assert model_hash(tmp_path / "whole") != model_hash(run)
    # Resumed from its second checkpoint, while the run that it began from is gone.
    shutil.copytree(tmp_path / "whole", tmp_path / "part", symlinks=True)
    expected = model_hash(tmp_path / "whole")
    checkpoints = tmp_path / "part" / "checkpoints"
    shutil.rmtree(checkpoints / "step-000000039")
    shutil.rmtree(run / "checkpoints")
    resumed = sstrain(*train, "--output", "part", "--resume", folder=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "step-000000026" in resumed.stderr
    assert model_hash(tmp_path / "part") == expected


def test_a_finished_run_is_not_trained_on(pruned_run: Path, capsys: Capture) -> None:
    config = str(pruned_run / "config.yaml")
    assert main(["train", "--config", config, "--resume"]) == 0
    assert "finished; nothing to do" in capsys.readouterr().err


@pytest.mark.parametrize("keep", ["0", "0%", "-5%", "101%", "1.01", "nan", "inf", "five", "%", ""])
def test_a_share_that_is_none(
    keep: str, svmlight_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    output = str(tmp_path / "run")
    assert main(["prune", str(svmlight_run), f"--keep={keep}", "--output", output]) == 2
    error = capsys.readouterr().err
    assert "expected a share above 0 and at most 1, as 5% or 0.05; got" in error
    assert not list(tmp_path.iterdir())


def test_mistakes(svmlight_run: Path, pruned_run: Path, tmp_path: Path, capsys: Capture) -> None:
    empty = tmp_path / "empty"
    shutil.copytree(svmlight_run, empty, ignore=lambda path, names: {"checkpoints"} & set(names))
    mistakes = [
        ((tmp_path / "none", "--keep=5%"), "does not exist; expected the folder of a run"),
        ((tmp_path, "--keep=5%"), "is not the folder of a run"),
        ((empty, "--keep=5%"), "no checkpoint last; there is none yet"),
        ((svmlight_run, "--keep=5%", "--checkpoint=7"), "no checkpoint 7"),
        ((svmlight_run, "--keep=0.1%"), "is less than one weight; give a larger share"),
        ((pruned_run, "--keep=0.5"), "is pruned already; got keep 0.5"),
    ]
    for arguments, message in mistakes:
        command = ["prune", *map(str, arguments), "--output", str(tmp_path / "output")]
        assert main(command) == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.splitlines()) <= 2
        assert not (tmp_path / "output").exists()
    assert main(["prune", str(svmlight_run), "--keep=5%", "--output", str(empty)]) == 2
    assert "exists already; give another --output" in capsys.readouterr().err


def test_a_sparse_model_without_from_is_found_by_config_check(
    svmlight_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    config = tmp_path / "config.yaml"
    text = (svmlight_run.parent / "config.yaml").read_text()
    config.write_text(text + "model: {type: sparse, keep: 0.1}\n")
    assert main(["config", "check", str(config)]) == 2
    lines = capsys.readouterr().err.splitlines()
    line = len(text.splitlines()) + 1
    assert lines == [f"{config}:{line} model.from: missing; expected a path"]
