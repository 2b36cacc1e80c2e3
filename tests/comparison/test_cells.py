"""Cells: the grid, the budget, a cell beside `sstrain train`, what is kept of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import sequence_text

from sstrain.comparison.cell import CellRunner, validation_lines
from sstrain.comparison.compare import compare
from sstrain.comparison.folder import ComparisonFolder
from sstrain.comparison.grid import cells, total_steps
from sstrain.comparison.records import Arm
from sstrain.comparison.shared_data import map_splits, write_splits
from sstrain.config.comparison import Budget, Comparison
from sstrain.config.comparison_loading import load_comparison
from sstrain.data.cache import load
from sstrain.data.loading import Splits
from sstrain.errors import UserError
from sstrain.training.engine import Engine
from sstrain.training.tensors import digest

CONFIG = """
output: out
base:
  data:
    train: {path: words.txt, format: sequence, min_count: 1}
    validation: 0.2
  training: {batch_size: 16}
  optimizer: {type: adagrad, learning_rate: 0.3, schedule: linear}
  evaluation: {every: 10 steps, top_k: [1, 3]}
samplers: [{type: uniform}, {type: unigram, share: example}]
num_samples: [4, 8]
seeds: [1, 5]
budget: {epochs: 2}
diagnostics: {examples: 16, draws: 32}
"""


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    return written(tmp_path)


def written(folder: Path, *overrides: str) -> Comparison:
    (folder / "words.txt").write_text(sequence_text(120, 30, seed=3))
    (folder / "compare.yaml").write_text(CONFIG)
    return load_comparison(folder / "compare.yaml", overrides)


def loaded(comparison: Comparison) -> Splits:
    return load(comparison.base.data, lambda line: None)


def nothing(examples: int) -> None:
    """Take in the examples of a step."""


def test_the_grid_holds_every_setting_with_every_seed_and_the_reference(
    comparison: Comparison,
) -> None:
    grid = cells(comparison)
    names = ("uniform", "unigram(share=example)")
    sampled = {Arm("importance", name, size) for name in names for size in (4, 8)}
    assert {(cell.arm, cell.seed) for cell in grid} == {
        (arm, seed) for arm in sampled | {Arm("exact")} for seed in (1, 5)
    }
    assert [cell.number for cell in grid] == list(range(10))
    assert all(cell.config.seed == cell.seed for cell in grid)
    assert len(cells(comparison.model_copy(update={"reference": False}))) == 8


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        (Budget(epochs=3), 3 * 7),
        (Budget(examples=100), 7),
        (Budget(examples=101), 8),
        (Budget(examples=15), 1),
        (Budget(examples=17), 2),
        (Budget(examples=200 + 33), 14 + 3),
    ],
)
def test_a_budget_in_steps(budget: Budget, steps: int) -> None:
    assert total_steps(budget, num_examples=100, batch_size=16) == steps


def test_a_cells_weights_are_those_of_the_engine_that_train_uses(comparison: Comparison) -> None:
    splits = loaded(comparison)
    runner = CellRunner(comparison, splits)
    for cell in cells(comparison):
        record = runner.run(cell, nothing)
        engine = Engine(cell.config, splits.train, splits.vocabulary)
        while engine.done < engine.total_steps:
            engine.step()
        assert record.results["weights_sha256"] == digest(engine.tensors()["model"])
        assert record.results["examples"] == engine.examples == 2 * splits.train.num_examples
        assert record.results["candidates_scored"] == engine.candidates_scored


def test_what_is_kept_of_a_cell(comparison: Comparison) -> None:
    splits = loaded(comparison)
    runner = CellRunner(comparison, splits)
    reference, cell = cells(comparison)[0], cells(comparison)[3]
    record, exact = runner.run(cell, nothing), runner.run(reference, nothing)
    assert record.line_losses is not None
    mean = record.line_losses.sum() / runner.line_weights.sum()
    assert mean == pytest.approx(record.results["log_loss"], rel=1e-12)
    steps = [row["step"] for row in record.curve]
    assert steps[:-1] == [10 * (place + 1) for place in range(len(steps) - 1)]
    assert record.curve[-1]["log_loss"] == record.results["log_loss"]
    moments = [row["moment"] for row in record.diagnostics]
    assert list(dict.fromkeys(moments)) == ["start", "evaluation", "end"]
    assert {row["weights"] for row in record.diagnostics} == {"own"}
    assert {row["weights"] for row in exact.diagnostics} == {"reference"}
    measured = {(row["sampler"], row["num_samples"]) for row in exact.diagnostics}
    assert len(measured) == 4


def test_a_cell_that_diverges_is_a_record(tmp_path: Path) -> None:
    comparison = written(tmp_path, "base.optimizer={type: sgd, learning_rate: 1e30}")
    record = CellRunner(comparison, loaded(comparison)).run(cells(comparison)[-1], nothing)
    assert record.status == "diverged"
    assert "rate" in record.reason
    assert record.results == {}
    assert record.line_losses is None


def test_a_budget_in_seconds_records_the_steps_done(tmp_path: Path) -> None:
    schedule = "base.optimizer={type: sgd, learning_rate: 0.1}"
    comparison = written(tmp_path, schedule, "budget={seconds: 0.3}", "diagnostics=off")
    record = CellRunner(comparison, loaded(comparison)).run(cells(comparison)[-1], nothing)
    assert 0.3 <= record.results["cpu_seconds"] < 3
    assert record.results["step"] > 10
    assert record.diagnostics == []


def test_records_survive_the_disk(comparison: Comparison, tmp_path: Path) -> None:
    folder = ComparisonFolder(tmp_path / "out")
    with folder.locked():
        folder.prepare("base: {}\n", {"format_version": 1}, resuming=False)
    runner = CellRunner(comparison, loaded(comparison))
    cell, other = cells(comparison)[4:6]
    assert folder.load(cell) is None
    record = runner.run(cell, nothing)
    folder.save(cell, record)
    again = folder.load(cell)
    assert again is not None
    assert again.line_losses is not None
    np.testing.assert_array_equal(again.line_losses, record.line_losses)
    for name in ("arm", "seed", "status", "reason", "results", "curve", "diagnostics"):
        assert getattr(again, name) == getattr(record, name)
    (folder.cells / "0004.npy").unlink()
    with pytest.raises(UserError, match="damaged"):
        folder.load(cell)
    folder.save(other, record)
    with pytest.raises(UserError, match="of another cell"):
        folder.load(other)


def test_mapped_splits_are_those_that_were_written(comparison: Comparison, tmp_path: Path) -> None:
    splits = loaded(comparison)
    write_splits(tmp_path, splits)
    mapped = map_splits(tmp_path)
    assert mapped.vocabulary.classes == splits.vocabulary.classes
    for before, after in zip(splits.datasets(), mapped.datasets(), strict=True):
        for name, value in vars(before).items():
            np.testing.assert_array_equal(getattr(after, name), value)
    cell = cells(comparison)[2]
    records = [CellRunner(comparison, data).run(cell, nothing) for data in (splits, mapped)]
    assert records[0].results["weights_sha256"] == records[1].results["weights_sha256"]


def test_lines_without_a_known_label_are_left_out(comparison: Comparison) -> None:
    validation = loaded(comparison).validation
    assert validation is not None
    targets = validation.targets.copy()
    first = validation.lines == validation.lines[0]
    targets[first] = -1
    changed = type(validation)(**{**vars(validation), "targets": targets})
    places, counts = validation_lines(changed)
    assert set(places[first]) == {-1}
    assert counts.sum() == (~first).sum()
    assert len(counts) == len(np.unique(validation.lines)) - 1
    assert (np.bincount(places[~first]) == counts).all()


def test_examples_are_counted_whatever_they_weigh(tmp_path: Path) -> None:
    lines = "".join(f"{label} 0.001 |w {label}\n" for label in "abc" * 40) + "a 0 |w a\n" * 30
    (tmp_path / "words.txt").write_text(lines)
    (tmp_path / "compare.yaml").write_text(
        "output: out\n"
        "base: {data: {train: {path: words.txt, format: vw}, validation: 0.3}}\n"
        "samplers: [{type: uniform}]\n"
        "num_samples: [2]\nseeds: [1]\nbudget: {epochs: 1}\ndiagnostics: off\n"
    )
    comparison = load_comparison(tmp_path / "compare.yaml")
    folder = compare(comparison, resume=False, overwrite=False, report=lambda line: None).folder
    summary = json.loads(folder.summary.read_text())
    validation = loaded(comparison).validation
    assert validation is not None
    count = np.count_nonzero(validation.weights)
    assert 10 < count < validation.num_examples
    assert summary["data"]["validation_examples"] == count
    assert summary["ranking"]["examples"] == count
