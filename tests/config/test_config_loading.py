from pathlib import Path
from typing import Any

import pytest

from sstrain.config import Config, load, notes, resolved_yaml
from sstrain.data.formats.sequence import Sequence
from sstrain.data.formats.svmlight import Svmlight
from sstrain.errors import UserError


def loaded(folder: Path, text: str, *overrides: str) -> Config:
    file = folder / "run.yaml"
    file.write_text(text)
    return load(file, overrides)


TRAIN = "data: {train: {path: a.txt, format: sequence}}\n"


def test_everything_but_the_training_data_has_a_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = loaded(tmp_path, TRAIN)
    assert config.output == str(tmp_path / "runs" / "run")
    assert config.sampler is not None
    assert config.sampler.model_dump() == {
        "type": "unigram",
        "power": 0.75,
        "smoothing": 0.0,
        "num_samples": 64,
        "share": "batch",
        "replacement": True,
    }
    assert config.objective.model_dump() == {"type": "importance", "accidental_hits": "drop"}
    optimizer = config.optimizer.model_dump()
    assert optimizer["type"] == "adagrad"
    assert optimizer["learning_rate"] == config.model.default_learning_rates["adagrad"]
    assert optimizer["initial_accumulator"] == 1 / 128**2
    assert (optimizer["l2"], optimizer["l2_interval"], optimizer["average_from"]) == (0, None, None)
    assert (config.data.validation, config.data.test) == (None, None)


@pytest.mark.parametrize(
    ("section", "key", "expected"),
    [
        ("{type: rowwise_adagrad}", "initial_accumulator", 1 / 128**2),
        ("{type: adagrad, initial_accumulator: 0.5}", "initial_accumulator", 0.5),
        ("{type: sgd}", "initial_accumulator", None),
        ("{type: sgd, learning_rate: 7}", "learning_rate", 7),
        ("{l2: 0.5}", "l2_interval", 100),
        ("{l2: 0.5, l2_interval: 3}", "l2_interval", 3),
        ("{l2: 0}", "l2_interval", None),
        ("{l2: 0.5}", "type", "adagrad"),
    ],
)
def test_the_optimizer_is_resolved(tmp_path: Path, section: str, key: str, expected: Any) -> None:
    config = loaded(tmp_path, f"{TRAIN}optimizer: {section}\n")
    assert getattr(config.optimizer, key, None) == expected


def test_every_rule_has_a_learning_rate(tmp_path: Path) -> None:
    for rule in ("sgd", "adagrad", "rowwise_adagrad"):
        assert loaded(tmp_path, TRAIN, f"optimizer.type={rule}").optimizer.learning_rate


def test_the_accumulator_follows_the_batch(tmp_path: Path) -> None:
    config = loaded(tmp_path, TRAIN, "training.batch_size=10")
    assert config.optimizer.model_dump()["initial_accumulator"] == 0.01


def test_exact_has_no_sampler(tmp_path: Path) -> None:
    assert loaded(tmp_path, f"{TRAIN}objective: {{type: exact}}\nsampler:\n").sampler is None


@pytest.mark.parametrize("name", ["model", "objective", "sampler", "optimizer"])
def test_a_section_without_type_is_of_the_default_type(tmp_path: Path, name: str) -> None:
    assert loaded(tmp_path, f"{TRAIN}{name}: {{}}\n") == loaded(tmp_path, TRAIN)


def test_null_is_the_same_as_not_given(tmp_path: Path) -> None:
    text = f"{TRAIN}seed: ~\ntraining:\nsampler: {{power: null}}\noptimizer: null\n"
    assert loaded(tmp_path, text) == loaded(tmp_path, TRAIN)


def test_a_held_out_source_is_read_as_train(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        "data:\n"
        "  validation: {path: v.txt}\n"
        "  test: {path: t.txt, context: 2, lowercase: null}\n"
        "  train: {path: a, format: sequence, context: 5, lowercase: false, min_count: 4,\n"
        "          tokens: '[a-z]+', min_feature_count: 3}\n",
    )
    options = {"format": "sequence", "lowercase": False, "tokens": "[a-z]+", "positions": 3}
    assert config.data.validation == Sequence.model_validate(
        {"path": [f"{tmp_path}/v.txt"], "context": 5, **options}
    )
    assert config.data.test == Sequence.model_validate(
        {"path": [f"{tmp_path}/t.txt"], "context": 2, **options}
    )


def test_another_format_inherits_nothing(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        "data:\n"
        "  train: {path: a, format: svmlight, index_base: 0}\n"
        "  validation: {path: v, format: sequence}\n"
        "  test: {path: t, format: svmlight}\n",
    )
    assert config.data.validation == Sequence.model_validate({"path": [f"{tmp_path}/v"]})
    assert config.data.test == Svmlight.model_validate({"path": [f"{tmp_path}/t"], "index_base": 0})


def test_paths_start_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    (folder / "c.yaml").write_text(
        "output: ../runs/x\n"
        "data:\n"
        "  train: {path: [../data/./a, /b], format: sequence}\n"
        "  validation: {path: v}\n"
        "sampler:\n"
        "  type: mixture\n"
        "  parts: [{weight: 1, type: file, path: q.tsv}, {weight: 1, type: uniform}]\n"
    )
    monkeypatch.chdir(tmp_path)
    for file in (Path("configs/c.yaml"), folder / "c.yaml"):
        config = load(file)
        assert config.output == f"{tmp_path}/runs/x"
        assert config.data.train.path == (f"{tmp_path}/data/a", "/b")
        assert f"path: {folder}/v\n" in resolved_yaml(config)
        assert f"path: {folder}/q.tsv\n" in resolved_yaml(config)
    # Links are kept: what a user named is what the config names.
    assert f"path: {tmp_path}/link/q.tsv\n" in resolved_yaml(load("link/c.yaml"))


def test_a_text_that_is_no_path_stays(tmp_path: Path) -> None:
    assert (
        loaded(tmp_path, TRAIN, "data.train.tokens=whitespace").data.train.model_dump()["tokens"]
        == "whitespace"
    )


def test_an_evaluation_that_never_happens_is_noted(tmp_path: Path) -> None:
    assert notes(loaded(tmp_path, TRAIN)) == []
    text = f"{TRAIN}evaluation: {{every: 100 steps}}\n"
    assert notes(loaded(tmp_path, text)) == [
        "evaluation.every: 100 steps has no use without a validation split; give data.validation"
    ]
    assert notes(loaded(tmp_path, text, "data.validation=0.1")) == []


@pytest.mark.parametrize("form", ["", ", format: auto"])
def test_standard_input_is_no_file_of_a_folder(tmp_path: Path, form: str) -> None:
    with pytest.raises(UserError) as caught:
        loaded(tmp_path, f'data: {{train: {{path: "-"{form}}}}}\n')
    (message,) = caught.value.messages
    assert message.startswith(f"{tmp_path}/run.yaml:1 data.train.format: -: its format cannot be ")
    config = loaded(tmp_path, 'data: {train: {path: "-", format: svmlight}}\n')
    assert config.data.train.path == ("-",)
