"""What each kind of model takes in memory for data of some size."""

from typing import Any

from sstrain.models import MODELS
from sstrain.optim import OPTIMIZERS

__all__ = ["model_memory", "with_memory"]


def with_memory(figures: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of ``data info`` with ``memory_bytes``, see `model_memory`."""
    memory = model_memory(figures["num_features"], figures["num_classes"])
    return {**figures, "memory_bytes": memory}


def model_memory(num_features: int, num_classes: int) -> dict[str, dict[str, int]]:
    """Return the bytes of weights and optimiser's state in training, by model and optimizer.

    Parameters
    ----------
    num_features, num_classes : int
        D and V.

    Returns
    -------
    dict of dict
        For each model, with its defaults, and for each update rule, without averaging.
    """
    rules = {name: rule.model_validate({"type": name}) for name, rule in OPTIMIZERS.items()}
    models = {name: model.model_validate({"type": name}) for name, model in MODELS.items()}
    return {
        name: {
            optimizer: sum(model.memory(num_features, num_classes, rule).values())
            for optimizer, rule in rules.items()
        }
        for name, model in models.items()
    }
