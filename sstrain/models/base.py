"""What every weight layout has in common."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sstrain.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sstrain.data.batches import Batch
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.kernels import Candidates, Partials
    from sstrain.models.averaging import Tensor
    from sstrain.optim.base import Optimizer

__all__ = ["ForwardPass", "Layout", "Model", "Scores"]

Float32 = NDArray[np.float32]


class Scores(NamedTuple):
    """Scores of a sampled step."""

    targets: Float32  # [B]
    candidates: Float32  # [B, K]


class ForwardPass(NamedTuple):
    """Scores of an exact step, kept as exponentials relative to their block's largest score."""

    target_scores: Float32  # [B]
    exponentials: Float32  # [B, V]
    partials: "Partials"


class Model(Section):
    """A weight layout, by its name and its own keys."""

    type: str
    bias_init: Literal["log_prior", "zeros"] = "log_prior"

    #: The learning rate for each update rule where the config names none, as tried on KJV.
    default_learning_rates: ClassVar[dict[str, float]]

    @abstractmethod
    def build(self, vocabulary: "Vocabulary", optimizer: "Optimizer") -> "Layout":
        """Return the model before the first step."""

    @abstractmethod
    def memory(self, num_features: int, num_classes: int, optimizer: "Optimizer") -> dict[str, int]:
        """Return the bytes of each part that training holds."""


class Layout(Protocol):
    """A model's weights with their optimiser state, and what a step does to them.

    ``rate`` is the step's learning rate. Updates return how many rows of weights (or blocks of
    them) are no longer finite.
    """

    def score(self, batch: "Batch", candidates: "Candidates", hits: NDArray[np.int32]) -> Scores:
        """Score targets and candidates; ``hits`` are the targets' places among them, or -1."""

    def update(
        self,
        batch: "Batch",
        candidates: "Candidates",
        hits: NDArray[np.int32],
        d_scores: Scores,
        rate: float,
    ) -> int:
        """Apply a score gradient of targets and candidates."""

    def forward(self, batch: "Batch") -> ForwardPass:
        """Score all classes for an exact step."""

    def update_all(
        self,
        batch: "Batch",
        forward: ForwardPass,
        log_partitions: NDArray[np.float64],
        rate: float,
    ) -> int:
        """Apply the exact gradient; the pass's exponentials are used up."""

    def score_all(self, batch: "Batch", averaged: bool = True) -> Float32:
        """Return the scores of all classes, float32 [B, V], by the average if there is one.

        With ``averaged=False`` they are those of the live weights, which steps work on.
        """

    def sweep(self, factor: float) -> int:
        """Multiply all weights but the bias by the pending decay."""

    def count_averaged_step(self) -> None:
        """Begin a step that the average takes in."""

    def tensors(self) -> "Mapping[str, Mapping[str, Tensor]]":
        """Return what a checkpoint keeps, by part: ``model`` and ``optimizer``."""

    def live_arrays(self, averaged_steps: int) -> "Mapping[str, Mapping[str, Float32]]":
        """Return the arrays that a checkpoint is read into, by part and by the names it uses.

        ``averaged_steps`` is the number of steps that the checkpoint's average has taken in.
        """

    @property
    def averaged_steps(self) -> int:
        """The number of steps that the average has taken in."""
