"""What is told where a model does not fit in memory: which would, and which would not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field
from small import make_config, make_dataset, make_vocabulary

from sstrain.errors import UserError
from sstrain.models.base import Model, StepShape
from sstrain.models.dense import Dense
from sstrain.optim.base import Optimizer
from sstrain.training import fitting, forecast, model_memory
from sstrain.training.fitting import fitting_models
from sstrain.training.forecast import forecast_memory, still_needed

D, V = 40, 30


class Wide(Model):
    """A layout of ``width`` numbers a feature and a class, at most 20."""

    type: Literal["wide"] = "wide"
    width: int = Field(4, ge=1)
    sizes: ClassVar[dict[str, tuple[int, ...]]] = {"width": (64, 16, 8, 2)}

    def check(self, num_features: int, num_classes: int) -> None:
        if self.width > 20:
            raise UserError("too wide")

    def memory_bytes(
        self, num_features: int, num_classes: int, optimizer: Optimizer
    ) -> dict[str, int]:
        return {"weights": 1000 * self.width + type(optimizer).state_bytes(0, self.width)}

    def step_bytes(self, num_features: int, num_classes: int, shape: StepShape) -> int:
        return 0

    def allocate(self, *_: Any) -> Any:
        raise AssertionError


class Needy(Wide):
    """A layout that cannot be without another run."""

    type: Literal["needy"] = "needy"  # type: ignore[assignment]
    keep: int


@pytest.fixture(autouse=True)
def layouts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"dense": Dense, "wide": Wide, "needy": Needy}
    for module in (fitting, model_memory):
        monkeypatch.setattr(module, "MODELS", found)


def fitting_in(free: int, **sections: Any) -> list[str]:
    config = make_config(sampler={"num_samples": 1}, training={"batch_size": 1}, **sections)
    return fitting_models(config, make_vocabulary(V, D), [make_dataset(50, V, D)], free)


@pytest.mark.parametrize(
    ("kilobytes", "expected"),
    [(1, []), (4, ["wide, width: 2"]), (9, ["dense", "wide, width: 8"])],
)
def test_of_each_layout_the_largest_that_fits(kilobytes: int, expected: list[str]) -> None:
    # The table of 40 x 30 weights takes 4.8 kB, the bias .1, the sampler .6; 64 is too wide.
    found = fitting_in(1000 * kilobytes)
    assert found == [f"{{type: {name}}}" for name in expected]
    assert fitting_in(10**9) == ["{type: dense}", "{type: wide, width: 16}"]


def test_the_rest_of_the_config_stays() -> None:
    adagrad = {"type": "adagrad", "average_from": "0 steps"}
    assert fitting_in(9000, optimizer=adagrad) == ["{type: wide, width: 8}"]
    half = fitting_in(9000, model={"type": "dense", "dtype": "bfloat16"})
    assert half == ["{type: dense, dtype: bfloat16}", "{type: wide, width: 8, dtype: bfloat16}"]
    assert fitting_in(10**9, model={"type": "dense", "from": "/run"}) == []


def test_the_refusal_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(sampler={"num_samples": 1}, training={"batch_size": 1})
    parts = forecast_memory(config, make_vocabulary(V, D), [make_dataset(50, V, D)])
    needed = sum(still_needed(parts).values())
    monkeypatch.setattr(forecast, "available_memory", lambda: needed - 1)
    asked: list[int] = []

    def offer(free: int) -> list[str]:
        asked.append(free)
        return ["{type: wide, width: 8}", "{type: other}"]

    with pytest.raises(UserError) as caught:
        forecast.check_memory(config, parts, offer)
    assert asked == [needed - 1]
    assert str(caught.value).endswith(
        ", or model {type: wide, width: 8} (fits), or model {type: other} (fits)"
    )
    monkeypatch.setattr(forecast, "available_memory", lambda: needed)
    forecast.check_memory(config, parts, offer)
    assert asked == [needed - 1]


def test_a_control_group_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sstrain.training.memory import available_memory

    for name, text in {
        "proc/self/cgroup": "0::/job\n",
        "sys/fs/cgroup/job/memory.max": "30000\n",
        "sys/fs/cgroup/job/memory.current": "26000\n",
        "sys/fs/cgroup/job/memory.stat": "anon 9\ninactive_file 1000\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(forecast, "available_memory", lambda: available_memory(tmp_path))
    config = make_config(sampler={"num_samples": 1}, training={"batch_size": 1})
    vocabulary, datasets = make_vocabulary(V, D), [make_dataset(50, V, D)]
    parts = forecast_memory(config, vocabulary, datasets)
    offer: Callable[[int], list[str]] = lambda free: fitting_models(  # noqa: E731
        config, vocabulary, datasets, free
    )
    with pytest.raises(UserError, match=r"; 0\.00 GiB are free; .*\{type: wide, width: 2\}"):
        forecast.check_memory(config, parts, offer)


def test_data_info_names_what_decides_the_size() -> None:
    memory = model_memory.model_memory(D, V)
    assert memory.keys() == {"dense", "wide(width=4)"}
    assert memory["wide(width=4)"]["adagrad"] == 4 * (1000 + 4)
