"""Runs in stages: their rates, gradients, checkpoints and what is told of them beforehand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import metrics, svmlight_text
from reference.schedules import learning_rate
from small import make_config, make_dataset, make_vocabulary

from sstrain.config import Config, load, resolve, stage_configs
from sstrain.data.cache import load as load_data
from sstrain.errors import UserError
from sstrain.training import measuring
from sstrain.training.checkpoint import load_checkpoint, write_checkpoint
from sstrain.training.engine import Engine
from sstrain.training.forecast import forecast_memory
from sstrain.training.plan import as_text, plan
from sstrain.training.train import train

N, V, D = 45, 11, 9
STEPS = 6  # an epoch, in batches of 8

STAGES: list[dict[str, Any]] = [
    {"epochs": 2},
    {"epochs": 1, "num_samples": 3, "optimizer": {"l2": 0.1, "learning_rate": 0.25}},
    {"epochs": 1, "objective": {"type": "exact"}, "optimizer": {"schedule": "linear"}},
    {"epochs": 1, "sampler": {"type": "uniform", "num_samples": 5}},
]
OPTIMIZER = {
    "type": "adagrad",
    "schedule": "cosine",
    "warmup": "2 steps",
    "average_from": "9 steps",
}


#: Objectives and samplers that remember something from step to step.
REMEMBERING: list[dict[str, Any]] = [
    {"epochs": 1, "objective": {"type": "umax"}},
    {"epochs": 2, "sampler": {"type": "learned_unigram", "num_samples": 5, "growth": 0.0}},
    {"epochs": 2, "objective": {"type": "umax"}, "sampler": {"type": "softmax", "num_samples": 2}},
]


def make_engine(stages: Any = STAGES, optimizer: Any = OPTIMIZER) -> Engine:
    config = resolve(make_config(optimizer=optimizer, training={"stages": tuple(stages)}))
    return Engine(config, make_dataset(N, V, D, seed=4), make_vocabulary(V, D))


def taken(engine: Engine, count: int) -> Engine:
    for _ in range(count):
        engine.step()
    return engine


def tensors(engine: Engine) -> dict[str, bytes]:
    """Return the weights, averages and optimiser's state."""
    parts = engine.model.live_arrays(engine.model.averaged_steps)
    return {
        f"{part}.{name}": array.tobytes()
        for part, arrays in parts.items()
        for name, array in arrays.items()
    }


def quiet(line: str) -> None:
    pass


def test_each_step_has_the_gradient_of_its_stage() -> None:
    engine = make_engine()
    assert engine.total_steps == 5 * STEPS
    found = []
    while engine.done < engine.total_steps:
        engine.step()
        sampler = engine.sampler
        kind = None if sampler is None else (sampler.section.type, sampler.section.num_samples)
        found.append((engine.stage.number, kind, engine.ends_stage))
    ends = [False] * (STEPS - 1) + [True]
    kinds = [("unigram", 6), ("unigram", 3), None, ("uniform", 5)]
    expected = [(1, kinds[0], False)] * STEPS
    for number, kind in enumerate(kinds, start=1):
        expected += [(number, kind, end) for end in ends]
    assert found == expected


def test_the_runs_schedule_spans_the_stages_that_give_none() -> None:
    engine = make_engine()
    total = 5 * STEPS
    expected = [learning_rate("cosine", 0.5, step, total, 2) for step in range(total)]
    expected[2 * STEPS : 3 * STEPS] = [rate / 2 for rate in expected[2 * STEPS : 3 * STEPS]]
    expected[3 * STEPS : 4 * STEPS] = [
        learning_rate("linear", 0.5, step, STEPS, 0) for step in range(STEPS)
    ]
    found = []
    while engine.done < total:
        engine.step()
        found.append(engine.last_rate)
    assert found == pytest.approx(expected, rel=1e-12)


def test_stages_that_change_nothing_are_no_stages() -> None:
    whole = make_engine([{"epochs": 3}])
    parted = make_engine([{"epochs": 1}, {"epochs": 2}])
    losses = [[engine.step() for _ in range(3 * STEPS)] for engine in (whole, parted)]
    assert losses[0] == losses[1]
    assert tensors(whole) == tensors(parted)


