"""Losses of the scores: one a file, one line each in the table below."""

from typing import TYPE_CHECKING

from sstrain.objectives.base import Objective, SampledObjective
from sstrain.objectives.blackout import Blackout
from sstrain.objectives.exact import Exact
from sstrain.objectives.importance import Importance
from sstrain.objectives.nce import Nce
from sstrain.objectives.negative_sampling import NegativeSampling
from sstrain.objectives.one_vs_each import OneVsEach
from sstrain.objectives.sampled_softmax import SampledSoftmax
from sstrain.objectives.umax import Umax
from sstrain.section import one_of

__all__ = ["OBJECTIVES", "Objective", "ObjectiveSection", "SampledObjectiveSection"]

OBJECTIVES: dict[str, type[Objective]] = {
    "exact": Exact,
    "importance": Importance,
    "sampled_softmax": SampledSoftmax,
    "nce": Nce,
    "negative_sampling": NegativeSampling,
    "one_vs_each": OneVsEach,
    "blackout": Blackout,
    "umax": Umax,
}

if TYPE_CHECKING:
    ObjectiveSection = Objective
    SampledObjectiveSection = SampledObjective
else:
    ObjectiveSection = one_of(OBJECTIVES.values())
    SampledObjectiveSection = one_of(kind for kind in OBJECTIVES.values() if kind.sampled)
