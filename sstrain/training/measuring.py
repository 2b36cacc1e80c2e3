"""How long steps and evaluations take on this machine, from a few of them."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sstrain.config import resolve, stage_configs
from sstrain.errors import FailureError
from sstrain.evaluation.exact import predict_all, scoring_batch_size
from sstrain.objectives.exact import Exact
from sstrain.objectives.importance import Importance
from sstrain.training.engine import Engine
from sstrain.training.forecast import GIB, forecast_memory, still_needed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sstrain.config import Config
    from sstrain.data.loading import Splits
    from sstrain.training.warm_start import Source

__all__ = ["measure"]

#: The pages of the most used weights are touched in this time.
_WARM_UP_SECONDS = 2.0
_MEASURED_SECONDS = 2.0
_EVALUATED_SECONDS = 0.5
_EVALUATED_EXAMPLES = 2000


def measure(
    config: "Config",
    splits: "Splits",
    source: "Source | None",
    free: int,
    report: "Callable[[str], None]",
) -> dict[str, Any]:
    """Train for a few seconds, by the config's gradient and the other, and throw the weights away.

    Of a run in stages each gradient is measured; ``examples_per_second`` and ``epoch_seconds`` are
    the first stage's.

    Parameters
    ----------
    config : Config
        Resolved.
    splits : Splits
    source : Source or None
        Whose weights it begins with.
    free : int
        Bytes of memory.
    report : callable

    Returns
    -------
    dict
        The figures of time of `sstrain.training.plan.plan`.
    """
    report("measuring the first steps ...")
    result: dict[str, Any] = {}
    untold: dict[str, str] = {}
    epochs: dict[int, float] = {}
    for kind, numbers, variant in _gradients(config):
        held = 0 if source is None else source.bytes
        forecast = forecast_memory(variant, splits.vocabulary, splits.datasets(), held)
        if (needed := sum(still_needed(forecast).values())) > free:
            untold[kind] = f"needs {needed / GIB:.2f} GiB of memory; {free / GIB:.2f} GiB are free"
            continue
        try:
            start = None if source is None else source.load(splits.vocabulary, report)
            engine = [Engine(variant, splits.train, splits.vocabulary, start=start)]
            del start  # freed before the first step
            figures = _figures(kind, engine.pop(), splits, of_the_run=0 in numbers)
            epochs |= dict.fromkeys(numbers, figures[f"{kind}_epoch_seconds"])
            result = figures | result  # what an earlier stage has told stands
        except FailureError as error:
            untold[kind] = str(error)
        except MemoryError:
            untold[kind] = "memory ran out"
    result |= _run(config, splits, epochs, result.get("evaluation_seconds", 0.0))
    return result | ({"untold": untold} if untold else {})


def _figures(kind: str, engine: Engine, splits: "Splits", of_the_run: bool) -> dict[str, Any]:
    """Return what one kind of gradient takes; held here alone, the engine is freed at the end."""
    speed = _examples_per_second(engine)
    epoch = splits.train.num_examples / speed
    result: dict[str, Any] = {f"{kind}_epoch_seconds": epoch}
    if of_the_run:
        if told := engine.model.describe(splits.train):
            result |= {told.key: told.figures, "note": told.text}
        result |= {"examples_per_second": speed, "epoch_seconds": epoch}
        if splits.validation is not None:
            result["evaluation_seconds"] = _evaluation_seconds(engine, splits)
    return result


def _gradients(config: "Config") -> "Iterator[tuple[str, list[int], Config]]":
    """Yield each gradient's kind, the stages that it is of, and their config; then another kind's.

    Stages that differ in nothing but their length and rate are measured once.
    """
    stages = stage_configs(config)
    gradients = [(stage.objective, stage.sampler) for stage in stages]
    for number, stage in enumerate(stages):
        same = [i for i, gradient in enumerate(gradients) if gradient == gradients[number]]
        if same[0] == number:
            yield "sampled" if stage.objective.sampled else "exact", same, stage
    kinds = {stage.objective.sampled for stage in stages}
    if kinds == {True}:
        exact = {"objective": Exact(), "sampler": None, "diagnostics": None}
        yield "exact", [], stages[0].model_copy(update=exact)
    elif kinds == {False}:
        yield "sampled", [], resolve(stages[0].model_copy(update={"objective": Importance()}))


def _examples_per_second(engine: Engine) -> float:
    engine.warm_up()
    engine.touch_memory()
    speed, seconds = _steps_for(engine, 0.0)
    if seconds < _MEASURED_SECONDS:  # else one step is enough
        _steps_for(engine, _WARM_UP_SECONDS)
        speed, _ = _steps_for(engine, _MEASURED_SECONDS)
    return speed


def _steps_for(engine: Engine, seconds: float) -> tuple[float, float]:
    """Take steps for some time, from the first again after the last, but one in any case.

    Returns
    -------
    examples_per_second, seconds : float
    """
    start, before = time.perf_counter(), engine.examples
    while True:
        engine.done %= engine.total_steps
        engine.step()
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return (engine.examples - before) / elapsed, elapsed


def _run(
    config: "Config", splits: "Splits", epochs: dict[int, float], evaluation: float
) -> dict[str, Any]:
    """Return the seconds of the whole run, if those of an epoch are known of all its stages."""
    stages = stage_configs(config)
    if len(epochs) < len(stages):
        return {}
    found: dict[str, Any] = {}
    if config.training.stages:
        found["stage_epoch_seconds"] = [epochs[number] for number in range(len(stages))]
    training = sum(epochs[i] * stage.training.epochs for i, stage in enumerate(stages))
    count = 0
    if splits.validation is not None and config.evaluation.every is not None:
        steps = -(-splits.train.num_examples // config.training.batch_size)
        every = config.evaluation.every.in_steps(steps)
        count = -(-steps * config.training.epochs // every)
    return {**found, "run_seconds": training + count * evaluation}


def _evaluation_seconds(engine: Engine, splits: "Splits") -> float:
    """Return how long an evaluation takes, from more and more of its examples."""
    validation, vocabulary = splits.validation, splits.vocabulary
    assert validation is not None
    predict_all(engine.scorer, validation.head(1), vocabulary)  # loads the kernels
    size = scoring_batch_size(vocabulary.num_classes)
    while True:
        size = min(size, _EVALUATED_EXAMPLES, validation.num_examples)
        start = time.perf_counter()
        predict_all(engine.scorer, validation.head(size), vocabulary)
        elapsed = time.perf_counter() - start
        if elapsed >= _EVALUATED_SECONDS or size in (_EVALUATED_EXAMPLES, validation.num_examples):
            return elapsed * validation.num_examples / size
        size *= 4
