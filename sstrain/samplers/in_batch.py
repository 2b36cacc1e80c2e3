"""The other targets of the batch."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain import kernels
from sstrain.errors import UserError
from sstrain.samplers.base import Sampler, SectionType, Setting, State
from sstrain.samplers.fixed import FixedProposal, FixedSampler
from sstrain.section import Section

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.kernels import BatchTargets
    from sstrain.samplers.base import SamplerSection


class InBatchSharing(Section):
    """How the targets of a batch are candidates of its examples."""

    #: All of them for the whole batch, or for each example those that follow its own in the batch;
    #: by default the batch's if that is as many as num_samples asks for.
    share: Literal["batch", "example"] | None = None

    #: A class is drawn as often as the batch holds it.
    replacement: ClassVar[bool] = True


class InBatchCounting(Section):
    """How many targets of other examples are an example's candidates."""

    #: By default all others of the batch.
    num_samples: int | None = Field(None, ge=1)


class InBatch(FixedProposal):
    """The targets of the batch's other examples, each of which is a draw from ``q_j ~ count_j``.

    Known from Hidasi et al. (2016), "Session-based recommendations with recurrent neural networks",
    section 3.2.2; with the log q correction of Yi et al. (2019), "Sampling-bias-corrected neural
    modeling for large corpus item recommendations".
    """

    type: Literal["in_batch"] = "in_batch"
    sharing: ClassVar[SectionType] = InBatchSharing
    counting: ClassVar[SectionType] = InBatchCounting
    holds_targets: ClassVar[bool] = True

    def resolved(self, replacement: bool, batch_size: int) -> Self:
        """Return the section with the number of samples, and whether the batch shares them."""
        section = cast("SamplerSection", self)
        num_samples = section.num_samples or max(1, batch_size - 1)
        share = section.share or ("batch" if num_samples == batch_size - 1 else "example")
        return self.model_copy(update={"num_samples": num_samples, "share": share})

    def log_weights(self, vocabulary: "Vocabulary") -> NDArray[np.float64]:
        """Return the log of each class's count."""
        with np.errstate(divide="ignore"):
            return np.log(vocabulary.class_counts.astype(np.float64))

    def check(self, setting: Setting) -> None:
        """Refuse a class without an example, and a single example."""
        super().check(setting)
        if setting.dataset is not None and setting.dataset.num_examples < 2:
            raise UserError(
                "sampler: in_batch takes the targets of other examples, and there is one example "
                "to train on; expected two or more, or another sampler, as unigram"
            )

    def sampler(self, state: State, setting: Setting) -> Sampler:
        """Return what takes the targets of a batch."""
        return InBatchSampler(cast("SamplerSection", self), state, setting)


class InBatchSampler(FixedSampler):
    """Takes the targets of a batch as its candidates.

    The alias table is of the law that they are drawn from.
    """

    @property
    def width(self) -> int:
        """The most draws of a group: where a batch shares them, each example's own is there too."""
        return self.section.num_samples + (1 if self.section.share == "batch" else 0)

    def num_samples(self, batch: "Batch") -> int:
        """Return how many draws a group of a batch has.

        An example that is alone in its batch draws its own target: a hit, which is left out.
        """
        if self.section.share == "batch":
            assert batch.size <= self.width, "a batch larger than the sampler is made for"
            return batch.size
        return max(1, min(self.section.num_samples, batch.size - 1))

    def proposal(self, batch: "Batch") -> "BatchTargets":
        """Return the targets of a batch.

        Of a group that the batch shares, all but each example's own are draws of q: B - 1 of B.
        """
        share = 1.0
        if self.section.share == "batch" and batch.size > 1:
            share -= 1 / batch.size
        return kernels.BatchTargets(batch.targets, self.table.log_q, math.log(share))

    def log_prob(self, batch: "Batch") -> NDArray[np.float64]:
        """Return log q of every class, float64 [1, V]."""
        return self.table.log_q[np.newaxis].copy()

    def for_replicates(self) -> Sampler:
        """Return what draws as many classes from the law of a training example's target."""
        return FixedSampler(self.section, self.tensors(), self.setting)
