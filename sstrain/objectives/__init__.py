"""Losses of the scores: one a file, one line each in the table below."""

from typing import TYPE_CHECKING

from sstrain.objectives.base import Objective
from sstrain.objectives.exact import Exact
from sstrain.objectives.importance import Importance
from sstrain.section import one_of

__all__ = ["OBJECTIVES", "Objective", "ObjectiveSection"]

OBJECTIVES: dict[str, type[Objective]] = {
    "exact": Exact,
    "importance": Importance,
}

if TYPE_CHECKING:
    ObjectiveSection = Objective
else:
    ObjectiveSection = one_of(OBJECTIVES.values())
