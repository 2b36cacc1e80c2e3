"""What must hold between sections that are valid by themselves."""

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from sstrain.config.sections import Config
from sstrain.config.tree import Key
from sstrain.objectives.base import SampledObjective
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


def _no_class_vectors(config: Config) -> Conflict | None:
    sampler, model = config.sampler, config.model
    if sampler is None or not sampler.needs_class_vectors or model.class_vector_size:
        return None
    problem = f"{sampler.type} draws by a vector for each class, which a {model.type} model has not"
    advice = "expected model.type low_rank, or another sampler, as unigram"
    return Conflict(("sampler", "type"), problem, advice)


def _hits_always(config: Config) -> Conflict | None:
    sampler, objective = config.sampler, config.objective
    if sampler is None or not sampler.holds_targets or not isinstance(objective, SampledObjective):
        return None
    if not objective.keeps_hits:
        return None
    problem = (
        f"{sampler.type} has each example's own target among its candidates, which objective "
        f"{objective.type} would take for draws of noise"
    )
    return Conflict(("sampler", "type"), problem, "expected unigram, or objective importance")


def _distinct_draws(config: Config) -> Conflict | None:
    sampler, objective = config.sampler, config.objective
    if sampler is None or not isinstance(objective, SampledObjective):
        return None
    if sampler.replacement is not False or not objective.needs_replacement:
        return None
    problem = f"objective {objective.type} needs independent draws"
    return Conflict(("sampler", "replacement"), problem, "expected true")


def _moving_shift(config: Config) -> Conflict | None:
    sampler, objective = config.sampler, config.objective
    if sampler is None or not isinstance(objective, SampledObjective):
        return None
    if not (sampler.changes and objective.shifts_by_log_q):
        return None
    problem = (
        f"objective {objective.type} learns scores less log q, and the q of {sampler.type} changes "
        "while it trains"
    )
    return Conflict(("sampler", "type"), problem, "expected a q that stays, as unigram")


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
    _no_class_vectors: ("model", "sampler"),
    _hits_always: ("objective", "sampler"),
    _distinct_draws: ("objective", "sampler"),
    _moving_shift: ("objective", "sampler"),
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
