"""A Gaussian kernel by random Fourier features, drawn from by a tree over the class vectors."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain.samplers.class_tree import ClassTreeProposal

Float32 = NDArray[np.float32]


class Rff(ClassTreeProposal):
    """``q(j | x)`` near ``count_j^power exp(nu cos(h, v_j))``, the cosine of the vectors' angle.

    Rawat et al. (2019), "Sampled softmax with random Fourier features", section 3, is power 0. A
    tree's nodes go by the random features; within a leaf the kernel itself is taken, which costs
    less and is never negative.
    """

    type: Literal["rff"] = "rff"
    #: Random frequencies, each of which gives a cosine and a sine.
    features: int = Field(128, ge=1, le=1 << 16)
    #: How sharply q follows the angle; the features' noise drowns values of exp(-nu).
    nu: float = Field(8.0, gt=0, le=30)

    #: Lower, and masses that noise makes small leave classes out; higher, and the nodes tell less.
    floor: ClassVar[float] = 0.01

    @property
    def scale(self) -> float:
        """The variance of the frequencies."""
        return self.nu

    @property
    def num_frequencies(self) -> int:
        """The number of random frequencies."""
        return self.features

    def of_classes(self, vectors: Float32) -> Float32:
        """Return the vectors at length 1."""
        return _unit(vectors)

    def of_examples(self, pooled: Float32) -> Float32:
        """Return the vectors at length 1; an example without features keeps its zeros."""
        return _unit(pooled)


def _unit(vectors: Float32) -> Float32:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    scales = np.where(lengths > 0, lengths, 1).astype(np.float32)
    return vectors / scales[:, np.newaxis]
