"""Losses of the scores: one a file, one line each in the table below."""

from typing import TYPE_CHECKING

from sstrain.objectives.base import Objective, SampledObjective
from sstrain.objectives.exact import Exact
from sstrain.objectives.importance import Importance
from sstrain.section import one_of

__all__ = ["OBJECTIVES", "Objective", "ObjectiveSection", "SampledObjectiveSection"]

OBJECTIVES: dict[str, type[Objective]] = {
    "exact": Exact,
    "importance": Importance,
}

if TYPE_CHECKING:
    ObjectiveSection = Objective
    SampledObjectiveSection = SampledObjective
else:
    ObjectiveSection = one_of(OBJECTIVES.values())
    SampledObjectiveSection = one_of(kind for kind in OBJECTIVES.values() if kind.sampled)
