"""The config of a comparison: its base, its lists, every mistake with its place."""

import json
from pathlib import Path

import pytest

from sstrain.cli import main
from sstrain.config import load
from sstrain.config.comparison import Comparison, describe_objective, describe_sampler
from sstrain.config.comparison_loading import (
    comparison_differences,
    comparison_notes,
    comparison_yaml,
    load_comparison,
)
from sstrain.config.sections import Config
from sstrain.errors import UserError

BASE = """\
output: elsewhere
seed: 9
data:
  train: {path: d/train.svm, format: svmlight}
  validation: 0.1
objective: {type: exact}
training: {epochs: 4, patience: 2}
optimizer: {type: sgd, schedule: linear}
"""
COMPARE = """\
base: sub/base.yaml
samplers: [{type: uniform}, {type: unigram, power: 0.5}]
num_samples: [4, 8]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "base.yaml").write_text(BASE)
    (tmp_path / "compare.yaml").write_text(COMPARE)
    return tmp_path / "compare.yaml"


def mistakes(file: Path, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(UserError) as caught:
        load_comparison(file, overrides)
    return caught.value.messages


def test_a_base_is_read_from_its_file_with_its_own_folder(file: Path) -> None:
    comparison = load_comparison(file)
    assert comparison.base.data.train.path == (str(file.parent / "sub" / "d" / "train.svm"),)
    assert comparison.budget is not None
    assert comparison.budget.epochs == 4
    assert comparison.seeds == (1, 2, 3)
    assert comparison.reference


def test_what_a_base_has_of_its_own_is_left_out(file: Path) -> None:
    comparison, text = load_comparison(file), comparison_yaml(load_comparison(file))
    assert "patience" not in text
    assert "elsewhere" not in text
    assert comparison.base.training.patience is None
    assert comparison.base.objective.type == "importance"


def test_overrides_reach_into_a_base_that_is_a_file(file: Path) -> None:
    comparison = load_comparison(file, ["base.training.batch_size=7", "seeds=[5]"])
    assert comparison.base.training.batch_size == 7
    assert comparison.seeds == (5,)


def test_a_resolved_comparison_resolves_to_itself(file: Path, tmp_path: Path) -> None:
    comparison = load_comparison(file)
    (tmp_path / "again.yaml").write_text(comparison_yaml(comparison))
    assert load_comparison(tmp_path / "again.yaml") == comparison


def test_a_cell_is_what_train_would_be_given(file: Path) -> None:
    comparison = load_comparison(file, ["base.training.patience=null", "base.output=x"])
    cell = comparison.cell(comparison.objectives[0], comparison.samplers[1], 8, 2)
    settings = ["seed=2", "output=null", "training.patience=null", "objective={type: importance}"]
    sampler = "sampler={type: unigram, power: 0.5, num_samples: 8}"
    run = load(file.parent / "sub" / "base.yaml", [*settings, sampler])
    assert cell == run.model_copy(update={"output": cell.output})
    exact = comparison.cell(None, None, None, 2)
    assert exact.objective.type == "exact"
    assert exact.sampler is None


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("{type: uniform}", "uniform"),
        ("{}", "unigram"),
        ("{type: unigram, power: 0.5}", "unigram(power=0.5)"),
        ("{type: uniform, share: example}", "uniform(share=example)"),
        ("{type: uniform, replacement: false}", "uniform(replacement=false)"),
        ("{type: file, path: a/q.tsv}", "file(path=q.tsv)"),
        ("{type: mixture}", "mixture"),
        (
            "{type: mixture, parts: [{weight: 1, type: uniform}, {weight: 2, type: unigram}]}",
            "mixture(parts=1.0 uniform + 2.0 unigram)",
        ),
    ],
)
def test_samplers_are_named_by_what_differs_from_the_defaults(
    file: Path, section: str, name: str
) -> None:
    (sampler,) = load_comparison(file, [f"samplers=[{section}]"]).samplers
    assert describe_sampler(sampler) == name


def test_objectives_are_named_by_what_differs_from_the_defaults(file: Path) -> None:
    both = "objectives=[{}, {type: importance, accidental_hits: keep}]"
    names = [describe_objective(o) for o in load_comparison(file, [both]).objectives]
    assert names == ["importance", "importance(accidental_hits=keep)"]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("samplers=[]", "--set samplers: empty"),
        ("num_samples=[]", "--set num_samples: empty"),
        ("num_samples=[0]", "--set num_samples"),
        ("seeds=[1, 2, 1]", "--set seeds.2: listed twice, equal to seeds.0"),
        ("num_samples=[4, 4]", "--set num_samples.1: listed twice"),
        ("samplers=[{}, {power: 0.75}]", "--set samplers.1: listed twice, equal to samplers.0"),
        (
            "samplers=[{type: file, path: a/q.tsv}, {type: file, path: b/q.tsv}]",
            "--set samplers.1: a report would call it file(path=q.tsv), as it does samplers.0",
        ),
        (
            "samplers=[{num_samples: 3}]",
            "samplers.0.num_samples: unknown key; got 3; num_samples is a key of the top level",
        ),
        ("budget={epochs: 0}", "--set budget.epochs: out of range"),
        ("budget={epochs: 1, examples: 3}", "--set budget: more than one limit"),
        ("budget={}", "--set budget: no limit"),
        ("workers=0", "--set workers: out of range"),
        ("base=no.yaml", "--set base: no.yaml: cannot read the config"),
        ("base=3", "--set base: wrong type; got 3; expected a train config, or its path"),
        ("base=null", "base: missing; expected a train config, or its path"),
        ("base=compare.yaml", "--set base: compare.yaml holds base, the key of a comparison"),
        ("budget=0", "--set budget: wrong type; got 0; expected a section with epochs, examples"),
        ("objectives=[{type: exact}]", "--set objectives.0: exact is the reference"),
        ("objectives=[exact]", "--set objectives.0: exact is the reference"),
        (
            "objectives=[{accidental_hits: resample}]",
            "leave out each example's target (samplers.0, samplers.1); got 'resample'; expected",
        ),
        ("diagnostics={draws: 1}", "--set diagnostics.draws: out of range"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(
    file: Path, monkeypatch: pytest.MonkeyPatch, setting: str, expected: str
) -> None:
    monkeypatch.chdir(file.parent)
    (message,) = mistakes(file, setting)
    assert expected in message


def test_a_comparison_needs_validation_data(file: Path) -> None:
    (message,) = mistakes(file, "base.data.validation=null", "base.training.patience=null")
    assert "base.yaml:3 data.validation: no validation data" in message


def test_a_budget_in_seconds_needs_a_schedule_without_a_length(file: Path) -> None:
    (message,) = mistakes(file, "budget={seconds: 2}")
    assert f"{file.parent}/sub/base.yaml:8 optimizer.schedule: schedule linear needs" in message
    assert load_comparison(file, ["budget={seconds: 2}", "base.optimizer.schedule=constant"])


def test_the_base_tells_its_own_mistakes_with_its_own_lines(file: Path) -> None:
    (file.parent / "sub" / "base.yaml").write_text(BASE.replace("epochs: 4", "epochs: -4"))
    found = mistakes(file, "workers=0")
    assert len(found) == 2
    assert any(f"{file.parent}/sub/base.yaml:7 training.epochs: out of range" in m for m in found)


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    (file.parent / "sub" / "base.yaml").write_text(BASE.replace("seed: 9", "batch_size: 9"))
    file.write_text(
        """\
