"""What every layout does by itself with its parameters and its scratch arrays."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.buffers import Buffers
from sstrain.models.averaging import Tensor
from sstrain.models.base import Description, ForwardPass
from sstrain.models.parameters import Parameters

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.dataset import Dataset
    from sstrain.kernels import Candidates, Touched

__all__ = ["Parametric"]


class Parametric:
    """The part of a `Layout` that does not depend on how scores come from parameters.

    Parameters
    ----------
    parameters : Parameters
        ``bias``, float32 [V], among them.

    Attributes
    ----------
    parameters : Parameters
    buffers : Buffers
        Of the steps.
    num_classes : int
        V.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.buffers = Buffers()
        self.num_classes = len(self.bias)
        self.place_of_class = np.full(self.num_classes, -1, np.int32)
        self._found: tuple[Batch, Candidates, Touched] | None = None

    @property
    def bias(self) -> NDArray[np.float32]:
        """The bias, float32 [V]."""
        return self.parameters["bias"].values

    def describe(self, dataset: "Dataset") -> Description | None:
        """Return nothing: every parameter has its place."""
        return None

    def touched(
        self, batch: "Batch", candidates: "Candidates", hits: NDArray[np.int32]
    ) -> "Touched":
        """Return the classes that a step with shared candidates changes.

        An update asks for what was found when the same candidates were scored.
        """
        if self._found is not None and self._found[0] is batch and self._found[1] is candidates:
            return self._found[2]
        touched = kernels.Touched(
            self.buffers.int32("touched", int(candidates.counts[0]) + batch.size),
            self.buffers.int32("target_places", batch.size),
        )
        number = kernels.touched_classes(
            candidates, batch.targets, hits, self.place_of_class, touched
        )
        found = touched._replace(classes=touched.classes[:number])
        self._found = batch, candidates, found
        return found

    @property
    def num_blocks(self) -> int:
        """The number of blocks of classes."""
        return -(-self.num_classes // kernels.BLOCK)

    def forward_pass(self, size: int, *shape: int) -> ForwardPass:
        """Return what the scores of an exact step on so many examples are written into.

        Exponentials have the shape that the model gives.
        """
        num_blocks = self.num_blocks
        return ForwardPass(
            self.buffers.float32("target_scores", size),
            self.buffers.float32("exponentials", *shape),
            kernels.Partials(
                self.buffers.float32("highest", num_blocks, size),
                self.buffers.float64("total", num_blocks, size),
            ),
        )

    def sweep(self, factor: float, key: int) -> int:
        """Multiply all weights but the bias by the pending decay; return the bad parts."""
        return self.parameters.sweep(factor, key)

    def count_averaged_step(self) -> None:
        """Begin a step that the average takes in."""
        self.parameters.count_averaged_step()

    @property
    def averaged_steps(self) -> int:
        """The number of steps that the average has taken in."""
        return self.parameters.averaged_steps

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Return what a checkpoint keeps, by part: ``model`` and ``optimizer``."""
        return self.parameters.tensors()

    def live_arrays(self, averaged_steps: int) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the arrays that a checkpoint is read into, by part and by the names it uses."""
        return self.parameters.live_arrays(averaged_steps)
