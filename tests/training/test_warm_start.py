"""A run that starts from another: what is taken over, what is said of it, and what is refused."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import model_hash, sha256, snapshot, svmlight_text

from sstrain.config import load
from sstrain.data.cache import load as load_data
from sstrain.errors import UserError
from sstrain.models.dense import Dense, DenseModel
from sstrain.training.engine import Engine
from sstrain.training.loop import Loop
from sstrain.training.saved import load_model
from sstrain.training.train import Trained, train
from sstrain.training.warm_start import WarmStart, open_source

SETTINGS = """\
output: OUTPUT
data: {train: {path: DATA.svm, format: svmlight}, VALIDATION}
sampler: {num_samples: 4}
optimizer: {type: adagrad, l2: 0.001}
training: {epochs: 2, batch_size: 16, threads: 1}
"""
FROM = "model={type: dense, from: old}"


def quiet(line: str) -> None:
    pass


def write(name: str, data: str, validation: str = "validation: 0.2") -> None:
    text = SETTINGS.replace("OUTPUT", name).replace("DATA", data).replace("VALIDATION", validation)
    Path(f"{name}.yaml").write_text(text)


def run(
    name: str, *settings: str, resume: bool = False, overwrite: bool = False
) -> tuple[Trained, list[str]]:
    said: list[str] = []
    config = load(f"{name}.yaml", settings)
    return train(config, resume=resume, overwrite=overwrite, report=said.append), said


def environment(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(name, "environment.json").read_text())
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train ``old`` on six classes and nine features; ``new`` has more of both."""
    monkeypatch.chdir(tmp_path)
    Path("a.svm").write_text(svmlight_text(80, 6, 9, seed=1))
    Path("b.svm").write_text(svmlight_text(80, 8, 12, seed=2))
    write("old", "a")
    write("new", "b")
    run("old")
    return tmp_path


def engine_of(name: str, *settings: str) -> tuple[Engine, WarmStart | None]:
    config = load(f"{name}.yaml", settings)
    splits = load_data(config.data, quiet)
    source = open_source(config.model, config.output)
    start = None if source is None else source.load(splits.vocabulary, quiet)
    return Engine(config, splits.train, splits.vocabulary, start=start), start


def test_names_decide_what_is_taken_over(home: Path) -> None:
    old = load_model(Path("old"), None, quiet)
    warm, start = engine_of("new", FROM)
    cold, _ = engine_of("new")
    config = load("new.yaml")
    names = load_data(config.data, quiet).vocabulary
    assert start is not None
    mine, fresh = warm.model, cold.model
    assert isinstance(mine, DenseModel)
    assert isinstance(fresh, DenseModel)
    assert isinstance(old.model, DenseModel)
    taken = 0
    for c, label in enumerate(names.classes):
        before = old.vocabulary.class_ids.get(label)
        assert mine.bias[c] == (fresh.bias[c] if before is None else old.model.bias[before])
        for f, name in enumerate(names.features):
            row = old.vocabulary.feature_ids.get(name)
            known = before is not None and row is not None
            assert mine.weight[f, c] == (old.model.weight[row, before] if known else 0)
            taken += known
    assert 0 < taken < mine.weight.size
    assert np.any(mine.weight)
    assert start.summary() == (
        f"warm start from {home}/old, step {start.saved.step}: 6 of 8 classes and 9 of 12 features "
        "taken over, 2 and 3 started fresh"
    )


def test_the_optimizer_starts_afresh(home: Path) -> None:
    warm, _ = engine_of("new", FROM)
    assert warm.done == 0
    assert not any(np.any(array) for array in warm.tensors()["optimizer"].values())  # type: ignore[arg-type]


@pytest.mark.parametrize("link", ["best", "last"])
def test_the_best_checkpoint_is_taken_where_there_is_one(link: str, home: Path) -> None:
    if link == "last":
        write("old", "a", "test: 0.2")
        run("old", overwrite=True)
    else:  # a rate that spoils what the first epoch learned
        run("old", "optimizer={type: sgd, learning_rate: 20, warmup: 7 steps}", overwrite=True)
    checkpoints = Path("old/checkpoints")
    step = int((checkpoints / link).resolve().name.removeprefix("step-"))
    _, start = engine_of("new", FROM)
    assert start is not None
    assert start.saved.step == step
    assert start.sha256 == sha256(checkpoints / link / "model.safetensors")


