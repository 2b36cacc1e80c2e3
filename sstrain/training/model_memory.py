"""What each kind of model takes in memory for data of some size."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from sstrain.models import MODELS, Model
from sstrain.optim import OPTIMIZERS, Optimizer

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
        For each model that needs no other run, with its defaults and named with those that decide
        its size, as ``low_rank(rank=100)``; and for each update rule, without averaging.
    """
    rules = {name: rule.model_validate({"type": name}) for name, rule in OPTIMIZERS.items()}
    return {
        _described(model): {
            optimizer: sum(model.memory_bytes(num_features, num_classes, rule).values())
            for optimizer, rule in rules.items()
        }
        for model in _default_models(rules["adagrad"])
    }


def _default_models(rule: Optimizer) -> Iterator[Model]:
    for name, layout in MODELS.items():
        try:
            yield layout.model_validate({"type": name}).resolved(rule)
        except ValidationError:  # it cannot be without other keys
            continue


def _described(model: Model) -> str:
    sizes = ", ".join(f"{key}={getattr(model, key)}" for key in model.sizes)
    return f"{model.type}({sizes})" if sizes else model.type
