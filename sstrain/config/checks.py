"""What must hold between sections that are valid by themselves."""

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from sstrain.config.sections import Config
from sstrain.config.tree import Key
from sstrain.objectives.importance import Importance

__all__ = ["CHECKS", "Conflict", "conflicts"]


class Conflict(NamedTuple):
    """A key that does not go with the rest of the config."""

    key: Key
    problem: str
    advice: str


def _sampler_unused(config: Config) -> Conflict | None:
    if config.objective.sampled or config.sampler is None:
        return None
    advice = "remove the section, or --set sampler=null"
    return Conflict(("sampler",), f"objective {config.objective.type} draws no samples", advice)


def _resampling_shared(config: Config) -> Conflict | None:
    objective = config.objective
    if not isinstance(objective, Importance) or objective.accidental_hits != "resample":
        return None
    if config.sampler is not None and config.sampler.share == "example":
        return None
    problem = "candidates that a batch shares cannot leave out each example's target"
    return Conflict(("objective", "accidental_hits"), problem, "expected sampler.share: example")


def _decay_interval_unused(config: Config) -> Conflict | None:
    if config.optimizer.l2 or config.optimizer.l2_interval is None:
        return None
    advice = "give optimizer.l2 above 0, or remove the key"
    return Conflict(("optimizer", "l2_interval"), "has no use without l2", advice)


def _decay_too_strong(config: Config) -> Conflict | None:
    optimizer = config.optimizer
    rate = optimizer.learning_rate or config.model.default_learning_rates[optimizer.type]
    if rate * optimizer.l2 < 1:
        return None
    problem = f"each step takes learning_rate * l2 = {rate * optimizer.l2:g} of every weight away"
    return Conflict(("optimizer", "l2"), problem, f"expected less than {1 / rate:g} at this rate")


def _patience_unused(config: Config) -> Conflict | None:
    if config.training.patience is None or config.data.validation is not None:
        return None
    advice = "give data.validation, or remove the key"
    return Conflict(("training", "patience"), "has no use without a validation split", advice)


def _nothing_to_train_on(config: Config) -> Conflict | None:
    shares = [config.data.validation, config.data.test]
    held_out = sum(share for share in shares if isinstance(share, float))
    if held_out < 1:
        return None
    problem = f"validation and test hold out {held_out:g} of the lines, and leave none to train on"
    return Conflict(("data", "test"), problem, "expected a sum below 1")


def _diagnostics_unused(config: Config) -> Conflict | None:
    if config.diagnostics is None or config.objective.sampled:
        return None
    problem = f"objective {config.objective.type} samples no gradient to compare"
    return Conflict(("diagnostics",), problem, "remove the section, or --set diagnostics=null")


Check = Callable[[Config], Conflict | None]

#: Each check with the keys that it reads: it is left out while one of them has a mistake.
CHECKS: dict[Check, tuple[str, ...]] = {
    _sampler_unused: ("objective",),
    _resampling_shared: ("objective", "sampler"),
    _decay_interval_unused: ("optimizer",),
    _decay_too_strong: ("optimizer", "model"),
    _patience_unused: ("training", "data"),
    _nothing_to_train_on: ("data",),
    _diagnostics_unused: ("diagnostics", "objective"),
}


def conflicts(config: Config, wrong: Collection[str] = ()) -> Iterator[Conflict]:
    """Yield what does not fit together.

    Parameters
    ----------
    config : Config
    wrong : collection of str
        Top-level keys that have a mistake of their own, and whose values are not to be read.
    """
    for check, needed in CHECKS.items():
        if not set(needed) & set(wrong) and (conflict := check(config)):
            yield conflict
