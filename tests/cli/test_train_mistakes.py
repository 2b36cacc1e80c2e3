"""What bad input gets: one or two plain lines for each mistake, exit code 2, nothing written."""

import json
import shutil
from pathlib import Path

import pytest
from commands import flip_last_byte, model_hash, snapshot, sstrain, svmlight_text

from sstrain.cli import main
from sstrain.training import forecast

CONFIG = "output: run\ndata: {train: {path: a.svm, format: svmlight}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a config that is right, and its data."""
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    Path("a.svm").write_text(svmlight_text(60, 6, 8, seed=1))
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Run a command that ends with 2 and changes nothing here; return what it says."""
    before = snapshot(Path.cwd())
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert snapshot(Path.cwd()) == before
    assert "Traceback" not in err
    told = ("compiling kernels", "data from ", "data read as ")
    return [line for line in err.splitlines() if not line.startswith(told)]


def refused_training(capsys: pytest.CaptureFixture[str], *settings: str) -> list[str]:
    options = [word for setting in settings for word in ("--set", setting)]
    lines = refused(capsys, "train", "--config", "c.yaml", *options)
    assert not Path("run").exists()
    return lines


def test_three_mistakes_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mistakes = "optimizer: {type: adagrid}\ntraining:\n  epochs: 0\n  batchsize: 5\n"
    Path("c.yaml").write_text(CONFIG + mistakes)
    first, second, third = refused_training(capsys)
    assert first.startswith("c.yaml:3 optimizer.type: ")
    assert "did you mean 'adagrad'?" in first
    assert second == "c.yaml:5 training.epochs: out of range; got 0; expected a whole number from 1"
    assert third.startswith("c.yaml:6 training.batchsize: unknown key")
    assert "did you mean 'batch_size'?" in third


def test_a_sampler_with_the_exact_objective(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.yaml").write_text(CONFIG + "objective: {type: exact}\nsampler: {type: uniform}\n")
    (line,) = refused_training(capsys)
    assert line.startswith("c.yaml:4 sampler: objective exact draws no samples; ")
    assert line.endswith("remove the section, or --set sampler=null")
    assert main(["config", "check", "c.yaml", "--set", "sampler=null"]) == 0


def test_a_config_that_is_missing_or_empty(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.yaml").write_text("")
    (line,) = refused_training(capsys)
    assert line.startswith("c.yaml")
    assert "empty" in line
    Path("c.yaml").unlink()
    assert refused_training(capsys) == ["c.yaml: cannot read the config: No such file or directory"]


DATA = {
    "missing": (None, "no such file"),
    "empty": ("", "no examples; found no line with a label"),
    "comments": ("# nothing\n\n", "no examples; found no line with a label"),
}


@pytest.mark.parametrize("case", DATA)
def test_data_that_are_missing_or_empty(
    case: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, problem = DATA[case]
    Path("a.svm").unlink()
    if text is not None:
        Path("a.svm").write_text(text)
    (line,) = refused_training(capsys)
    assert line.startswith(f"{folder}/a.svm: {problem}")


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_line_that_does_not_parse(
    part: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("b.svm").write_text("10 1:1\n20 2:x\n")
    lines = refused_training(capsys, f"data.{part}.path=b.svm")
    assert lines[-1] == (
        f"{folder}/b.svm:2:4: the value is no finite number; found '2:x'; expected index:value"
    )


def test_several_labels_on_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.svm").write_text("10 1:1\n20,30 2:1\n")
    (line,) = refused_training(capsys)
    assert line.startswith(f"{folder}/a.svm:2:1: several labels; found '20,30'; expected one label")


@pytest.mark.parametrize("lines", ["0\t1\n10\t1\n20\t0\n30\t1\n40\t1\n50\t1\n", "0\t1\n10\t1\n"])
def test_a_class_of_zero_probability(
    lines: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("q.tsv").write_text(lines)
    note, line = refused_training(capsys, "sampler={type: file, path: q.tsv}")
    assert "have no feature" in note
    assert line.startswith("sampler: file gives class '")
    assert "of the training set zero probability" in line
    assert ("'20' of" in line) == (lines.count("\n") == 6)


def test_more_samples_than_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note, line = refused_training(capsys, "sampler={num_samples: 7, replacement: false}")
    assert "have no feature" in note
    assert line.startswith("sampler.num_samples: more samples than classes without replacement")
    assert "got 7; at most 6 (V = 6)" in line


def test_a_model_larger_than_memory(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast, "available_memory", lambda: 100)
    (_, line) = refused_training(capsys)
    assert line.endswith("are free; lower sampler.num_samples or training.batch_size")
    small = ("sampler.num_samples=1", "training.batch_size=1")
    note, line = refused_training(capsys, "optimizer.average_from=1 epoch", *small)
    assert "have no feature" in note
    assert line.startswith("model: does not fit in memory; needs ")
    assert "0.00 GiB are free" in line
    assert "weights" in line
    assert "averaging" in line
    for way in ("min_feature_count", "rowwise_adagrad", "no optimizer.average_from"):
        assert way in line
    monkeypatch.setattr(forecast, "available_memory", lambda: 1 << 40)
    assert main(["train", "--config", "c.yaml", "--set", "training.epochs=1"]) == 0


def test_an_output_that_is_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = refused(capsys, "train", "--config", "c.yaml", "--output", "a.svm/run")
    assert "a.svm: is not a folder" in line


def test_flags_that_exclude_each_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = refused(capsys, "train", "--config", "c.yaml", "--resume", "--overwrite")
    assert lines[-1].endswith("--resume and --overwrite exclude each other")


@pytest.fixture
def copied(svmlight_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a copy of a finished run, as if trained here."""
    home = tmp_path / "home"
    shutil.copytree(svmlight_run.parent, home, symlinks=True)
    config = home / "run" / "config.yaml"
    config.write_text(config.read_text().replace(str(svmlight_run.parent), str(home)))
    environment = home / "run" / "environment.json"
    environment.write_text(environment.read_text().replace(str(svmlight_run.parent), str(home)))
    monkeypatch.chdir(home)
    return home