def test_decay_is_all_taken_in_at_the_end_of_its_stage() -> None:
    decayed = [{"epochs": 1, "optimizer": {"l2": 0.1, "l2_interval": 4}}, {"epochs": 1}]
    engine = taken(make_engine(decayed), STEPS)
    assert engine.state()["pending_decay"] == 1.0
    plain = taken(make_engine([{"epochs": 1}, {"epochs": 1}]), STEPS)
    assert np.linalg.norm(engine.model.weight) < 0.95 * np.linalg.norm(plain.model.weight)  # type: ignore[attr-defined]


def test_the_same_proposal_and_objective_go_on_with_what_they_remember() -> None:
    sampler = {"type": "learned_unigram", "num_samples": 5}
    stages = [
        {"epochs": 1, "objective": {"type": "umax"}, "sampler": sampler},
        {"epochs": 1, "objective": {"type": "umax"}, "sampler": {**sampler, "num_samples": 3}},
        {"epochs": 1, "sampler": {**sampler, "growth": 0.5}},
    ]
    engine = taken(make_engine(stages), STEPS)
    u = engine.gradient.state["u"].copy()
    assert engine.sampler is not None
    assert engine.sampler.tensors()["seen"].sum() == N
    engine.step()
    assert engine.sampler.section.num_samples == 3
    assert engine.sampler.tensors()["seen"].sum() == N + 8
    assert (engine.gradient.state["u"] == u).sum() >= N - 8
    assert np.isfinite(engine.gradient.state["u"]).all()
    taken(engine, STEPS)  # another growth makes another proposal
    assert engine.sampler.tensors()["seen"].sum() == 8
    assert engine.gradient.state == {}


def remembered(engine: Engine) -> dict[str, bytes]:
    """Return what sampler and objective remember."""
    return {
        f"{part}.{name}": np.asarray(array).tobytes()
        for part, arrays in engine.gradient.tensors().items()
        for name, array in arrays.items()
    }


