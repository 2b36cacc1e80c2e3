"""What must hold between sections that are valid by themselves."""

from collections.abc import Collection, Iterator

from sstrain.config.conflict import Check, Conflict
from sstrain.config.sections import Config
from sstrain.config.stage_checks import stage_conflicts
from sstrain.config.stages import stage_configs
from sstrain.objectives.base import SampledObjective
from sstrain.objectives.importance import Importance
from sstrain.objectives.umax import Umax
from sstrain.samplers import is_auto
from sstrain.samplers.in_batch import InBatch

__all__ = ["CHECKS", "Conflict", "conflicts"]


def _sampler_unused(config: Config) -> Conflict | None:
    if config.objective.sampled or config.sampler is None:
        return None
    advice = "remove the section, or --set sampler=null"
    return Conflict(("sampler",), f"objective {config.objective.type} draws no samples", advice)


def _resampling_shared(config: Config) -> Conflict | None:
    objective = config.objective
    if not isinstance(objective, Importance) or objective.accidental_hits != "resample":
        return None
    if config.sampler is not None and (
        config.sampler.share == "example" or config.sampler.holds_targets
    ):
        return None
    if is_auto(config.sampler):
        problem = "auto tries draws that a batch shares, which cannot leave out each one's target"
        return Conflict(("objective", "accidental_hits"), problem, "expected drop, or a sampler")
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


def _hits_of_batch(config: Config) -> Conflict | None:
    sampler, objective = config.sampler, config.objective
    if sampler is None or not sampler.holds_targets or not isinstance(objective, SampledObjective):
        return None
    if objective.keeps_hits or getattr(objective, "accidental_hits", "drop") == "drop":
        return None
    problem = f"{sampler.type} has each example's own target among its candidates"
    return Conflict(("objective", "accidental_hits"), problem, "expected drop")


def _too_few_in_batch(config: Config) -> Conflict | None:
    sampler, others = config.sampler, config.training.batch_size - 1
    if not isinstance(sampler, InBatch):
        return None
    if others == 0:
        problem = "in_batch takes the targets of the batch's other examples, and there are none"
        advice = "expected training.batch_size of 2 or more, or another sampler, as unigram"
        return Conflict(("sampler", "type"), problem, advice)
    if (sampler.num_samples or others) > others:
        problem = f"{sampler.num_samples} samples are more than the {others} others of a batch"
        advice = f"expected at most {others}, a greater training.batch_size, or unigram"
        return Conflict(("sampler", "num_samples"), problem, advice)
    if sampler.share == "batch" and (sampler.num_samples or others) < others:
        problem = f"a batch that shares its targets has {others} for each example"
        return Conflict(("sampler", "share"), problem, "expected example, or no num_samples")
    return None


def _choice_by_error(config: Config) -> Conflict | None:
    objective = config.objective
    if not is_auto(config.sampler) or not isinstance(objective, SampledObjective):
        return None
    if objective.estimates_partition:
        return None
    problem = (
        f"auto chooses by the error of the gradient, and that of objective {objective.type} is of "
        "another loss than the exact one's"
    )
    return Conflict(("sampler", "type"), problem, "expected objective importance, or a sampler")


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


def _implicit_step(config: Config) -> Conflict | None:
    objective = config.objective
    if not isinstance(objective, Umax) or not objective.implicit:
        return None
    if config.optimizer.type == "sgd" and config.model.type == "dense":
        return None
    problem = (
        "an implicit step is known for plain SGD on a weight for each feature and class; got "
        f"optimizer.type {config.optimizer.type} and model.type {config.model.type}"
    )
    return Conflict(("objective", "implicit"), problem, "expected sgd and dense, or false here")


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
    objectives = [stage.objective for stage in stage_configs(config)]
    if config.diagnostics is None or any(objective.sampled for objective in objectives):
        return None
    problem = f"objective {objectives[0].type} samples no gradient to compare"
    return Conflict(("diagnostics",), problem, "remove the section, or --set diagnostics=null")


def _choice_beside_stages(config: Config) -> Conflict | None:
    if config.training.stages is None or not is_auto(config.sampler):
        return None
    problem = "auto chooses one sampler for a whole run, which stages are not trained by"
    return Conflict(("sampler", "type"), problem, "expected a sampler, as unigram")


def _sampler_of_no_stage(config: Config) -> Conflict | None:
    stages = config.training.stages
    if stages is None or config.sampler is None or is_auto(config.sampler):
        return None
    # A stage whose own section has no type takes the run's keys, so that having one is no mistake.
    if any((stage.objective or config.objective).sampled for stage in stages):
        return None
    problem = "no stage draws samples"
    return Conflict(("sampler",), problem, "remove the section, or --set sampler=null")


#: Each check with the keys that it reads: it is left out while one of them has a mistake. These are
#: of what a stage may have otherwise, and made for each stage where there are any.
CHECKS: dict[Check, tuple[str, ...]] = {
    _sampler_unused: ("objective",),
    _resampling_shared: ("objective", "sampler"),
    _no_class_vectors: ("model", "sampler"),
    _hits_always: ("objective", "sampler"),
    _hits_of_batch: ("objective", "sampler"),
    _too_few_in_batch: ("sampler", "training"),
    _choice_by_error: ("objective", "sampler"),
    _distinct_draws: ("objective", "sampler"),
    _moving_shift: ("objective", "sampler"),
    _implicit_step: ("objective", "optimizer", "model"),
    _decay_interval_unused: ("optimizer",),
    _decay_too_strong: ("optimizer", "model"),
}

#: As above, but of the run as a whole.
_RUN_CHECKS: dict[Check, tuple[str, ...]] = {
    _patience_unused: ("training", "data"),
    _nothing_to_train_on: ("data",),
    _diagnostics_unused: ("diagnostics", "objective", "training"),
    _choice_beside_stages: ("sampler", "training"),
    _sampler_of_no_stage: ("objective", "sampler", "training"),
}


def conflicts(config: Config, wrong: Collection[str] = ()) -> Iterator[Conflict]:
    """Yield what does not fit together.

    Parameters
    ----------
    config : Config
    wrong : collection of str
        Top-level keys that have a mistake of their own, and whose values are not to be read.
    """
    staged = "training" not in wrong and config.training.stages
    if staged:
        yield from stage_conflicts(config, CHECKS, wrong)
    for check, needed in (_RUN_CHECKS if staged else {**CHECKS, **_RUN_CHECKS}).items():
        if not set(needed) & set(wrong) and (conflict := check(config)):
            yield conflict