def unfinished(home: Path) -> None:
    """Take away the last checkpoint, as if the run had been killed before its end."""
    checkpoints = home / "run" / "checkpoints"
    shutil.rmtree((checkpoints / "last").resolve())
    (checkpoints / "last").unlink()


def test_an_output_that_holds_another_run(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = refused(capsys, "train", "--config", "config.yaml")
    assert line.startswith(f"{copied}/run: holds a run already")
    assert all(word in line for word in ("--resume", "--overwrite", "--output"))


@pytest.mark.parametrize("finished", [True, False])
def test_a_resume_with_another_config(
    finished: bool, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not finished:
        unfinished(copied)
    settings = ["--set", "seed=4", "--set", "optimizer.l2=0.1", "--set", "training.threads=1"]
    lines = refused(capsys, "train", "--config", "config.yaml", "--resume", *settings)
    assert [line.partition("config.yaml: ")[2] for line in lines] == [
        "seed: 3 in the run, 4 now",
        "optimizer.l2: 0.0 in the run, 0.1 now",
        "optimizer.l2_interval: not given in the run, 100 now",
    ]


@pytest.mark.parametrize("name", ["train.svm", "valid.svm", "test.svm"])
def test_a_resume_with_other_data(
    name: str, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unfinished(copied)
    with Path(name).open("a") as file:
        file.write("10 1:1\n")
    lines = refused(capsys, "train", "--config", "config.yaml", "--resume")
    assert lines[-1].startswith(f"{copied}/{name}: is not what the run in {copied}/run was trained")
    assert "found SHA-256" in lines[-1]


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--config", "config.yaml", "--resume"],
        ["eval", "run"],
        ["predict", "run", "test.svm"],
    ],
    ids=lambda command: str(command[0]),
)
@pytest.mark.parametrize("file", ["environment.json", "checkpoints/last/manifest.json"])
def test_a_run_of_another_format_version(
    command: list[str], file: str, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((copied / "run" / file).read_text())
    (copied / "run" / file).write_text(json.dumps({**content, "format_version": 99}))
    if command[0] != "train" and "checkpoints" in file:
        command = [*command, "--checkpoint", "last"]
    (line,) = refused(capsys, *command)
    assert "format version 99; this sstrain reads version 1; use the sstrain that wrote" in line


def test_a_damaged_checkpoint_is_said_and_the_one_before_it_is_used(
    copied: Path, svmlight_run: Path
) -> None:
    whole = model_hash(svmlight_run)
    last = (copied / "run" / "checkpoints" / "last").resolve()
    flip_last_byte(last / "model.safetensors")
    for command in (["eval", "run", "--checkpoint", "last"], ["predict", "run", "test.svm"]):
        done = sstrain(*command, "--checkpoint", "last", folder=copied)
        assert done.returncode == 0
        assert f"{last.name}: damaged: " in done.stderr
        assert "model.safetensors" in done.stderr
        assert "step-000000026: used instead of the checkpoint of step 39" in done.stderr
    done = sstrain("train", "--config", "config.yaml", "--resume", folder=copied)
    assert done.returncode == 0
    assert f"{last.name}: damaged: " in done.stderr
    assert "going on from" in done.stderr
    assert model_hash(copied / "run") == whole


def test_no_whole_checkpoint_is_a_failure(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for checkpoint in (copied / "run" / "checkpoints").glob("step-*"):
        flip_last_byte(checkpoint / "model.safetensors")
    assert main(["eval", "run"]) == 1
    assert main(["train", "--config", "config.yaml", "--resume"]) == 1
    assert "nor one before it is whole" in capsys.readouterr().err


def test_a_label_that_training_never_saw_is_no_mistake(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("b.svm").write_text("70 1:1\n10 2:1 99:1\n10 1:1\n")
    settings = ["--set", "data.validation.path=b.svm", "--set", "training.epochs=1"]
    assert main(["train", "--config", "c.yaml", *settings]) == 0
    err = capsys.readouterr().err
    assert "validation: 1 of 3 examples have a label that training never saw, such as '70'" in err
    assert f"({folder}/b.svm:1)" in err
    assert "validation: 1 features ignored that the model does not have" in err
