from pathlib import Path

import pytest

from sstrain.config import Config, load, resolved_yaml
from sstrain.config.yaml import dump
from sstrain.errors import UserError

CONFIG = """\
data:
  train: {path: a.txt, format: sequence}
  validation: 0.1
sampler:
  type: mixture
  parts: [{weight: 1, type: uniform}, {weight: 2, type: unigram}]
training: {epochs: 5, patience: 3}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "configs" / "c.yaml"
    path.parent.mkdir()
    path.write_text(CONFIG)
    return path


def changed(file: Path, *overrides: str) -> Config:
    return load(file, overrides)


def test_a_value_is_yaml(file: Path) -> None:
    config = changed(
        file, "seed=9", "optimizer.l2=1e-3", "evaluation.top_k=[1, 10]", "evaluation.every=7"
    )
    assert (config.seed, config.optimizer.l2) == (9, 0.001)
    assert config.evaluation.top_k == (1, 10)
    assert str(config.evaluation.every) == "7 steps"


def test_a_value_may_be_a_section(file: Path) -> None:
    config = changed(file, "sampler={type: uniform, num_samples: 5}", "sampler.share=example")
    assert config.sampler is not None
    assert config.sampler.model_dump() == {
        "type": "uniform",
        "num_samples": 5,
        "share": "example",
        "replacement": True,
    }


def test_the_last_of_two_counts(file: Path) -> None:
    assert changed(file, "seed=2", "seed=3").seed == 3


def test_null_removes_a_key_or_a_section(file: Path) -> None:
    config = changed(file, "training.patience=null", "data.validation=null", "training.epochs=")
    assert config.training.patience is None
    assert config.data.validation is None
    assert config.training.epochs == 3
    assert changed(file, "objective.type=exact", "sampler=null").sampler is None


def test_null_takes_a_key_of_another_type_away(file: Path) -> None:
    config = changed(file, "sampler.type=uniform", "sampler.parts=null")
    assert config.sampler is not None
    assert config.sampler.type == "uniform"


def test_null_for_what_is_not_there_changes_nothing(file: Path) -> None:
    same = changed(file, "model.bias_init=null", "data.test.path=null", "output=~")
    assert same == load(file)


def test_elements_of_lists_are_counted_from_0(file: Path) -> None:
    config = changed(file, "sampler.parts.1.power=0.5", "sampler.parts.0=null")
    assert "parts:\n  - weight: 2.0\n    type: unigram\n    power: 0.5\n" in resolved_yaml(config)


def test_a_file_may_be_left_out_of_data_altogether(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text("seed: 4\n")
    config = load(tmp_path / "e.yaml", ["data.train.path=x", "data.train.format=svmlight"])
    assert config.data.train.format == "svmlight"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set: no key and value; got 'seed'; expected key.path=value"),
        ("=3", "--set: no key and value; got '=3'; expected key.path=value"),
        ("a..b=3", "--set: no key and value; got 'a..b=3'; expected key.path=value"),
        ("traning=null", "--set traning: unknown key; got null; did you mean 'training'?"),
        ("traning.epochs=null", "--set traning: unknown key; got null; did you mean 'training'?"),
        (
            "seed=x",
            "--set seed: wrong type; got 'x'; expected a whole number from 0 below "
            "9223372036854775808",
        ),
        (
            "training={epochs: 1, epoch: 2}",
            "--set training.epoch: unknown key; got 2; did you mean 'epochs'?",
        ),
        (
            "training={epochs: 1, epochs: 2}",
            "--set training.epochs: given twice; line 1 has it already; keep one",
        ),
        (
            "data.validation.path=v",
            "--set data.validation.path: data.validation is no section; got 0.1; "
            "set it whole, as data.validation={path: ...}",
        ),
        (
            "sampler.parts.2.weight=1",
            "--set sampler.parts.2.weight: sampler.parts has 2 elements, counted from 0; got 2",
        ),
        (
            "sampler.parts.last.weight=1",
            "--set sampler.parts.last.weight: sampler.parts has 2 elements, counted from 0; "
            "got last",
        ),
        (
            "data.train.tokens=[a-z']+",
            "--set data.train.tokens: not valid YAML: expected '<document start>', but found "
            "'<scalar>' (column 7); got \"[a-z']+\"; put the value in quotes of its own",
        ),
        (
            "data.test=0.9",
            "--set data.test: validation and test hold out 1 of the lines, and leave "
            "none to train on; got 0.9; expected a sum below 1",
        ),
    ],
)
def test_mistakes_name_the_option(file: Path, override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load(file, [override])
    assert caught.value.messages == (message,)


def test_output_stands_above_all(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent.parent)
    config = load(file, ["output=b"], output="c d: #e")
    assert config.output == f"{file.parent.parent}/c d: #e"


def test_paths_of_options_start_from_the_working_directory(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(
        file,
        [
            "data.train.path=[x, /y]",
            "data.validation={path: v}",
            "sampler.parts.0={weight: 1, type: file, path: ../q}",
            "output=o",
        ],
    )
    root = str(tmp_path)
    assert config.data.train.path == (f"{root}/x", "/y")
    assert config.output == f"{root}/o"
    text = resolved_yaml(config)
    assert f"path: {root}/v\n" in text
    assert f"path: {tmp_path.parent}/q\n" in text


def test_a_resolved_config_is_overridden_like_any_other(file: Path, tmp_path: Path) -> None:
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(resolved_yaml(load(file)))
    assert load(resolved, ["seed=8"]) == load(file, ["seed=8"])
    assert dump({"a": 1}) == "a: 1\n"
