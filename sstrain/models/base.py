"""What every weight layout has in common."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, create_model

from sstrain.models.parameters import DType
from sstrain.section import FilePath, Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sstrain.data.batches import Batch
    from sstrain.data.dataset import Dataset
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.kernels import Candidates, Partials
    from sstrain.models.averaging import Tensor
    from sstrain.optim.base import Optimizer

__all__ = [
    "ClassVectors",
    "Description",
    "ForwardPass",
    "Layout",
    "Matching",
    "Model",
    "Scores",
    "StepContext",
    "StepShape",
]

Float32 = NDArray[np.float32]


class Scores(NamedTuple):
    """Scores of a sampled step."""

    targets: Float32  # [B]
    candidates: Float32  # [B, K]


class ForwardPass(NamedTuple):
    """Scores of an exact step, kept as exponentials relative to their block's largest score."""

    target_scores: Float32  # [B]
    exponentials: Float32  # [B, V], or as the model needs it
    partials: "Partials"


class StepContext(NamedTuple):
    """What a step's place in the run decides."""

    rate: float  # the learning rate
    key: int  # of the step's random streams: dropout, rounding


class StepShape(NamedTuple):
    """What the size of a step's scratch arrays depends on."""

    batch_size: int
    entries: int  # non-zeros of a batch
    num_samples: int | None  # None for the exact gradient
    shared: bool  # whether the batch shares its candidates
    threads: int


class Matching(NamedTuple):
    """Where each feature and class of a new model stood in an older one, or -1."""

    features: NDArray[np.int64]  # [D]
    classes: NDArray[np.int64]  # [V]


class Description(NamedTuple):
    """What a layout has to tell of the data that it is trained on."""

    key: str  # its name in what programs read
    figures: dict[str, int | float]
    text: str  # a line for a person


if TYPE_CHECKING:
    _WarmStart = Section
else:
    # "from" is no name that a class body can give.
    _WarmStart = create_model(
        "_WarmStart", __base__=Section, **{"from": (FilePath | None, Field(None))}
    )


class Model(_WarmStart):
    """A weight layout, by its name and its own keys."""

    type: str
    bias_init: Literal["log_prior", "zeros"] = "log_prior"
    #: How weights are stored; they are computed with in float32. bfloat16 takes half the memory.
    dtype: DType = "float32"

    #: The learning rate for each update rule where the config names none, as tried on KJV.
    default_learning_rates: ClassVar[dict[str, float]]
    #: The layouts, beside its own, whose weights it can take over (key ``from``).
    sources: ClassVar[tuple[str, ...]] = ()
    #: The keys that decide its size and values to offer for them, the largest model first.
    sizes: ClassVar[dict[str, tuple[Any, ...]]] = {}

    @property
    def source_run(self) -> str | None:
        """The run that weights are taken over from (key ``from``), or None."""
        run: str | None = getattr(self, "from")
        return run

    @property
    def class_vector_size(self) -> int:
        """The size of the vector that it has for each class; 0 for a layout that has none."""
        return 0

    #: Whether more features or classes take more memory.
    grows_with_data: ClassVar[bool] = True

    def default_accumulator(self, batch_size: int) -> float:
        """Return the ``initial_accumulator`` where the config gives none.

        What an accumulator of 1 is to the sum over a batch, 1 / batch_size^2 is to its mean.
        """
        return 1 / batch_size**2

    def resolved(self, optimizer: "Optimizer") -> "Model":
        """Return the section with every default written out that depends on the update rule."""
        return self

    def check(self, num_features: int, num_classes: int) -> None:
        """Refuse data that the layout cannot serve.

        Raises
        ------
        UserError
        """
        return

    @abstractmethod
    def allocate(self, num_features: int, num_classes: int, optimizer: "Optimizer") -> "Layout":
        """Return the model with all weights 0."""

    @abstractmethod
    def memory_bytes(
        self, num_features: int, num_classes: int, optimizer: "Optimizer"
    ) -> dict[str, int]:
        """Return the bytes of each part that training holds: weights, optimizer, averaging."""

    @abstractmethod
    def step_bytes(self, num_features: int, num_classes: int, shape: StepShape) -> int:
        """Return the bytes of a step's scratch arrays."""


class ClassVectors(Protocol):
    """A layout whose scores are products of a vector for the example and one for the class."""

    def class_vectors(self, averaged: bool = True) -> tuple[Float32, Float32]:
        """Return the classes' vectors, float32 [V, r], and biases [V]."""

    def pooled(self, batch: "Batch", averaged: bool = True) -> Float32:
        """Return the examples' vectors, float32 [B, r]; valid until the next call."""


class Layout(Protocol):
    """A model's weights with their optimiser state, and what a step does to them.

    Updates return how many rows of weights (or blocks of them) are no longer finite.
    """

    def initialise(self, vocabulary: "Vocabulary", seed: int) -> None:
        """Set the weights to those before the first step."""

    def take_over(self, old: Any, matching: Matching) -> None:
        """Take the weights of matching features and classes from another model of this layout."""

    def weights(self, features: NDArray[np.int64], classes: NDArray[np.int64]) -> Float32:
        """Return the weight of each pair of a feature and a class, as scores add it."""

    def describe(self, dataset: "Dataset") -> Description | None:
        """Return what there is to tell of the training data in this layout, if anything."""

    def score(
        self,
        batch: "Batch",
        candidates: "Candidates",
        hits: NDArray[np.int32],
        context: StepContext,
    ) -> Scores:
        """Score targets and candidates; ``hits`` are the targets' places among them, or -1."""

    def update(
        self,
        batch: "Batch",
        candidates: "Candidates",
        hits: NDArray[np.int32],
        d_scores: Scores,
        context: StepContext,
    ) -> int:
        """Apply a score gradient of targets and candidates that the same batch was scored for."""

    def forward(self, batch: "Batch", context: StepContext) -> ForwardPass:
        """Score all classes for an exact step."""

    def update_all(
        self,
        batch: "Batch",
        forward: ForwardPass,
        log_partitions: NDArray[np.float64],
        context: StepContext,
    ) -> int:
        """Apply the exact gradient; the pass's exponentials are used up."""

    def score_all(self, batch: "Batch", averaged: bool = True) -> Float32:
        """Return the scores of all classes, float32 [B, V], by the average if there is one.

        With ``averaged=False`` they are those of the live weights, which steps work on.
        """

    def sweep(self, factor: float, key: int) -> int:
        """Multiply all weights but the bias by the pending decay."""

    def count_averaged_step(self) -> None:
        """Begin a step that the average takes in."""

    def tensors(self) -> "Mapping[str, Mapping[str, Tensor]]":
        """Return what a checkpoint keeps, by part: ``model`` and ``optimizer``."""

    def live_arrays(self, averaged_steps: int) -> "Mapping[str, Mapping[str, NDArray[Any]]]":
        """Return the arrays that a checkpoint is read into, by part and by the names it uses.

        ``averaged_steps`` is the number of steps that the checkpoint's average has taken in.
        """

    @property
    def averaged_steps(self) -> int:
        """The number of steps that the average has taken in."""
