"""Which models would fit where one does not."""

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sstrain.errors import UserError
from sstrain.models import MODELS
from sstrain.training.forecast import forecast_memory, still_needed

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.data.dataset import Dataset
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.models.base import Model

__all__ = ["fitting_models"]


def fitting_models(
    config: "Config", vocabulary: "Vocabulary", datasets: "list[Dataset]", free: int
) -> list[str]:
    """Return of each layout the largest model that fits, as a config writes it.

    Parameters
    ----------
    config : Config
        Resolved; all but its model stays as it is.
    vocabulary : Vocabulary
    datasets : list of Dataset
        The splits that are held at once.
    free : int
        Bytes.
    """
    if config.model.source_run is not None:  # another model could not take its weights over
        return []
    found = []
    for layout in MODELS.values():
        for keys, model in _candidates(layout, config, vocabulary):
            other = config.model_copy(update={"model": model})
            parts = still_needed(forecast_memory(other, vocabulary, datasets))
            if sum(parts.values()) <= free:
                found.append(f"{{{', '.join(f'{key}: {value}' for key, value in keys.items())}}}")
                break
    return found


def _candidates(
    layout: "type[Model]", config: "Config", vocabulary: "Vocabulary"
) -> "Iterator[tuple[dict[str, Any], Model]]":
    """Yield a layout's models that suit the data, the largest first, each with its keys."""
    kind = layout.model_fields["type"].default
    kept = {} if config.model.dtype == "float32" else {"dtype": config.model.dtype}
    for values in product(*layout.sizes.values()):
        keys = {"type": kind, **dict(zip(layout.sizes, values, strict=True)), **kept}
        try:
            model = layout.model_validate(keys)
            model.check(vocabulary.num_features, vocabulary.num_classes)
        except (ValidationError, UserError):
            continue
        yield keys, model
