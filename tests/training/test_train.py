"""Whole runs in one process: what `train` does around the loop."""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import RUN_FILES, flip_last_byte, metrics, model_hash, snapshot, svmlight_text

from sstrain import kernels
from sstrain.config import Config, load, resolved_yaml
from sstrain.errors import FailureError, UserError
from sstrain.training import forecast
from sstrain.training.clocks import clocks
from sstrain.training.divergence import DivergedError
from sstrain.training.engine import Engine
from sstrain.training.signals import StoppedError, listening
from sstrain.training.train import Trained, train

SETTINGS = """\
output: run
data: {train: {path: a.svm, format: svmlight}, validation: 0.2}
sampler: {num_samples: 4}
training: {epochs: 2, batch_size: 16, threads: 1}
"""


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Config]:
    """Return configs of a small run in ``run``."""
    (tmp_path / "a.svm").write_text(svmlight_text(80, 6, 9, seed=1))
    (tmp_path / "c.yaml").write_text(SETTINGS)
    return lambda *settings: load(tmp_path / "c.yaml", settings)


def run(config: Config, resume: bool = False, overwrite: bool = False) -> tuple[Trained, list[str]]:
    said: list[str] = []
    return train(config, resume=resume, overwrite=overwrite, report=said.append), said


def test_a_run_leaves_its_folder(configured: Callable[..., Config]) -> None:
    config = configured()
    trained, _ = run(config)
    folder = trained.folder.path
    assert trained.already is False
    assert {path.name for path in folder.iterdir()} == RUN_FILES | {"checkpoints"}
    assert (folder / "config.yaml").read_text() == resolved_yaml(config)
    summary = trained.summary().splitlines()
    assert summary[0] == f"run       {folder}"
    assert summary[1].startswith("best      step ")
    end = metrics(folder)[-1]
    assert summary[2].startswith(f"trained   {end['examples']:,} examples in ")
    assert summary[3:] == [f"metrics   {folder}/metrics.jsonl", f"picture   {folder}/loss.png"]


def test_compiling_is_told_apart_from_training(
    configured: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiling = kernels.CompilationTime(1000.0, 999.0)  # before the run: none of its time
    monkeypatch.setattr(kernels, "compilation_time", lambda: compiling)
    trained, _ = run(configured())
    end = metrics(trained.folder.path)[-1]
    assert end["compile_seconds"] == 1000
    assert 0 < end["wall_seconds"] < 900
    assert "CPU seconds); compiling kernels took 1000.0 s besides" in trained.summary()


def test_no_time_of_compiling_is_in_the_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "compilation_time", lambda: kernels.CompilationTime(0.0, 0.0))
    before = clocks()
    monkeypatch.setattr(kernels, "compilation_time", lambda: kernels.CompilationTime(50.0, 40.0))
    after = clocks()
    assert -50 <= after.wall - before.wall < -20
    assert -40 <= after.cpu - before.cpu < -20


def test_runs_do_not_disturb_each_other(configured: Callable[..., Config], tmp_path: Path) -> None:
    hashes = []
    for name in ("a", "b", "c"):
        seed = 2 if name == "b" else 1
        trained, _ = run(configured(f"output={tmp_path}/{name}", f"seed={seed}"))
        hashes.append(model_hash(trained.folder.path))
    assert hashes[0] == hashes[2] != hashes[1]


def test_a_finished_run_is_left_alone(configured: Callable[..., Config], tmp_path: Path) -> None:
    first, _ = run(configured())
    before = snapshot(tmp_path / "run")
    (tmp_path / "a.svm").unlink()  # it is not even read again
    again, said = run(configured("training.threads=2", "checkpoint.keep=7"), resume=True)
    assert again.already is True
    assert said == [f"{tmp_path}/run: the run is finished; nothing to do"]
    assert again.summary() == first.summary()
    assert snapshot(tmp_path / "run") == before


def test_overwriting_trains_afresh(configured: Callable[..., Config], tmp_path: Path) -> None:
    run(configured())
    with pytest.raises(UserError, match="holds a run already"):
        run(configured("seed=2"))
    trained, _ = run(configured("seed=2", "training.epochs=1"), overwrite=True)
    assert metrics(trained.folder.path)[-1]["epoch"] == 1
    fresh, _ = run(configured("seed=2", "training.epochs=1", f"output={tmp_path}/fresh"))
    assert model_hash(trained.folder.path) == model_hash(fresh.folder.path)


