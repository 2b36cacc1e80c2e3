"""From a resolved config and its data to what trains: once it is known to fit in memory."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sstrain.training.engine import Engine
from sstrain.training.fitting import fitting_models
from sstrain.training.forecast import check_memory, forecast_memory

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.data.loading import Splits
    from sstrain.training.warm_start import Source

__all__ = ["build_engine"]


def build_engine(
    config: "Config", splits: "Splits", source: "Source | None", report: Callable[[str], None]
) -> tuple[Engine, dict[str, Any] | None]:
    """Return what trains, once it is known to fit in memory, and what it was started from.

    Parameters
    ----------
    config : Config
        Resolved.
    splits : Splits
    source : Source or None
        Whose weights it starts from; they are freed before this returns.
    report : callable
    """
    vocabulary, datasets = splits.vocabulary, splits.datasets()
    parts = forecast_memory(config, vocabulary, datasets, source.bytes if source else 0)
    check_memory(config, parts, partial(fitting_models, config, vocabulary, datasets))
    if source is None:
        return Engine(config, splits.train, vocabulary), None
    start = source.load(vocabulary, report)
    engine = Engine(config, splits.train, vocabulary, start=start)
    report(start.summary())
    return engine, start.as_json()
