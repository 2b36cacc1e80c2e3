"""Resolved configs: written, read again, compared."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sstrain.config.loading import load
from sstrain.config.problems import shown
from sstrain.config.sections import Config, Evaluation
from sstrain.config.yaml import dump

__all__ = ["changes", "differences", "notes", "read_resolved", "resolved_yaml"]

#: What a run that goes on may have otherwise than the run that began.
_FREE = ("output.", "training.threads.", "checkpoint.")

_ABSENT = object()


def resolved_yaml(config: Config) -> str:
    """Return a resolved config as YAML; keys that do not apply are left out."""
    return dump(config.model_dump(exclude_none=True))


def read_resolved(path: Path | str) -> Config:
    """Return the config that ``resolved_yaml`` wrote into a file.

    Raises
    ------
    UserError
        If the file is missing, or was changed into no valid config.
    """
    return load(path)


def differences(old: Config, new: Config) -> list[str]:
    """Return what keeps a run from going on with another config, a line a key.

    The output folder, the number of threads and when checkpoints are written may differ.
    """
    before, after = (c.model_dump(exclude_none=True) for c in (old, new))
    return changes(before, after, _FREE, "run")


def changes(
    old: dict[str, Any], new: dict[str, Any], free: tuple[str, ...], kind: str
) -> list[str]:
    """Return a line for each key whose value changed, but those that start with one of ``free``."""
    before, after = dict(_flat(old)), dict(_flat(new))
    keys = [key for key in {**before, **after} if not f"{key}.".startswith(free)]
    return [
        f"{key}: {_shown(before, key)} in the {kind}, {_shown(after, key)} now"
        for key in keys
        if before.get(key, _ABSENT) != after.get(key, _ABSENT)
    ]


def _flat(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if name == "stages":
            value = {str(place): stage for place, stage in enumerate(value)}
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, value


def _shown(values: dict[str, Any], key: str) -> str:
    return shown(values[key]) if key in values else "not given"


def notes(config: Config) -> list[str]:
    """Return what is no mistake in a config, but may not be what was meant."""
    found = []
    if config.data.validation is None and config.evaluation.every not in (None, Evaluation().every):
        every = f"evaluation.every: {config.evaluation.every}"
        found.append(f"{every} has no use without a validation split; give data.validation")
    return found