@pytest.mark.parametrize("stages", [STAGES, REMEMBERING], ids=["forgetful", "remembering"])
@pytest.mark.parametrize("stopped", [1, 6, 7, 9, 11, 12, 13, 17, 18, 20, 24, 25, 30])
def test_a_run_goes_on_within_any_stage_as_if_never_stopped(
    stopped: int, stages: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Steps 12, 18 and 24, or 6 and 18, are the last of a stage."""
    first = taken(make_engine(stages), stopped)
    state = {**first.state(), "step": first.done}
    write_checkpoint(tmp_path / "checkpoint", first.tensors(), state, None)
    second = make_engine(stages)
    second.restore(load_checkpoint(tmp_path / "checkpoint", first.done))
    assert second.state() == first.state()
    rest = first.total_steps - stopped
    assert [first.step() for _ in range(rest)] == [second.step() for _ in range(rest)]
    assert tensors(first) == tensors(second)
    assert remembered(first) == remembered(second)
    assert second.state() == first.state()


def test_losses_are_watched_anew_in_each_stage() -> None:
    engine = taken(make_engine(), 2 * STEPS)
    assert len(engine.state()["recent_losses"]) == 2 * STEPS
    engine.step()
    assert len(engine.state()["recent_losses"]) == 1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.svm").write_text(svmlight_text(300, 30, 40, seed=1))
    path = tmp_path / "c.yaml"
    path.write_text("""\
output: run
data: {train: {path: a.svm, format: svmlight}, validation: 0.1}
sampler: {num_samples: 4}
training:
  batch_size: 16
  threads: 1
  log_every: 7 steps
  stages: [{epochs: 2}, {epochs: 1, num_samples: 12}, {epochs: 1, objective: {type: exact}}]
""")
    return path


def run(config: Config) -> Path:
    return train(config, resume=False, overwrite=True, report=quiet).folder.path


def test_a_run_says_in_which_stage_it_is(file: Path) -> None:
    said: list[str] = []
    config = load(file, ["diagnostics={examples: 16, draws: 32, every: 1 epoch}"])
    folder = train(config, resume=False, overwrite=False, report=said.append).folder.path
    lines = metrics(folder)
    logged = [(line["step"], line["stage"]) for line in lines if line["event"] == "train"]
    steps = lines[-1]["step"] // 4
    expected = [
        (step, 1 if step <= 2 * steps else 2 if step <= 3 * steps else 3)
        for step in range(1, 4 * steps + 1)
        if step % 7 == 0 or step in (2 * steps, 3 * steps, 4 * steps)
    ]
    assert logged == expected
    assert any(line.endswith("stage 3 of 3: objective exact") for line in said)
    measured = [line["epoch"] for line in lines if line["event"] == "diagnostics"]
    assert measured == [1, 2, 3]
    assert lines[-1]["epoch"] == 4


def test_a_run_repeats_from_its_resolved_config(file: Path, tmp_path: Path) -> None:
    first = run(load(file))
    second = run(load(first / "config.yaml", output=str(tmp_path / "again")))
    name = "checkpoints/last/model.safetensors"
    assert (first / name).read_bytes() == (second / name).read_bytes()


def test_early_stopping_counts_over_stages_and_ends_the_run(file: Path) -> None:
    stages = "[" + ", ".join(["{epochs: 1}"] * 20) + "]"
    settings = ["training.patience=3", "optimizer.learning_rate=2", f"training.stages={stages}"]
    lines = metrics(run(load(file, settings)))
    assert lines[-1]["reason"] == "patience"
    losses = [line["log_loss"] for line in lines if line["event"] == "eval"]
    assert losses.index(min(losses)) == len(losses) - 4
    assert lines[-1]["epoch"] == len(losses) < 20


def test_a_later_stages_proposal_is_refused_before_the_first_step(
    file: Path, tmp_path: Path
) -> None:
    config = load(
        file, [f"training.stages.1={{epochs: 1, sampler: {{type: file, path: {tmp_path}/q.tsv}}}}"]
    )
    (tmp_path / "q.tsv").write_text("0\t0.5\n")
    with pytest.raises(
        UserError, match=r"^training\.stages\.1: sampler: file gives class '10' .* zero probability"
    ):
        run(config)
    assert not (tmp_path / "run").exists()


def test_files_of_all_stages_are_a_runs_data(file: Path, tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text("".join(f"{10 * j}\t0.1\n" for j in range(30)))
    stage = f"{{epochs: 1, sampler: {{type: file, path: {tmp_path}/q.tsv, num_samples: 3}}}}"
    settings = [f"training.stages.{place}={stage}" for place in (1, 2)]
    folder = train(load(file, settings), resume=False, overwrite=False, report=quiet).folder
    text = folder.environment.read_text()
    assert text.count("q.tsv") == 1


def test_memory_is_that_of_the_largest_stage(file: Path) -> None:
    config = load(file)
    splits = load_data(config.data, quiet, use_cache=False)

    def forecast(config: Config) -> dict[str, int]:
        return forecast_memory(config, splits.vocabulary, splits.datasets())

    parts, alone = forecast(config), [forecast(stage) for stage in stage_configs(config)]
    assert parts["sampler"] == max(stage.get("sampler", 0) for stage in alone)
    assert parts["buffers"] >= max(stage["buffers"] for stage in alone)
    same = load(file, ["training.stages=[{epochs: 1}, {epochs: 2}]"])
    assert forecast(same) == alone[0]


def test_a_plan_adds_up_the_stages(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_WARM_UP_SECONDS", 0.02)
    monkeypatch.setattr(measuring, "_MEASURED_SECONDS", 0.05)
    found = plan(load(file), quiet)
    epochs = found["stage_epoch_seconds"]
    assert len(epochs) == 3
    assert found["epoch_seconds"] == found["sampled_epoch_seconds"] == epochs[0]
    assert found["exact_epoch_seconds"] == epochs[2]
    training = 2 * epochs[0] + epochs[1] + epochs[2]
    assert found["run_seconds"] == pytest.approx(training + 4 * found["evaluation_seconds"])
    assert [line for line in as_text(found).splitlines() if line.startswith("  stage 3 ")]
    twice = plan(load(file, ["training.stages=[{epochs: 1}, {epochs: 5}]"]), quiet)
    assert twice["stage_epoch_seconds"] == [twice["epoch_seconds"]] * 2
    assert twice["exact_epoch_seconds"] > 0
