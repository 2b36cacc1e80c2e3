"""What a plan forecasts, against the arrays that a run then has and the files that it writes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import snapshot, svmlight_text

from sstrain import kernels
from sstrain.buffers import Buffers
from sstrain.config import Config, load
from sstrain.data.cache import load as load_data
from sstrain.evaluation.exact import evaluate
from sstrain.training import measuring
from sstrain.training import plan as plan_module
from sstrain.training.engine import Engine
from sstrain.training.forecast import forecast_memory, still_needed
from sstrain.training.plan import as_text, plan
from sstrain.training.train import train

V, D = 900, 400
SETTINGS = """\
output: run
data: {train: {path: a.svm, format: svmlight}, validation: 0.1}
sampler: {num_samples: 24}
training: {epochs: 2, batch_size: 50, threads: 1}
"""


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Config]:
    (tmp_path / "a.svm").write_text(svmlight_text(1500, V, D, seed=1))
    (tmp_path / "c.yaml").write_text(SETTINGS)
    return lambda *settings: load(tmp_path / "c.yaml", settings)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_WARM_UP_SECONDS", 0.05)
    monkeypatch.setattr(measuring, "_MEASURED_SECONDS", 0.1)


def quiet(line: str) -> None:
    pass


def arrays_in(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the arrays that an object holds, in tuples, dicts and the like."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from arrays_in(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from arrays_in(item)


def total(*values: Any) -> int:
    return sum(array.nbytes for value in values for array in arrays_in(value))


SAMPLED = ("sampler={num_samples: 24}",)
EACH = ("sampler={num_samples: 24, share: example}",)
EXACT = ("objective={type: exact}", "sampler=null")


@pytest.mark.parametrize("objective", [SAMPLED, EACH, EXACT])
@pytest.mark.parametrize(
    "optimizer",
    ["{type: sgd}", "{type: adagrad}", "{type: rowwise_adagrad, average_from: 0 steps}"],
)
def test_memory_is_that_of_the_real_arrays(
    optimizer: str, objective: tuple[str, ...], configured: Callable[..., Config]
) -> None:
    config = configured(f"optimizer={optimizer}", *objective)
    splits = load_data(config.data, quiet, use_cache=False)
    forecast = forecast_memory(config, splits.vocabulary, splits.datasets())
    engine = Engine(config, splits.train, splits.vocabulary)
    for _ in range(3):
        engine.step()
    assert splits.validation is not None
    evaluate(engine.model, splits.validation, splits.vocabulary, [1])
    parameters = engine.model.parameters.values()  # type: ignore[attr-defined]
    assert forecast["weights"] == total(*(one.values for one in parameters))
    assert forecast.get("optimizer", 0) == total(*(one.state for one in parameters))
    averages = [one.average.u for one in parameters if one.average is not None]
    assert forecast.get("averaging", 0) == total(*averages)
    assert forecast["data"] == total(*(split.arrays for split in splits.datasets()))
    if engine.sampler is not None:
        assert forecast["sampler"] == total(engine.sampler.tensors())
    scratch = scratch_bytes(engine)
    assert 0.4 * scratch < forecast["buffers"] < 2.5 * scratch


def scratch_bytes(engine: Engine) -> int:
    """Return the bytes of what steps and evaluations use again and again."""
    owners = [engine.model, engine.gradient.take_step, engine._reader, engine.sampler]
    held = [vars(owner) for owner in owners if owner is not None]
    buffers = [b for attributes in held for b in attributes.values() if isinstance(b, Buffers)]
    candidates = getattr(engine.sampler, "_buffers", ())
    return total(candidates, engine._reader._arrays, *(buffer._flat for buffer in buffers))


@pytest.mark.parametrize("averaging", ["null", "1 epoch"])
def test_a_checkpoint_takes_what_is_told(averaging: str, configured: Callable[..., Config]) -> None:
    config = configured(f"optimizer.average_from={averaging}")
    told = plan(config, quiet)["checkpoint_bytes"]
    folder = train(config, resume=False, overwrite=False, report=quiet).folder
    tensors = (folder.checkpoints / "last").glob("*.safetensors")
    assert told == pytest.approx(sum(file.stat().st_size for file in tensors), rel=0.01)


def test_a_plan_has_its_figures_and_writes_nothing(
    configured: Callable[..., Config], tmp_path: Path
) -> None:
    config = configured()
    before = snapshot(tmp_path)
    found = plan(config, quiet)
    assert snapshot(tmp_path) == before
    memory = found["memory_bytes"]
    assert memory["total"] == sum(size for name, size in memory.items() if name != "total")
    assert found["fits"] is True
    assert found["examples_per_second"] > 0
    epoch = found["examples"] / found["examples_per_second"]
    assert found["epoch_seconds"] == pytest.approx(epoch)
    evaluations = 2 * found["evaluation_seconds"]
    assert found["run_seconds"] == pytest.approx(2 * epoch + evaluations)
    assert found["sampled_epoch_seconds"] == found["epoch_seconds"]
    assert found["exact_epoch_seconds"] > 0
    assert "untold" not in found
    last = as_text(found).splitlines()[-2:]
    assert [line.split(" gradient")[0].strip() for line in last] == ["sampled", "exact"]
    assert all("an epoch in 0:00:0" in line for line in last)


def test_a_run_by_the_exact_gradient_has_a_sampled_time_too(
    configured: Callable[..., Config],
) -> None:
    found = plan(configured("objective={type: exact}", "sampler=null"), quiet)
    assert found["exact_epoch_seconds"] == found["epoch_seconds"]
    assert found["sampled_epoch_seconds"] > 0


def test_a_gradient_that_does_not_fit_is_told_apart(
    configured: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured()
    memory = plan(config, quiet)["memory_bytes"]
    free = sum(still_needed(memory).values()) - memory["total"] + 1000
    monkeypatch.setattr(plan_module, "available_memory", lambda: free)
    found = plan(config, quiet)
    assert found["sampled_epoch_seconds"] > 0
    assert "exact_epoch_seconds" not in found
    assert found["untold"].keys() == {"exact"}
    assert "  exact gradient    not told: needs " in as_text(found)


def test_of_slow_steps_few_are_taken(
    configured: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[float] = []
    step = Engine.step

    def counted(engine: Engine) -> float:
        taken.append(engine.done)
        return step(engine)

    monkeypatch.setattr(Engine, "step", counted)
    monkeypatch.setattr(measuring, "_MEASURED_SECONDS", 0.0)
    found = plan(configured(), quiet)
    assert taken == [0, 0]  # one of each gradient
    assert found["examples_per_second"] > 0


def test_without_validation_no_evaluation_is_told(configured: Callable[..., Config]) -> None:
    found = plan(configured("data.validation=null"), quiet)
    assert "evaluation_seconds" not in found
    assert found["run_seconds"] == pytest.approx(2 * found["epoch_seconds"])


def test_what_does_not_fit_is_said_and_not_measured(
    configured: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_module, "available_memory", lambda: 1 << 20)
    found = plan(configured(), quiet)
    assert found["fits"] is False
    assert "examples_per_second" not in found
    assert "DOES NOT FIT" in as_text(found)


def test_a_rate_that_diverges_leaves_the_time_untold(configured: Callable[..., Config]) -> None:
    found = plan(configured("optimizer={type: sgd, learning_rate: 1e9}"), quiet)
    assert all(why.startswith("diverged at step ") for why in found["untold"].values())
    assert "examples_per_second" not in found
    assert "examples/s" not in as_text(found)
    assert "  sampled gradient  not told: diverged at step " in as_text(found)


def test_planning_does_not_change_a_run(configured: Callable[..., Config], tmp_path: Path) -> None:
    kernels.use_threads(1)
    config = configured("training.epochs=1")
    first = train(config, resume=False, overwrite=False, report=quiet).folder
    weights = (first.checkpoints / "last" / "model.safetensors").read_bytes()
    plan(config, quiet)
    again = train(config, resume=False, overwrite=True, report=quiet).folder
    assert (again.checkpoints / "last" / "model.safetensors").read_bytes() == weights


def test_rows_with_many_labels_count_once(tmp_path: Path) -> None:
    rows = "".join(f"{','.join(map(str, range(i % 7 + 20)))} 1:1 2:1 3:1\n" for i in range(200))
    (tmp_path / "a.svm").write_text(rows)
    (tmp_path / "c.yaml").write_text(SETTINGS)
    config = load(tmp_path / "c.yaml", ["data.train.multilabel=split"])
    splits = load_data(config.data, quiet, use_cache=False)
    assert splits.train.num_examples > 20 * splits.train.num_rows
    forecast = forecast_memory(config, splits.vocabulary, [splits.train])
    # A step's products of entries (3 a row) and samples, and two numbers for each pair.
    assert forecast["buffers"] == 4 * 24 * (50 * 3 + 2 * 50)
