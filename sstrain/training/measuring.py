"""How long steps and evaluations take on this machine, from a few of them."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sstrain.config import resolve
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
    for kind, variant in _gradients(config):
        held = 0 if source is None else source.bytes
        forecast = forecast_memory(variant, splits.vocabulary, splits.datasets(), held)
        if (needed := sum(still_needed(forecast).values())) > free:
            untold[kind] = f"needs {needed / GIB:.2f} GiB of memory; {free / GIB:.2f} GiB are free"
            continue
        try:
            start = None if source is None else source.load(splits.vocabulary, report)
            engine = [Engine(variant, splits.train, splits.vocabulary, start=start)]
            del start  # freed before the first step
            result |= _figures(kind, engine.pop(), splits, of_the_run=variant is config)
        except FailureError as error:
            untold[kind] = str(error)
        except MemoryError:
            untold[kind] = "memory ran out"
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
        result |= _run(engine, splits, epoch)
    return result


def _gradients(config: "Config") -> "Iterator[tuple[str, Config]]":
    """Yield the config itself and the one with the other kind of gradient."""
    if config.objective.sampled:
        exact = {"objective": Exact(), "sampler": None, "diagnostics": None}
        yield from (("sampled", config), ("exact", config.model_copy(update=exact)))
    else:
        sampled = config.model_copy(update={"objective": Importance()})
        yield from (("exact", config), ("sampled", resolve(sampled)))


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


def _run(engine: Engine, splits: "Splits", epoch: float) -> dict[str, float]:
    """Return the seconds of an evaluation and of the whole run."""
    config, evaluations, result = engine.config, 0.0, {}
    if splits.validation is not None:
        result["evaluation_seconds"] = _evaluation_seconds(engine, splits)
        assert config.evaluation.every is not None
        every = config.evaluation.every.in_steps(engine.steps_per_epoch)
        evaluations = -(-engine.total_steps // every) * result["evaluation_seconds"]
    return {**result, "run_seconds": epoch * config.training.epochs + evaluations}


def _evaluation_seconds(engine: Engine, splits: "Splits") -> float:
    """Return how long an evaluation takes, from more and more of its examples."""
    validation, vocabulary = splits.validation, splits.vocabulary
    assert validation is not None
    predict_all(engine.model, validation.head(1), vocabulary)  # loads the kernels
    size = scoring_batch_size(vocabulary.num_classes)
    while True:
        size = min(size, _EVALUATED_EXAMPLES, validation.num_examples)
        start = time.perf_counter()
        predict_all(engine.model, validation.head(size), vocabulary)
        elapsed = time.perf_counter() - start
        if elapsed >= _EVALUATED_SECONDS or size in (_EVALUATED_EXAMPLES, validation.num_examples):
            return elapsed * validation.num_examples / size
        size *= 4
