"""What every proposal distribution and every sampler section has in common."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain.section import Interval, Section

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.dataset import Dataset
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.kernels import Candidates
    from sstrain.models.base import ClassVectors, Layout

__all__ = [
    "DataSize",
    "Drawing",
    "EachSharing",
    "NumSamples",
    "Proposal",
    "Sampler",
    "SectionType",
    "Setting",
    "Sharing",
    "State",
]

SectionType = type[Section]
#: Arrays by name, as a checkpoint keeps them.
State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Setting:
    """What a sampler is made for.

    Attributes
    ----------
    vocabulary : Vocabulary
    dataset : Dataset or None
        The training split; None where nothing is fitted to it any more (a model that is loaded).
    model : Layout or None
        The model that is trained; None where the proposal is only checked.
    batch_size : int
    seed : int
        Of the run.
    excludes_targets : bool
        Whether an example's own target is never drawn.
    """

    vocabulary: "Vocabulary"
    dataset: "Dataset | None"
    model: "Layout | None"
    batch_size: int
    seed: int
    excludes_targets: bool = False

    @property
    def class_vectors(self) -> "ClassVectors":
        """The model, which has class vectors: a proposal that needs them is refused without."""
        assert self.model is not None
        return cast("ClassVectors", self.model)

    def in_steps(self, interval: Interval) -> int:
        """Return an interval of training, one step at least."""
        num_examples = 0 if self.dataset is None else self.dataset.num_examples
        return max(1, interval.in_steps(-(-num_examples // self.batch_size)))


class DataSize(NamedTuple):
    """What the size of a sampler depends on."""

    num_features: int  # D
    num_classes: int  # V
    num_examples: int  # of training
    num_entries: int  # non-zeros of all training examples
    vector_size: int  # of a class's vector in the model; 0 if it has none
    batch_size: int  # B


class Sampler(ABC):
    """A proposal, ready to draw the candidates of a run's steps.

    Parameters
    ----------
    section : a sampler section of a config
        Resolved.
    setting : Setting
    """

    def __init__(self, section: "SamplerSection", setting: Setting) -> None:
        self.section = section
        self.setting = setting

    @abstractmethod
    def draw(self, batch: "Batch", seed: int, epoch: int, step: int) -> "Candidates":
        """Draw the candidates of one step: a pure function of (seed, epoch, step or example).

        Returns
        -------
        Candidates
            One group where the batch shares them, else one an example; valid until the next call.
        """

    @abstractmethod
    def log_prob(self, batch: "Batch") -> NDArray[np.float64]:
        """Return log q of every class, for each example or once for all: float64 [1 or B, V]."""

    @abstractmethod
    def tensors(self) -> State:
        """Return the arrays that a checkpoint keeps, and `Proposal.sampler` makes it of again."""

    def refresh(self, step: int) -> None:
        """Follow the weights, before the step of this number (from 0) is taken."""
        return

    def observe(self, batch: "Batch") -> None:
        """Take in a batch, after the step that it was trained on."""
        return

    def for_replicates(self) -> "Sampler":
        """Return a sampler of the same law whose draws for one batch differ with the seed."""
        return self


class Proposal(Section):
    """A proposal distribution q, by its name and its own keys.

    A new one is a file with a subclass, its kernels under the same name, and a line in the table of
    `sstrain.samplers`.
    """

    type: str

    #: The keys that say how candidates are shared and repeated.
    sharing: ClassVar[SectionType]
    #: The key that says how many are drawn.
    counting: ClassVar[SectionType]
    #: Whether q is another for each example.
    depends_on_example: ClassVar[bool] = False
    #: Whether q changes while a run trains.
    changes: ClassVar[bool] = False
    #: Whether it draws by a vector for each class, which not every layout of weights has.
    needs_class_vectors: ClassVar[bool] = False
    #: Whether each example's own target is among its candidates by construction.
    holds_targets: ClassVar[bool] = False

    def files(self) -> tuple[str, ...]:
        """Return the files that q is read from, so that a run can tell if they have changed."""
        return ()

    def check(self, setting: Setting) -> None:
        """Refuse data that the proposal cannot serve, before anything is fitted or drawn.

        Raises
        ------
        UserError
        """
        return

    @abstractmethod
    def memory_bytes(self, size: DataSize) -> int:
        """Return about how many bytes the sampler takes, at most."""

    @abstractmethod
    def fit(self, setting: Setting) -> State:
        """Return the sampler's state before the first step, fitted to the training rows.

        Raises
        ------
        UserError
            If the proposal cannot serve the data.
        """

    @abstractmethod
    def sampler(self, state: State, setting: Setting) -> Sampler:
        """Return what draws, from a state of `fit` or of a checkpoint; it takes the arrays over."""


class Sharing(Section):
    """How candidates are drawn, whatever the proposal and their number."""

    share: Literal["batch", "example"] = "batch"
    #: Whether a class may be drawn twice; by default as the objective needs it.
    replacement: bool | None = None

    def resolved(self, replacement: bool, batch_size: int) -> Self:
        """Return the section with every default written out that depends on other sections.

        Parameters
        ----------
        replacement : bool
            Whether the objective is made for independent draws.
        batch_size : int
        """
        if self.replacement is not None:
            return self
        return self.model_copy(update={"replacement": replacement})


class EachSharing(Sharing):
    """How candidates are drawn whose q depends on the example: for each of its own."""

    share: Literal["example"] = "example"


class NumSamples(Section):
    """How many candidates are drawn."""

    num_samples: int = Field(64, ge=1)


class Drawing(Sharing, NumSamples):
    """How candidates are drawn, whatever the proposal."""


Proposal.sharing = Sharing
Proposal.counting = NumSamples

if TYPE_CHECKING:

    class SamplerSection(Drawing, Proposal):
        """A ``sampler:`` section of a config: a proposal's keys and the drawing keys."""
