"""What must hold between a stage's own keys, and between stages and the run."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from sstrain.config.conflict import Check, Conflict
from sstrain.config.sections import Config, Stage
from sstrain.config.stages import stage_configs
from sstrain.config.tree import Key, dotted
from sstrain.samplers import own_keys

__all__ = ["stage_conflicts"]


def _epochs_differ(config: Config) -> Iterator[Conflict]:
    training = config.training
    total = sum(stage.epochs for stage in training.stages or ())
    if "epochs" in training.model_fields_set and training.epochs != total:
        advice = "remove the key: a run is as long as its stages"
        yield Conflict(("training", "epochs"), f"the stages have {total} epochs together", advice)


def _meaning_changes(config: Config) -> Iterator[Conflict]:
    """Refuse scores that lack log q before or after others that do not, or that lack another q."""
    configs = stage_configs(config)
    lacking = [_lacking(run) for run in configs]
    for number, (before, after) in enumerate(pairwise(lacking), start=1):
        if before != after:
            first, second = (run.objective.type for run in configs[number - 1 : number + 1])
            has, has_not = (first, second) if before is not None else (second, first)
            rest = "another q follows" if has == has_not else f"{has_not} does not"
            problem = f"{has} learns scores less log q, and {rest}"
            at: Key = ("training", "stages", number)
            advice = "expected one objective of that kind with one sampler in all stages, or none"
            yield Conflict(at, problem, advice)
            return


def _lacking(run: Config) -> dict[str, Any] | None:
    """Return the proposal whose log q the scores lack; None if they lack none."""
    objective, sampler = run.objective, run.sampler
    if not objective.shifts_by_log_q:
        return None
    return {} if sampler is None else own_keys(sampler)


def _counted_twice(stage: Stage, config: Config) -> Conflict | None:
    if stage.num_samples is None or stage.sampler is None:
        return None
    if "num_samples" not in stage.sampler.model_fields_set:
        return None
    problem = f"sampler.num_samples of the stage is {stage.sampler.num_samples}"
    return Conflict(("num_samples",), problem, "keep one of the two")


def _samples_unused(stage: Stage, config: Config) -> Conflict | None:
    if stage.num_samples is None or config.objective.sampled:
        return None
    problem = f"objective {config.objective.type} draws no samples"
    return Conflict(("num_samples",), problem, "remove the key")


def _warmup_unused(stage: Stage, config: Config) -> Conflict | None:
    optimizer = stage.optimizer
    if optimizer is None or optimizer.warmup is None or optimizer.schedule is not None:
        return None
    problem = "has no use without a schedule of the stage's own: the run's goes on"
    return Conflict(("optimizer", "warmup"), problem, "give schedule, or remove the key")


_OWN_CHECKS: tuple[Callable[[Stage, Config], Conflict | None], ...] = (
    _counted_twice,
    _samples_unused,
    _warmup_unused,
)


def stage_conflicts(
    config: Config, checks: Mapping[Check, Iterable[str]], wrong: Collection[str]
) -> Iterator[Conflict]:
    """Yield what does not fit together in one stage, at its key if it has a part in it.

    Parameters
    ----------
    config : Config
        With stages.
    checks : mapping of check to keys
        What must hold in the config of a run, with the top-level keys that it reads.
    wrong : collection of str
        Top-level keys that have a mistake of their own, and whose values are not to be read.
    """
    yield from _epochs_differ(config)
    if not {"objective", "sampler"} & set(wrong):
        yield from _meaning_changes(config)
    # What the run's mistakes hide is not read, but must be there.
    names = {"objective", "sampler", "optimizer"} & set(wrong)
    config = config.model_copy(update={name: Config.model_fields[name].default for name in names})
    told: set[Conflict] = set()
    stages = config.training.stages or ()
    for number, (stage, run) in enumerate(zip(stages, stage_configs(config), strict=True)):
        at: Key = ("training", "stages", number)
        own = _own_sections(stage)
        hidden = set(wrong) - (own - {"optimizer"})
        if "objective" not in hidden:
            found = filter(None, (check(stage, run) for check in _OWN_CHECKS))
            yield from (_inside(at, conflict) for conflict in found)
        for check, needed in checks.items():
            if hidden.isdisjoint(needed) and (conflict := check(run)):
                conflict = conflict if own.isdisjoint(needed) else _inside(at, conflict)
                if conflict not in told:
                    told.add(conflict)
                    yield conflict


def _own_sections(stage: Stage) -> set[str]:
    """Return the top-level keys that a stage gives values of its own."""
    own = {name for name in ("objective", "sampler", "optimizer") if getattr(stage, name)}
    return own if stage.num_samples is None else {*own, "sampler"}


def _inside(stage: Key, conflict: Conflict) -> Conflict:
    """Return a conflict of a stage's config where the run's file has it."""
    advice = conflict.advice.replace("--set ", f"--set {dotted(stage)}.")
    return Conflict((*stage, *conflict.key), conflict.problem, advice)
