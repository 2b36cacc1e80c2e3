"""``sstrain predict``: one JSON object a line, against numpy from the saved files."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import COMMAND, ENVIRONMENT, snapshot, sstrain
from numpy.typing import NDArray
from reference.softmax import probabilities
from safetensors.numpy import load_file

from sstrain.cli import main

INPUT = "10 1:1 2:0.5\n\n1:1 2:0.5\n99 1:1 2:0.5 700:3 # a comment\n \n50\n"


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def expected(run: Path, checkpoint: str, row: dict[str, float]) -> dict[str, float]:
    """Return the probability of each label."""
    tensors = load_file(run / "checkpoints" / checkpoint / "model.safetensors")
    features = (run / "features.txt").read_text().splitlines()
    scores: NDArray[np.float64] = tensors["bias"].astype(float)
    for name, value in row.items():
        if name in features:
            scores += value * tensors["weight"][features.index(name)]
    labels = (run / "classes.txt").read_text().splitlines()
    return dict(zip(labels, probabilities(scores), strict=True))


def assert_best(found: dict[str, Any], expected: dict[str, float], k: int) -> None:
    assert found.keys() == {"labels", "probabilities"}
    assert len(set(found["labels"])) == len(found["probabilities"]) == k
    assert found["probabilities"] == sorted(found["probabilities"], reverse=True)
    of_labels = [expected[label] for label in found["labels"]]
    assert found["probabilities"] == pytest.approx(of_labels, rel=1e-5)
    assert found["probabilities"] == pytest.approx(sorted(expected.values())[: -k - 1 : -1])


@pytest.mark.parametrize("link", ["best", "last"])
def test_labels_are_optional_and_every_line_has_an_answer(
    link: str, svmlight_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.svm").write_text(INPUT)
    arguments = [str(svmlight_run), str(tmp_path / "in.svm"), "--checkpoint", link]
    assert main(["predict", *arguments]) == 0
    found = objects(capsys.readouterr().out)
    full, empty = (expected(svmlight_run, link, row) for row in ({"1": 1.0, "2": 0.5}, {}))
    assert len(found) == 6
    for line, distribution in zip(found, [full, empty, full, full, empty, empty], strict=True):
        assert_best(line, distribution, 5)


def test_the_best_checkpoint_predicts_where_there_is_validation(
    svmlight_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(svmlight_run.parent / "test.svm")
    outputs = []
    for options in ([], ["--checkpoint", "best"], ["--checkpoint", "last"]):
        assert main(["predict", str(svmlight_run), file, *options]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != outputs[2]


def test_stdin_and_files_give_the_same(svmlight_run: Path, tmp_path: Path) -> None:
    (tmp_path / "in.svm").write_text(INPUT)
    from_file = sstrain("predict", svmlight_run, "in.svm", folder=tmp_path)
    assert from_file.returncode == 0
    assert from_file.stderr == "in.svm: 1 features ignored that the model does not have\n"
    for text in (INPUT, INPUT.rstrip("\n"), INPUT.replace("\n", "\r\n")):
        from_stdin = sstrain("predict", svmlight_run, "-", folder=tmp_path, stdin=text)
        assert from_stdin.returncode == 0
        assert from_stdin.stdout == from_file.stdout


def test_no_line_has_no_answer(
    svmlight_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").write_text("")
    assert main(["predict", str(svmlight_run), str(tmp_path / "empty")]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("k", "shown"), [(1, 1), (3, 3), (12, 12), (500, 12)])
def test_top_k(
    k: int, shown: int, svmlight_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.svm").write_text("3:1\n")
    assert main(["predict", str(svmlight_run), str(tmp_path / "in.svm"), "--top-k", str(k)]) == 0
    (found,) = objects(capsys.readouterr().out)
    assert_best(found, expected(svmlight_run, "best", {"3": 1.0}), shown)
    if shown == 12:
        assert sum(found["probabilities"]) == pytest.approx(1)


def test_many_lines_are_read_in_parts(
    svmlight_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{j % 20 + 1}:{0.01 * j:.2f}" for j in range(700)]
    (tmp_path / "in.svm").write_text("\n".join(lines))
    assert main(["predict", str(svmlight_run), str(tmp_path / "in.svm"), "--top-k", "2"]) == 0
    found = objects(capsys.readouterr().out)
    assert len(found) == 700
    for j in (0, 255, 256, 511, 512, 699):
        row = {str(j % 20 + 1): round(0.01 * j, 2)}
        assert_best(found[j], expected(svmlight_run, "best", row), 2)


def test_a_sequence_predicts_what_follows_the_line(
    sequence_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.txt").write_text("bb ab ac ad ae\n\nneverseen ac\n")
    assert main(["predict", str(sequence_run), str(tmp_path / "in.txt"), "--top-k", "4"]) == 0
    found = objects(capsys.readouterr().out)
    rows = [
        {f"bag:a{x}": 1.0 for x in "bcde"} | {"-1:ae": 1.0, "-2:ad": 1.0},
        {},
        {"bag:ac": 1.0, "-1:ac": 1.0},
    ]
    for line, row in zip(found, rows, strict=True):
        assert_best(line, expected(sequence_run, "last", row), 4)


def test_output_goes_to_a_file_and_only_when_it_is_whole(
    svmlight_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "in.svm").write_text(INPUT)
    shown = sstrain("predict", svmlight_run, "in.svm", folder=tmp_path)
    done = sstrain("predict", svmlight_run, "in.svm", "--output", "out", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", shown.stderr)
    assert (tmp_path / "out").read_text() == shown.stdout
    with (tmp_path / "in.svm").open("a") as file:
        file.write("10 2:x\n")
    before = snapshot(tmp_path)
    done = sstrain("predict", svmlight_run, "in.svm", "--output", "out", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("in.svm:7:4: the value is no finite number; found '2:x'")
    assert snapshot(tmp_path) == before


def test_a_bad_line_of_stdin_is_named(svmlight_run: Path, tmp_path: Path) -> None:
    text = "10 1:1\n" * 300 + "10 1:\n"
    done = sstrain("predict", svmlight_run, "-", folder=tmp_path, stdin=text)
    assert done.returncode == 2
    assert done.stderr.startswith("-:301:4: ")


def test_predicting_changes_nothing(svmlight_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(svmlight_run.parent)
    assert main(["predict", str(svmlight_run), str(svmlight_run.parent / "test.svm")]) == 0
    assert snapshot(svmlight_run.parent) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["none.svm"], "none.svm: no such file"),
        (["-", "--top-k", "0"], "Invalid value for '--top-k'"),
        (["{file}", "--output", "nowhere/out"], "nowhere/out: cannot be written"),
        (["{file}", "--checkpoint", "7"], "no checkpoint 7; there are "),
    ],
)
def test_mistakes(
    options: list[str], message: str, svmlight_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = svmlight_run.parent / "test.svm"
    assert main(["predict", str(svmlight_run), *(o.format(file=file) for o in options)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


def test_a_reader_that_leaves_is_no_reason_to_complain(svmlight_run: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "predict", svmlight_run, svmlight_run.parent / "test.svm"],
        env=ENVIRONMENT,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
