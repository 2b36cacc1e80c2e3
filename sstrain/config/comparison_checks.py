"""What must hold between the parts of a comparison that are valid by themselves."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from sstrain.config.checks import Conflict, conflicts
from sstrain.config.comparison import Comparison, describe_objective, describe_sampler
from sstrain.config.tree import Key
from sstrain.optim.schedules import NEEDS_LENGTH

__all__ = ["comparison_conflicts"]


def _listed_twice(
    name: str, describe: Callable[[Any], str], comparison: Comparison
) -> Iterator[Conflict]:
    """Yield the entries of a list that another one before them equals, or has the name of."""
    entries = getattr(comparison, name)
    first: dict[str, int] = {}
    for place, entry in enumerate(entries):
        text = describe(entry)
        other = first.setdefault(text, place)
        if other == place:
            continue
        if entries[other] != entry:
            problem = f"a report would call it {text}, as it does {name}.{other}"
            yield Conflict((name, place), problem, "give the file another name")
        else:
            resolved = "" if isinstance(entry, int) else f" after defaults ({text})"
            problem = f"listed twice, equal to {name}.{other}{resolved}"
            yield Conflict((name, place), problem, "remove one")


def _one_limit(comparison: Comparison) -> Iterator[Conflict]:
    if comparison.budget is None:
        return
    given = list(comparison.budget.model_dump(exclude_none=True))
    if len(given) != 1:
        advice = "expected one of epochs, examples or seconds"
        yield Conflict(("budget",), "more than one limit" if given else "no limit", advice)


def _schedule_needs_length(comparison: Comparison) -> Iterator[Conflict]:
    budget, schedule = comparison.budget, comparison.base.optimizer.schedule
    if budget is None or budget.seconds is None or schedule not in NEEDS_LENGTH:
        return
    problem = f"schedule {schedule} needs a run's length, which a budget in seconds has not"
    advice = "expected constant or inverse_sqrt, or a budget in epochs or examples"
    yield Conflict(("base", "optimizer", "schedule"), problem, advice)


def _no_validation(comparison: Comparison) -> Iterator[Conflict]:
    if comparison.base.data.validation is None:
        problem = "no validation data, by whose log-loss a comparison ranks"
        yield Conflict(("base", "data", "validation"), problem, "give a share or a source")


def _arms(comparison: Comparison) -> Iterator[Conflict]:
    """Yield what `sstrain train` would find in a cell, at the keys of the lists."""
    # A budget has no part in it, and may have a mistake of its own.
    comparison = comparison.model_copy(update={"budget": None})
    samplers: dict[tuple[Key, str, str], list[str]] = {}
    for i, objective in enumerate(comparison.objectives):
        for j, sampler in enumerate(comparison.samplers):
            lists: dict[str | int, Key] = {
                "objective": ("objectives", i),
                "sampler": ("samplers", j),
            }
            found = [
                ((*lists[key[0]], *key[1:]), problem, advice)
                for num_samples in comparison.num_samples
                for key, problem, advice in conflicts(
                    comparison.cell(objective, sampler, num_samples, 1)
                )
                if key[0] in lists
            ]
            for conflict in dict.fromkeys(found):
                samplers.setdefault(conflict, []).append(f"samplers.{j}")
    for (key, problem, advice), with_samplers in samplers.items():
        yield Conflict(key, f"{problem} ({', '.join(with_samplers)})", advice)


_NAMES: dict[str, Callable[[Any], str]] = {
    "objectives": describe_objective,
    "samplers": describe_sampler,
    "num_samples": str,
    "seeds": str,
}

#: Each check with the keys that it reads: it is left out while one of them has a mistake.
_CHECKS: dict[Callable[[Comparison], Iterator[Conflict]], tuple[str, ...]] = {
    _one_limit: ("budget",),
    _schedule_needs_length: ("budget", "base"),
    _no_validation: ("base",),
    _arms: ("objectives", "samplers", "num_samples"),
}


def comparison_conflicts(comparison: Comparison, wrong: Collection[str] = ()) -> Iterator[Conflict]:
    """Yield what does not fit together.

    Parameters
    ----------
    comparison : Comparison
    wrong : collection of str
        Top-level keys that have a mistake of their own, and whose values are not to be read.
    """
    for name, describe in _NAMES.items():
        if name not in wrong:
            yield from _listed_twice(name, describe, comparison)
    for check, needed in _CHECKS.items():
        if not set(needed) & set(wrong):
            yield from check(comparison)