base: sub/base.yaml
samplers: [{type: uniform}, {}, {power: 0.75}]
num_samples: [4]
seeds: []
objectives: [{accidental_hits: resample}]
budget: {epochs: 0}
"""
    )
    found = [message.removeprefix(f"{file.parent}/") for message in mistakes(file, "workers=0")]
    assert [message.split(": ")[0] for message in found] == [
        "compare.yaml:2 samplers.2",
        "compare.yaml:4 seeds",
        "compare.yaml:5 objectives.0.accidental_hits",
        "compare.yaml:6 budget.epochs",
        "sub/base.yaml:2 batch_size",
        "--set workers",
    ]
    assert found[4].endswith("batch_size is a key of training")


def test_a_base_in_the_same_file_has_the_keys_of_the_whole(file: Path) -> None:
    text = BASE.replace("seed: 9", "batch_size: 9").replace("\n", "\n  ").rstrip()
    file.write_text(COMPARE.replace("sub/base.yaml", f"\n  {text}"))
    (found,) = mistakes(file)
    assert ":3 base.batch_size: unknown key" in found
    assert found.endswith("batch_size is a key of base.training")


def test_a_base_that_is_replaced_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_comparison(file)
    file.write_text(COMPARE.replace("base.yaml", "no.yaml"))
    monkeypatch.chdir(file.parent / "sub")
    assert load_comparison(file, ["base=base.yaml"], str(expected.output)) == expected
    (found,) = mistakes(file, "base.training.batch_size=64")
    assert "compare.yaml:1 base: " in found
    assert "no.yaml: cannot read the config" in found


def test_commands_tell_a_comparison_by_its_base(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "check", str(file), "--set", "workers=4000"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{file}: valid\n"
    assert err.startswith("workers: 4000 on")
    assert main(["config", "show", str(file), "--set", "reference=false"]) == 0
    assert capsys.readouterr().out == comparison_yaml(load_comparison(file, ["reference=false"]))
    assert main(["config", "schema", "--comparison"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Comparison"
    assert main(["train", "--config", str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "compare.yaml:1 base: found base, the key of a comparison" in line


def test_a_train_config_is_no_comparison_nor_a_comparison_a_train_config(file: Path) -> None:
    (found,) = mistakes(file.parent / "sub" / "base.yaml")
    assert "base.yaml:3 data: found data, the key of a train config; expected a comp" in found
    with pytest.raises(UserError, match="compare-samplers") as caught:
        load(file)
    assert len(caught.value.messages) == 1


def test_differences_leave_out_what_changes_no_result(file: Path) -> None:
    before = load_comparison(file)
    free = load_comparison(file, ["workers=3", "output=o", "base.training.threads=1"])
    assert comparison_differences(before, free) == []
    changed = load_comparison(file, ["num_samples=[4]", "base.training.batch_size=3"])
    names = [line.split(":")[0] for line in comparison_differences(before, changed)]
    assert "num_samples" in names
    assert "base.training.batch_size" in names


def test_more_workers_than_cores_are_said(file: Path) -> None:
    assert comparison_notes(load_comparison(file)) == []
    (note,) = comparison_notes(load_comparison(file, ["workers=4000"]))
    assert "4000 on" in note


def test_defaults_are_sections() -> None:
    assert Comparison.model_fields["objectives"].default[0].type == "importance"
    assert Config.model_fields["diagnostics"].default is None
