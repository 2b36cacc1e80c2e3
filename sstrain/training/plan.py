"""``sstrain plan``: what a run will take, told from its data and a short measurement."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sstrain.data.cache import load
from sstrain.data.loading import Splits
from sstrain.errors import FailureError
from sstrain.evaluation.exact import predict_all
from sstrain.training.engine import Engine
from sstrain.training.forecast import GIB, forecast_memory, still_needed
from sstrain.training.memory import available_memory
from sstrain.training.train import prepare_kernels

if TYPE_CHECKING:
    from sstrain.config import Config

__all__ = ["as_text", "plan"]

#: Compiled kernels are loaded, and the pages of the most used weights are touched, in this time.
_WARM_UP_SECONDS = 2.0
_MEASURED_SECONDS = 2.0


def plan(config: "Config", report: Callable[[str], None], use_cache: bool = True) -> dict[str, Any]:
    """Return memory and time of a run, as ``sstrain plan --json`` prints them.

    Parameters
    ----------
    config : Config
        Resolved.
    report : callable
        Takes lines for a person to read.
    use_cache : bool
        Whether data are kept on the disk between runs.

    Returns
    -------
    dict
        ``memory_bytes`` by part with their ``total``, ``available_bytes``, ``fits``,
        ``checkpoint_bytes``; where it fits, ``examples_per_second``, ``epoch_seconds`` and
        ``run_seconds``, measured in the first steps on this machine.
    """
    prepare_kernels(config, report)
    splits = load(config.data, report, use_cache)
    vocabulary = splits.vocabulary
    memory = forecast_memory(config, vocabulary, splits.datasets())
    free = available_memory()
    result: dict[str, Any] = {
        "examples": splits.train.num_examples,
        "features": vocabulary.num_features,
        "classes": vocabulary.num_classes,
        "memory_bytes": {**memory, "total": sum(memory.values())},
        "available_bytes": free,
        "fits": sum(still_needed(memory).values()) <= free,
        "checkpoint_bytes": _checkpoint_bytes(memory),
    }
    if result["fits"]:
        result |= _measure(config, splits, report)
    return result


def _checkpoint_bytes(memory: dict[str, int]) -> int:
    """Return the size of a checkpoint's tensors; with averaging it has the live weights besides."""
    kept = sum(memory.get(part, 0) for part in ("weights", "optimizer", "sampler"))
    return kept + 2 * memory.get("averaging", 0)


def _measure(config: "Config", splits: Splits, report: Callable[[str], None]) -> dict[str, Any]:
    """Train for two seconds on weights that are thrown away."""
    report("measuring the first steps ...")
    engine = Engine(config, splits.train, splits.vocabulary)
    try:
        engine.step()
        _step_for(engine, _WARM_UP_SECONDS)
        start, before = time.perf_counter(), engine.examples
        _step_for(engine, _MEASURED_SECONDS)
    except FailureError as error:
        report(f"no time can be told: {error}")
        return {}
    speed = (engine.examples - before) / (time.perf_counter() - start)
    epoch = splits.train.num_examples / speed
    result = {"examples_per_second": speed, "epoch_seconds": epoch}
    evaluations = 0.0
    if splits.validation is not None:
        start = time.perf_counter()
        sample = splits.validation.head(2000)
        predict_all(engine.model, sample, splits.vocabulary)
        elapsed = time.perf_counter() - start
        result["evaluation_seconds"] = (
            elapsed * splits.validation.num_examples / sample.num_examples
        )
        assert config.evaluation.every is not None
        every = config.evaluation.every.in_steps(engine.steps_per_epoch)
        evaluations = -(-engine.total_steps // every) * result["evaluation_seconds"]
    result["run_seconds"] = epoch * config.training.epochs + evaluations
    return result


def _step_for(engine: Engine, seconds: float) -> None:
    """Take steps for some time, from the first again after the last, but one in any case."""
    end = time.perf_counter() + seconds
    while True:
        engine.done %= engine.total_steps
        engine.step()
        if time.perf_counter() >= end:
            return


def as_text(result: dict[str, Any]) -> str:
    """Return a plan as lines for a person."""
    memory = result["memory_bytes"]
    lines = [
        f"{result['examples']:,} training examples, V = {result['classes']:,} classes, "
        f"D = {result['features']:,} features",
        "",
        "memory, GiB",
        *(f"  {name:10} {size / GIB:8.2f}" for name, size in memory.items()),
        f"  {'available':10} {result['available_bytes'] / GIB:8.2f}"
        + ("" if result["fits"] else "   DOES NOT FIT"),
        f"a checkpoint takes {result['checkpoint_bytes'] / GIB:.2f} GiB on disk",
    ]
    if "examples_per_second" in result:
        lines += [
            "",
            "time, measured in the first steps, as busy as this machine is now",
            f"  {result['examples_per_second']:,.0f} examples/s, an epoch in "
            f"{timedelta(seconds=round(result['epoch_seconds']))}, the run in "
            f"{timedelta(seconds=round(result['run_seconds']))}",
        ]
    return "\n".join(lines)
