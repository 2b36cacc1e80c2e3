"""``sstrain plan``: what a run will take, told from its data and a short measurement."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sstrain.data.cache import load
from sstrain.training.choosing import provisional, settle
from sstrain.training.forecast import GIB, forecast_memory, still_needed
from sstrain.training.measuring import measure
from sstrain.training.memory import available_memory
from sstrain.training.train import prepare_kernels
from sstrain.training.warm_start import open_source

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.data.loading import Splits
    from sstrain.training.warm_start import Source

__all__ = ["as_text", "plan"]


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
        ``checkpoint_bytes``; where it fits, measured in the first steps on this machine,
        ``examples_per_second``, ``epoch_seconds`` and ``run_seconds``, ``exact_epoch_seconds`` and
        ``sampled_epoch_seconds`` (one is the run's own, the other for comparison),
        ``stage_epoch_seconds`` (of each stage, where there are any: then the figures before are of
        the first, or of the first of its kind), and ``untold``:
        why one of these is not there; what the layout has to tell of the data (``collisions`` of
        a hashed one), as a line in ``note``.
    """
    source = open_source(config.model, None)
    prepare_kernels(config, report)
    splits = load(config.data, report, use_cache)
    asked, config = config, provisional(config)
    result = _needs(config, splits, source)
    if result["fits"] and asked is not config:
        config, _ = settle(asked, splits, source, report)
        result = _needs(config, splits, source)
    if result["fits"]:
        result |= measure(config, splits, source, result["available_bytes"], report)
    return result


def _needs(config: "Config", splits: "Splits", source: "Source | None") -> dict[str, Any]:
    """Return what is known before anything is allocated."""
    vocabulary, free = splits.vocabulary, available_memory()
    memory = forecast_memory(config, vocabulary, splits.datasets(), source.bytes if source else 0)
    return {
        "examples": splits.train.num_examples,
        "features": vocabulary.num_features,
        "classes": vocabulary.num_classes,
        "memory_bytes": {**memory, "total": sum(memory.values())},
        "available_bytes": free,
        "fits": sum(still_needed(memory).values()) <= free,
        "checkpoint_bytes": _checkpoint_bytes(memory),
    }


def _checkpoint_bytes(memory: dict[str, int]) -> int:
    """Return the size of a checkpoint's tensors; with averaging it has the live weights besides."""
    kept = sum(memory.get(part, 0) for part in ("weights", "optimizer", "sampler", "objective"))
    return kept + 2 * memory.get("averaging", 0)


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
    return "\n".join([*lines, *_time_lines(result)])


def _time_lines(result: dict[str, Any]) -> Iterator[str]:
    if not result["fits"]:
        return
    if "note" in result:
        yield ""
        yield result["note"]
    yield ""
    yield "time, measured in the first steps, as busy as this machine is now"
    if "examples_per_second" in result:
        run = _duration(result["run_seconds"]) if "run_seconds" in result else "not told"
        yield (
            f"  {result['examples_per_second']:,.0f} examples/s, an epoch in "
            f"{_duration(result['epoch_seconds'])}, the run in {run}"
        )
    for number, seconds in enumerate(result.get("stage_epoch_seconds", ()), start=1):
        yield f"  {f'stage {number}':16}  an epoch in {_duration(seconds)}"
    for kind in ("sampled", "exact"):
        seconds, why = result.get(f"{kind}_epoch_seconds"), result.get("untold", {}).get(kind)
        told = f"not told: {why}" if seconds is None else f"an epoch in {_duration(seconds)}"
        yield f"  {kind + ' gradient':16}  {told}"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
