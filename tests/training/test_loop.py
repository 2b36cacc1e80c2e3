"""The loop: when it logs, evaluates, saves and stops, and that none of it changes the weights."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from checkpointing import no_report
from commands import assert_same_run, metrics, model_hash
from small import make_config, make_dataset, make_vocabulary

from sstrain.data.loading import Splits
from sstrain.training import loop as loop_module
from sstrain.training.checkpoints import Checkpoints
from sstrain.training.divergence import DivergedError
from sstrain.training.engine import Engine
from sstrain.training.loop import Loop
from sstrain.training.metrics import MetricsSink
from sstrain.training.signals import StoppedError, StopRequest

N, V, D = 90, 7, 12
STEPS = 12  # an epoch, in batches of 8, the last one of 2

#: With all that a run can have.
FULL: dict[str, Any] = {
    "optimizer": {"type": "adagrad", "learning_rate": 0.3, "l2": 0.02, "average_from": "7 steps"},
    "training": {"epochs": 3, "log_every": "5 steps", "patience": 3},
    "evaluation": {"every": "4 steps"},
    "checkpoint": {"every": "6 steps"},
}


class Run:
    """A loop in a folder of its own.

    Validation is of other random labels, so that its log-loss soon rises.
    """

    def __init__(self, folder: Path, validated: bool = True, **sections: Any) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.said: list[str] = []
        config_keys = {"training": {"epochs": 3}, **sections}
        config = make_config(**config_keys)
        if "patience" in config.training.model_fields_set:
            assert validated
        vocabulary = make_vocabulary(V, D)
        train, other = make_dataset(N, V, D, seed=4), make_dataset(40, V, D, seed=5)
        splits = Splits(train, other if validated else None, None, vocabulary, [])
        self.engine = Engine(config, train, vocabulary)
        self.checkpoints = Checkpoints(folder / "checkpoints", config.checkpoint.keep)
        self.sink = MetricsSink(folder / "metrics.jsonl")
        self.loop = Loop(config, self.engine, splits, self.checkpoints, self.sink, self.said.append)

    def to_the_end(self) -> "Run":
        self.loop.run(StopRequest())
        return self

    def resumed(self) -> bool:
        """Go back to the newest checkpoint, if there is one."""
        checkpoint = self.checkpoints.latest_whole(no_report)
        if checkpoint is not None:
            self.loop.restore(checkpoint)
        return checkpoint is not None

    def stop_at(self, step: int, number: int = signal.SIGINT) -> StoppedError:
        """Run until a signal comes in the middle of a step."""
        request, step_before = StopRequest(), self.engine.step

        def step_with_signal() -> float:
            if self.engine.done + 1 == step:
                request.signal_number = number
            return step_before()

        self.engine.step = step_with_signal  # type: ignore[method-assign]
        with pytest.raises(StoppedError) as caught:
            self.loop.run(request)
        return caught.value

    def events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in metrics(self.folder) if line["event"] == event]

    def steps_of(self, event: str) -> list[int]:
        return [line["step"] for line in self.events(event)]

    def weights(self) -> list[bytes]:
        model: Any = self.engine.model
        return [model.weight.tobytes(), model.bias.tobytes()]


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        ("1 epoch", [12, 24, 36]),
        ("2 epochs", [24, 36]),
        ("10 steps", [10, 20, 30, 36]),
        ("100 steps", [36]),
    ],
)
def test_evaluations_come_so_often_and_at_the_end(
    every: str, steps: list[int], tmp_path: Path
) -> None:
    run = Run(tmp_path, evaluation={"every": every}).to_the_end()
    assert run.steps_of("eval") == steps
    assert {line["split"] for line in run.events("eval")} == {"validation"}
    assert {line["num_examples"] for line in run.events("eval")} == {40}


def test_train_lines_hold_the_mean_loss_since_the_last_one(tmp_path: Path) -> None:
    schedule = {"schedule": "linear", "learning_rate": 0.5}
    keys: dict[str, Any] = {"training": {"log_every": "5 steps", "epochs": 1}}
    keys["optimizer"] = schedule
    plain = Run(tmp_path / "a", **keys).engine
    rates, losses = [], []
    for _ in range(STEPS):
        rates.append(plain.rate)
        losses.append(plain.step())
    lines = Run(tmp_path / "b", **keys).to_the_end().events("train")
    assert [line["step"] for line in lines] == [5, 10, 12]
    means = [np.mean(losses[:5]), np.mean(losses[5:10]), np.mean(losses[10:])]
    assert [line["loss"] for line in lines] == pytest.approx(means)
    assert [line["learning_rate"] for line in lines] == [rates[4], rates[9], rates[11]]
    assert [line["examples"] for line in lines] == [40, 80, 90]
    assert [line["epoch"] for line in lines] == pytest.approx([5 / 12, 10 / 12, 1], abs=1e-6)


def test_best_and_last_are_what_they_say(tmp_path: Path) -> None:
    run = Run(tmp_path, evaluation={"every": "3 steps"}, checkpoint={"keep": 1}).to_the_end()
    lines = run.events("eval")
    best = min(lines, key=lambda line: float(line["log_loss"]))["step"]
    assert best < 36
    assert run.checkpoints.linked("best") == best
    assert run.checkpoints.linked("last") == 36
    assert run.checkpoints.steps() == [best, 36]


@pytest.mark.parametrize(("keep", "kept"), [(1, [36]), (2, [30, 36]), (9, [6, 12, 18, 24, 30, 36])])
def test_so_many_checkpoints_are_kept(keep: int, kept: list[int], tmp_path: Path) -> None:
    saving = {"every": "6 steps", "keep": keep}
    run = Run(tmp_path, validated=False, checkpoint=saving).to_the_end()
    assert run.checkpoints.steps() == kept
    assert run.checkpoints.linked("best") is None
    assert run.steps_of("eval") == []


def test_a_checkpoint_is_always_written_at_the_end(tmp_path: Path) -> None:
    run = Run(tmp_path, validated=False, checkpoint={"every": "7 epochs"}).to_the_end()
    assert run.checkpoints.steps() == [36]
    assert metrics(tmp_path)[-1] == {**run.events("end")[0], "reason": "finished"}


def test_minutes_between_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path, validated=False, checkpoint={"every": "2 minutes", "keep": 99})
    clock = SimpleNamespace(monotonic=lambda: 12.0 * run.engine.done, process_time=lambda: 0.0)
    monkeypatch.setattr(loop_module, "time", clock)
    run.to_the_end()
    assert run.checkpoints.steps() == [10, 20, 30, 36]


def test_patience_ends_a_run_with_a_sweep(tmp_path: Path) -> None:
    optimizer = {**FULL["optimizer"], "average_from": None, "l2_interval": 5}
    run = Run(tmp_path, **{**FULL, "optimizer": optimizer})
    sweeps = []
    sweep = run.engine.sweep
    run.engine.sweep = lambda: sweeps.append((run.engine.done, sweep()))  # type: ignore[method-assign]
    run.to_the_end()
    losses = [line["log_loss"] for line in run.events("eval")]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3
    stopped = 4 * len(losses)
    assert stopped < run.engine.total_steps
    assert run.engine.done == stopped
    (end,) = run.events("end")
    assert (end["step"], end["reason"]) == (stopped, "patience")
    assert "no better validation log-loss in 3 evaluations: stopping early" in run.said
    # Sweeps come every 5 steps; the last one is the end's own, and leaves nothing pending.
    assert stopped % 5
    assert sweeps[-1][0] == stopped
    state = json.loads((tmp_path / "checkpoints" / "last" / "state.json").read_text())
    assert state["step"] == stopped
    assert state["pending_decay"] == 1.0
    assert state["standing"]["finished"] is True


@pytest.mark.parametrize("step", [1, 6, 8, 11, 15])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(step: int, tmp_path: Path) -> None:
    whole = Run(tmp_path / "whole", **FULL).to_the_end()
    assert whole.events("end")[0]["reason"] == "patience"
    error = Run(tmp_path / "stopped", **FULL).stop_at(step)
    assert error.exit_code == 130
    assert f"stopped after step {step}, checkpoint saved" in str(error)
    again = Run(tmp_path / "stopped", **FULL)
    assert again.resumed()
    assert again.engine.done == step
    again.to_the_end()
    assert_same(again, whole)


def test_what_was_done_after_the_last_checkpoint_is_done_again(tmp_path: Path) -> None:
    whole = Run(tmp_path / "whole", **FULL).to_the_end()
    run = Run(tmp_path / "lost", **FULL)

    def killed() -> float:
        if run.engine.done == 15:
            raise KeyboardInterrupt
        return step()

    step, run.engine.step = run.engine.step, killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run.to_the_end()
    assert metrics(tmp_path / "lost")[-1]["step"] == 15
    with (tmp_path / "lost" / "metrics.jsonl").open("a") as file:
        file.write('{"event": "tra')
    again = Run(tmp_path / "lost", **FULL)
    assert again.resumed()
    assert again.engine.done == 12
    assert metrics(tmp_path / "lost")[-1]["step"] == 12
    again.to_the_end()
    assert_same(again, whole)


def assert_same(run: Run, whole: Run) -> None:
    assert run.weights() == whole.weights()
    assert_same_run(run.folder, whole.folder)


@pytest.mark.parametrize(
    "often",
    [
        {"evaluation": {"every": "1 steps"}},
        {"checkpoint": {"every": "1 steps", "keep": 3}},
        {"training": {"epochs": 3, "log_every": "1 steps"}},
        {"validated": False},
    ],
    ids=str,
)
def test_looking_more_often_does_not_change_the_weights(
    often: dict[str, Any], tmp_path: Path
) -> None:
    keys = {**FULL, "training": {"epochs": 3}}
    plain = Run(tmp_path / "plain", **keys).to_the_end()
    other = Run(tmp_path / "other", **{**keys, **often}).to_the_end()
    assert other.weights() == plain.weights()
    assert model_hash(tmp_path / "other") == model_hash(tmp_path / "plain")


def test_divergence_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    optimizer = {"learning_rate": 1e4, "warmup": "30 steps"}
    saving = {"every": "1 steps", "keep": 1}
    run = Run(tmp_path, validated=False, optimizer=optimizer, checkpoint=saving)
    with pytest.raises(DivergedError) as caught:
        run.to_the_end()
    last = run.checkpoints.linked("last")
    assert last is not None
    rate, epoch = 1e4 * (last + 1) / 30, last // run.engine.steps_per_epoch + 1
    message = str(caught.value)
    assert message.startswith(
        f"diverged at step {last + 1} (epoch {epoch}), learning rate {rate:.4g}: "
    )
    assert message.endswith(f"the last good checkpoint is {run.checkpoints.find(last)}")
    assert Run(tmp_path, validated=False, optimizer=optimizer).resumed()


def test_divergence_before_the_first_checkpoint(tmp_path: Path) -> None:
    run = Run(tmp_path, validated=False, optimizer={"learning_rate": 1e9})
    with pytest.raises(DivergedError, match="no checkpoint had been written yet"):
        run.to_the_end()
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_the_last_step_does_not_stop_a_finished_run(
    number: int, code: int, tmp_path: Path
) -> None:
    assert Run(tmp_path / "a", validated=False).stop_at(35, number).exit_code == code
    run = Run(tmp_path / "b", validated=False)
    request = StopRequest()
    step: Callable[[], float] = run.engine.step

    def last_step() -> float:
        request.signal_number = number if run.engine.done == 35 else None
        return step()

    run.engine.step = last_step  # type: ignore[method-assign]
    run.loop.run(request)
    assert run.events("end")[0]["reason"] == "finished"
