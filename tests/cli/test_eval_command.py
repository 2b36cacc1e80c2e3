"""``sstrain eval`` against numpy, from the files of the run's folder and the data alone."""

import json
import math
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import snapshot, sstrain, svmlight_text
from numpy.typing import NDArray
from reference import metrics as reference
from safetensors.numpy import load_file

from sstrain.cli import main
from sstrain.evaluation import saved_run

FIGURES = {"num_examples", "log_loss", "perplexity", "top_1", "top_5", "mrr", "ece"}


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main(["eval", *map(str, arguments), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


class Saved:
    """A run's model and names, read without the package."""

    def __init__(self, run: Path, checkpoint: str) -> None:
        tensors = load_file(run / "checkpoints" / checkpoint / "model.safetensors")
        self.weight, self.bias = (tensors[n].astype(float) for n in ("weight", "bias"))
        self.classes = (run / "classes.txt").read_text().splitlines()
        self.features = (run / "features.txt").read_text().splitlines()

    def scores(self, rows: list[dict[str, float]]) -> NDArray[np.float64]:
        """Return the scores of all classes; features without a row in the weights are left out."""
        place = {name: j for j, name in enumerate(self.features)}
        result = np.tile(self.bias, (len(rows), 1))
        for i, row in enumerate(rows):
            for name, value in row.items():
                if name in place:
                    result[i] += value * self.weight[place[name]]
        return result

    def targets(self, labels: list[str]) -> NDArray[np.int64]:
        place = {name: j for j, name in enumerate(self.classes)}
        return np.array([place.get(label, -1) for label in labels])


def svmlight_rows(path: Path) -> tuple[list[dict[str, float]], list[str]]:
    lines = [line.split() for line in path.read_text().splitlines()]
    rows = [{k: float(v) for k, v in (cell.split(":") for cell in line[1:])} for line in lines]
    return rows, [line[0] for line in lines]


def assert_figures(found: dict[str, Any], expected: dict[str, float]) -> None:
    assert found.keys() >= expected.keys()
    for name, value in expected.items():
        if math.isnan(value):
            assert found[name] is None
        else:
            assert found[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name


@pytest.mark.parametrize("checkpoint", ["best", "last"])
@pytest.mark.parametrize("split", ["test", "data"])
def test_figures_are_those_of_the_full_softmax(
    checkpoint: str, split: str, svmlight_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = svmlight_run.parent
    file = home / ("test.svm" if split == "test" else "valid.svm")
    data = ["--data", file] if split == "data" else []
    found = evaluated(capsys, svmlight_run, *data, "--checkpoint", checkpoint)
    rows, labels = svmlight_rows(file)
    saved = Saved(svmlight_run, checkpoint)
    scores, targets = saved.scores(rows), saved.targets(labels)
    assert_figures(found, reference.evaluate(scores, targets))
    counts = Counter(svmlight_rows(home / "train.svm")[1])
    bands = reference.bands(np.array([counts[label] for label in saved.classes]))
    for band in ("head", "torso", "tail"):
        chosen = [i for i, c in enumerate(targets) if c >= 0 and bands[c] == band]
        assert_figures(found["bands"][band], reference.evaluate(scores[chosen], targets[chosen]))
    assert {"head", "torso", "tail"} == set(bands)


def test_the_object_is_flat_but_for_bands(
    svmlight_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(capsys, svmlight_run)
    assert found.keys() >= {*FIGURES, "split", "num_unknown_labels", "num_unknown_features"}
    bands = found.pop("bands")
    assert bands.keys() == {"head", "torso", "tail"}
    assert all(figures.keys() == FIGURES for figures in bands.values())
    assert not [value for value in found.values() if isinstance(value, dict | list)]


def test_what_training_never_saw_is_counted(
    svmlight_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(svmlight_run), "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["split"] == "test"
    assert (found["num_unknown_labels"], found["num_unknown_features"]) == (2, 3)
    assert found["num_examples"] == 88
    assert sum(figures["num_examples"] for figures in found["bands"].values()) == 86
    assert "2 of 88 examples have a label that training never saw" in captured.err


def test_an_unknown_label_is_a_miss_and_no_loss(
    svmlight_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = (svmlight_run.parent / "valid.svm").read_text()
    (tmp_path / "known.svm").write_text(known)
    (tmp_path / "more.svm").write_text(known + "5 1:1\n" * 70)
    before = evaluated(capsys, svmlight_run, "--data", tmp_path / "known.svm")
    after = evaluated(capsys, svmlight_run, "--data", tmp_path / "more.svm")
    assert (before["num_examples"], after["num_examples"]) == (70, 140)
    assert after["log_loss"] == before["log_loss"]
    for name in ("top_1", "top_5", "mrr"):
        assert after[name] == pytest.approx(before[name] / 2)


def test_labels_that_are_all_unknown_leave_no_loss(
    svmlight_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.svm").write_text("5 1:1\n6\n")
    found = evaluated(capsys, svmlight_run, "--data", tmp_path / "new.svm")
    assert (found["log_loss"], found["perplexity"], found["mrr"]) == (None, None, 0)
    assert main(["eval", str(svmlight_run), "--data", str(tmp_path / "new.svm")]) == 0
    assert "log_loss               -" in capsys.readouterr().out


def test_the_index_base_is_the_runs(
    svmlight_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "zero.svm").write_text("10 1:1\n10 0:1\n")
    assert main(["eval", str(svmlight_run), "--data", str(tmp_path / "zero.svm")]) == 2
    assert f"{tmp_path}/zero.svm:2:4: the index is below the index base" in capsys.readouterr().err


def test_the_checkpoint_is_the_best_where_there_is_a_validation_split(
    svmlight_run: Path, sequence_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not (svmlight_run / "checkpoints" / "best").samefile(
        svmlight_run / "checkpoints" / "last"
    )
    steps = {
        link: int((svmlight_run / "checkpoints" / link).resolve().name.removeprefix("step-"))
        for link in ("best", "last")
    }
    assert evaluated(capsys, svmlight_run)["checkpoint"] == steps["best"]
    for link, step in steps.items():
        named = evaluated(capsys, svmlight_run, "--checkpoint", link)
        assert named["checkpoint"] == step
        assert named == evaluated(capsys, svmlight_run, "--checkpoint", step)
    last = (sequence_run / "checkpoints" / "last").resolve().name
    assert evaluated(capsys, sequence_run)["checkpoint"] == int(last.removeprefix("step-"))


def test_validation_figures_are_those_of_the_metrics(
    svmlight_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = map(json.loads, (svmlight_run / "metrics.jsonl").read_text().splitlines())
    logged = [line for line in lines if line["event"] == "eval"][-1]
    data = ["--data", svmlight_run.parent / "valid.svm"]
    found = evaluated(capsys, svmlight_run, *data, "--checkpoint", logged["step"])
    assert {**found, "split": "validation"}.items() <= {**logged, "checkpoint": 39}.items()


def sequence_examples(
    lines: list[str], classes: set[str]
) -> tuple[list[dict[str, float]], list[str], int]:
    """Return the rows of a context of 4 and 2 positions, the targets, and what is skipped."""
    rows, targets, skipped = [], [], 0
    for line in lines:
        tokens = line.split()
        for place, token in enumerate(tokens):
            if token not in classes:
                skipped += 1
                continue
            before = tokens[:place][::-1]
            bag = {f"bag:{t}": 1.0 for t in before[:4]}
            tagged = {f"-{p}:{t}": 1.0 for p, t in enumerate(before[:2], start=1)}
            rows.append(bag | tagged)
            targets.append(token)
    return rows, targets, skipped


def test_a_sequence_skips_what_is_no_class(
    sequence_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = Saved(sequence_run, "last")
    assert "upon" not in saved.classes  # seen twice, where min_count is 3
    text = (sequence_run.parent / "train.txt").read_text().splitlines()[:40]
    lines = [*text, "once upon a time", "", "aa neverseen ab"]
    (tmp_path / "more.txt").write_text("".join(f"{line}\n" for line in lines))
    found = evaluated(capsys, sequence_run, "--data", tmp_path / "more.txt")
    rows, labels, skipped = sequence_examples(lines, set(saved.classes))
    expected = reference.evaluate(saved.scores(rows), saved.targets(labels), (1, 3))
    assert skipped >= 5
    assert found["num_skipped"] == skipped
    assert found["num_unknown_labels"] == 0
    assert found["num_unknown_features"] > 0
    assert_figures(found, expected)


def test_the_table_shows_what_the_object_holds(
    svmlight_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(capsys, svmlight_run)
    assert main(["eval", str(svmlight_run)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"test split, checkpoint {found['checkpoint']}: 88 examples\n")
    assert "2 labels and 3 features that training never saw, 0 positions skipped" in out
    columns = [found, *found["bands"].values()]
    for name in ("log_loss", "top_1", "top_5", "mrr", "ece"):
        (row,) = [line.split() for line in out.splitlines() if line.startswith(f"{name} ")]
        assert row[1:] == [f"{figures[name]:.4f}" for figures in columns]


def test_evaluating_changes_nothing(svmlight_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(svmlight_run.parent)
    evaluated(capsys, svmlight_run)
    assert snapshot(svmlight_run.parent) == before


def test_a_run_without_held_out_data(tmp_path: Path) -> None:
    (tmp_path / "a.svm").write_text(svmlight_text(40, 5, 8, seed=1))
    (tmp_path / "c.yaml").write_text(
        "data: {train: {path: a.svm, format: svmlight}}\ntraining: {epochs: 1}\n"
    )
    assert sstrain("train", "--config", "c.yaml", folder=tmp_path).returncode == 0
    done = sstrain("eval", "runs/c", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "runs/c: the run has neither a test nor a validation split; give a file with --data"
    )
    done = sstrain("eval", "runs/c", "--data", "a.svm", "--json", folder=tmp_path)
    assert json.loads(done.stdout)["split"] == "data"


def test_the_validation_split_serves_where_there_is_no_test(
    svmlight_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(svmlight_run, run, symlinks=True)
    lines = (run / "config.yaml").read_text().splitlines()
    start = lines.index("  test:")
    end = next(i for i in range(start + 1, len(lines)) if not lines[i].startswith("    "))
    (run / "config.yaml").write_text("\n".join(lines[:start] + lines[end:]) + "\n")
    found = evaluated(capsys, run)
    assert (found["split"], found["num_examples"]) == ("validation", 70)


def test_a_held_out_share_of_a_file_that_changed_is_refused(
    sequence_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sequence_run, tmp_path / "run", symlinks=True)
    text = tmp_path / "train.txt"
    text.write_text("aa ab\n" + (sequence_run.parent / "train.txt").read_text())
    for name in ("config.yaml", "environment.json"):
        file = tmp_path / "run" / name
        file.write_text(file.read_text().replace(str(sequence_run.parent), str(tmp_path)))
    assert main(["eval", str(tmp_path / "run")]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"{text}: has changed since the run was trained")
    assert main(["eval", str(sequence_run)]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: does not exist; expected the folder of a run"),
        (["{home}"], "is not the folder of a run: there is no environment.json in it"),
        (["{run}", "--data", "none.svm"], "none.svm: no such file"),
        (["{run}", "--checkpoint", "7"], "no checkpoint 7; there are 26, 39"),
        (["{run}", "--checkpoint", "first"], "expected best, last or a step; got 'first'"),
    ],
)
def test_mistakes(
    arguments: list[str],
    message: str,
    svmlight_run: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = [a.format(run=svmlight_run, home=svmlight_run.parent) for a in arguments]
    assert main(["eval", *named]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


def test_a_share_is_taken_from_the_cache_of_training(
    sequence_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = evaluated(capsys, sequence_run, "--no-cache")

    def refuse(*arguments: object) -> None:
        raise AssertionError("the training file was parsed")

    monkeypatch.setattr(saved_run, "load_split", refuse)
    assert evaluated(capsys, sequence_run) == read
    monkeypatch.undo()
    notes = lines_of_stderr(sequence_run, capsys)
    assert any(line.startswith("data from ") for line in notes)
    assert not any(line.startswith("train: ") for line in notes)


def lines_of_stderr(run: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["eval", str(run)]) == 0
    return capsys.readouterr().err.splitlines()


def test_a_cache_with_another_vocabulary_is_not_used(
    sequence_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(sequence_run, run, symlinks=True)
    classes = (run / "classes.txt").read_text().splitlines()
    renamed = [f"{classes[0]}x", *classes[1:]]
    (run / "classes.txt").write_text("".join(f"{name}\n" for name in renamed))
    found, plain = evaluated(capsys, run), evaluated(capsys, run, "--no-cache")
    assert found == plain
    assert found["num_skipped"] > evaluated(capsys, sequence_run)["num_skipped"]