def test_a_resume_of_what_never_began_begins(configured: Callable[..., Config]) -> None:
    trained, said = run(configured(), resume=True)
    assert not any("going on" in line for line in said)
    assert metrics(trained.folder.path)[-1]["event"] == "end"


def test_a_model_larger_than_memory_is_not_allocated(
    configured: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(forecast, "available_memory", lambda: 9 << 30)
    monkeypatch.setattr("sstrain.models.dense.DenseModel", never)
    monkeypatch.setattr("sstrain.data.vocabulary.Vocabulary.num_classes", 1 << 26)
    with pytest.raises(UserError) as caught:
        run(configured("objective={type: exact}", "sampler=null"))
    (message,) = caught.value.messages
    # 9 features and the bias, 2^26 classes, 4 bytes; as much again for the optimizer.
    assert message.startswith(
        "model: does not fit in memory; needs 9.25 GiB (weights 2.50, optimizer 2.50, buffers "
        "4.25); 9.00 GiB are free; raise data.train.min_feature_count, or optimizer.type "
        "rowwise_adagrad (half the memory), or model.dtype bfloat16 (half the weights' memory)"
    )
    assert not (tmp_path / "run").exists()


def test_a_picture_that_cannot_be_drawn_is_no_reason_to_fail(
    configured: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise FailureError("loss.png: cannot be written: the disk is full")

    monkeypatch.setattr("sstrain.training.train.draw_loss_curve", fail)
    trained, said = run(configured())
    assert said[-1] == "loss.png: cannot be written: the disk is full"
    assert metrics(trained.folder.path)[-1]["event"] == "end"
    with pytest.raises(DivergedError, match="diverged at step"):
        run(configured("optimizer={type: sgd, learning_rate: 1e9}"), overwrite=True)


def test_more_threads_than_cores_are_said(configured: Callable[..., Config]) -> None:
    most = kernels.use_threads(None)
    trained, said = run(configured(f"training.threads={most + 1}"))
    assert f"training.threads: {most + 1} asked for, {most} used: one a core at most" in said
    described = json.loads((trained.folder.path / "environment.json").read_text())
    assert described["threads"] == most


def test_a_damaged_last_checkpoint_is_trained_again(
    configured: Callable[..., Config], tmp_path: Path
) -> None:
    trained, _ = run(configured())
    whole = model_hash(tmp_path / "run")
    flip_last_byte(trained.folder.checkpoints / "last" / "optimizer.safetensors")
    again, said = run(configured(), resume=True)
    assert again.already is False
    assert any("optimizer.safetensors" in line and "damaged" in line for line in said)
    assert model_hash(tmp_path / "run") == whole


def test_two_processes_do_not_train_into_one_folder(
    configured: Callable[..., Config], tmp_path: Path
) -> None:
    trained, _ = run(configured())
    before = snapshot(tmp_path / "run")
    with trained.folder.locked(), pytest.raises(UserError, match="is writing into it"):
        run(configured(), overwrite=True)
    assert snapshot(tmp_path / "run") == before


def test_a_signal_while_training_saves_and_stops(
    configured: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = run(configured(f"output={tmp_path}/whole"))
    step = Engine.step

    def step_in_which_ctrl_c_is_pressed(engine: Engine) -> float:
        if engine.done == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(engine)

    monkeypatch.setattr(Engine, "step", step_in_which_ctrl_c_is_pressed)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(StoppedError) as caught:
        run(configured())
    assert signal.getsignal(signal.SIGINT) is before
    assert caught.value.exit_code == 130
    assert f"sstrain train --config {tmp_path}/run/config.yaml --resume" in str(caught.value)
    monkeypatch.undo()
    trained, said = run(load(tmp_path / "run" / "config.yaml"), resume=True)
    assert f"going on from {tmp_path}/run/checkpoints/step-000000003" in said
    assert model_hash(trained.folder.path) == model_hash(whole.folder.path)


def test_the_first_signal_is_noted_and_the_second_is_the_systems() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with listening() as request:
        assert request.signal_number is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.signal_number == signal.SIGTERM
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_run_in_another_thread_takes_no_signals(configured: Callable[..., Config]) -> None:
    done: list[Trained] = []
    thread = threading.Thread(target=lambda: done.append(run(configured())[0]))
    thread.start()
    thread.join()
    assert metrics(done[0].folder.path)[-1]["event"] == "end"
