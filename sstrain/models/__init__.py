"""Weight layouts: one a file, one line each in the table below."""

from typing import TYPE_CHECKING

from sstrain.models.base import Model
from sstrain.models.dense import Dense
from sstrain.models.hashed import Hashed
from sstrain.models.low_rank import LowRank
from sstrain.models.sparse import Sparse
from sstrain.section import one_of

__all__ = ["MODELS", "Model", "ModelSection"]

MODELS: dict[str, type[Model]] = {
    "dense": Dense,
    "hashed": Hashed,
    "low_rank": LowRank,
    "sparse": Sparse,
}

if TYPE_CHECKING:
    ModelSection = Model
else:
    ModelSection = one_of(MODELS.values())