def test_a_run_says_what_it_began_from(home: Path) -> None:
    _, said = run("new", FROM)
    (line,) = (line for line in said if line.startswith("warm start from "))
    assert line.endswith("2 and 3 started fresh")
    assert f"  from: {home}/old\n" in Path("new/config.yaml").read_text()
    assert environment("new")["warm_start"] == {
        "run": f"{home}/old",
        "step": int(Path("old/checkpoints/best").resolve().name.removeprefix("step-")),
        "model_sha256": model_hash(Path("old"), "best"),
    }
    assert "warm_start" not in environment("old")


def test_a_resume_needs_no_source_and_equals_a_whole_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run("new", FROM, f"output={home}/whole")[0].folder.path
    after_step = Loop._after_step

    def stop(loop: Loop) -> None:
        after_step(loop)
        if loop.engine.done == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(Loop, "_after_step", stop)
    with pytest.raises(KeyboardInterrupt):
        run("new", FROM, "checkpoint.every=1 step")
    monkeypatch.setattr(Loop, "_after_step", after_step)
    began = environment("new")["warm_start"]
    shutil.rmtree("old")
    _, said = run("new", FROM, resume=True)
    assert not any(line.startswith("warm start") for line in said)
    assert model_hash(Path("new")) == model_hash(whole)
    assert environment("new")["warm_start"] == began


def test_a_resume_from_another_source_is_refused(home: Path) -> None:
    run("new", FROM)
    with pytest.raises(UserError, match=r"model\.from: '.* in the run, '.* now"):
        run("new", "model={type: dense, from: other}", resume=True)


def refused(name: str, *settings: str, overwrite: bool = False) -> str:
    before = snapshot(Path())
    with pytest.raises(UserError) as caught:
        run(name, *settings, overwrite=overwrite)
    assert snapshot(Path()) == before
    (message,) = caught.value.messages
    return message


def test_a_source_that_is_no_run(home: Path) -> None:
    assert refused("new", "model.from=missing") == (
        f"model.from: {home}/missing: does not exist; expected the folder of a run"
    )
    Path("empty").mkdir()
    assert refused("new", "model.from=empty").startswith(
        f"model.from: {home}/empty: is not the folder of a run: "
    )


def test_a_source_that_would_be_overwritten(home: Path) -> None:
    message = refused("old", "model.from=old", overwrite=True)
    assert message == (
        f"model.from: {home}/old is the output folder too, and would be overwritten; give another "
        "--output"
    )


def test_a_source_of_another_layout(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dense, "type", "other", raising=False)
    config = Path("old/config.yaml")
    config.write_text(config.read_text().replace("type: dense", "type: low_rank"))
    assert refused("new", FROM) == (
        f"model.from: {home}/old is a low_rank model, whose weights a dense model cannot take "
        "over; expected a run of model.type dense"
    )


def test_no_class_in_common(home: Path) -> None:
    lines = Path("b.svm").read_text().splitlines()
    Path("b.svm").write_text("".join(f"7{line}\n" for line in lines))
    message = refused("new", FROM)
    assert message.startswith(f"model.from: {home}/old has no class in common with the training ")
    assert re.search(r"; found '\d*0', .*, \.\.\. there, and '7\d*0', .*, \.\.\. here$", message)


def test_features_of_another_kind_start_fresh(home: Path) -> None:
    lines = (line.split() for line in Path("b.svm").read_text().splitlines())
    moved = (
        " ".join([label, *(f"{100 + int(p.split(':')[0])}:1" for p in pairs)])
        for label, *pairs in lines
    )
    Path("b.svm").write_text("".join(f"{line}\n" for line in moved))
    _, said = run("new", FROM)
    (line,) = (line for line in said if line.startswith("warm start from "))
    assert line.endswith("6 of 8 classes and 0 of 12 features taken over, 2 and 12 started fresh")


def test_the_old_model_counts_until_it_is_freed(home: Path) -> None:
    from sstrain.training.forecast import forecast_memory

    config = load("new.yaml", [FROM, "sampler.num_samples=1", "training.batch_size=1"])
    config = config.model_copy(update={"data": config.data.model_copy(update={"validation": None})})
    splits = load_data(config.data, quiet)
    source = open_source(config.model, None)
    assert source is not None
    assert source.bytes == 4 * 10 * 6
    plain = forecast_memory(config, splits.vocabulary, splits.datasets())
    small = forecast_memory(config, splits.vocabulary, splits.datasets(), plain["optimizer"])
    assert small["warm_start"] == 0
    large = forecast_memory(config, splits.vocabulary, splits.datasets(), 10**9)
    assert large == {
        **plain,
        "warm_start": 10**9 - plain["optimizer"] - plain["buffers"],
    }
