"""A quadratic kernel of the scores, drawn from by a tree over the class vectors."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain.samplers.class_tree import ClassTreeProposal

Float32 = NDArray[np.float32]


class Quadratic(ClassTreeProposal):
    """``q(j | x) ~ count_j^power (alpha (h . v_j + offset)^2 + 1)``.

    Blanc and Rendle (2018), "Adaptive sampled softmax with kernel based sampling", section 3.3, is
    power 0, offset 0 and alpha 100. With offset 1 and alpha 1 the kernel is twice the second-order
    expansion of exp(h . v_j), so that it tells high scores from low ones.
    """

    type: Literal["quadratic"] = "quadratic"
    #: The weight of the squared score beside a constant of 1.
    alpha: float = Field(1.0, gt=0, le=1e6)
    #: What is added to a score before it is squared.
    offset: float = Field(1.0, ge=0, le=1e3)

    #: Each class's kernel is at least 1.
    floor: ClassVar[float] = 1.0

    @property
    def scale(self) -> float:
        """The weight of the squared score."""
        return self.alpha

    def of_classes(self, vectors: Float32) -> Float32:
        """Return the vectors with a 1 appended."""
        return np.column_stack([vectors, np.ones(len(vectors), np.float32)])

    def of_examples(self, pooled: Float32) -> Float32:
        """Return the vectors with the offset appended."""
        return np.column_stack([pooled, np.full(len(pooled), self.offset, np.float32)])
