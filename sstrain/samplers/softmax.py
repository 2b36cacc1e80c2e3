"""The model's own distribution at the present weights, at the price of the exact gradient."""

from typing import TYPE_CHECKING, ClassVar, Literal, cast

from sstrain import kernels
from sstrain.buffers import Buffers
from sstrain.samplers.base import (
    DataSize,
    EachSharing,
    Proposal,
    Sampler,
    SectionType,
    Setting,
    State,
)
from sstrain.samplers.drawn import DrawnSampler

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.kernels import SoftmaxProposal
    from sstrain.samplers.base import SamplerSection

__all__ = ["Softmax"]


def _num_blocks(num_classes: int) -> int:
    return -(-num_classes // kernels.SOFTMAX_BLOCK)


class Softmax(Proposal):
    """``q(j | x) = p(j | x)``: what other proposals stand in for, and the ceiling of them all.

    The ideal of Bengio and Senecal (2008), "Adaptive importance sampling to accelerate training of
    a neural probabilistic language model", whose proposals follow p: the sum that is sampled is a
    mean over p, so that draws from it have equal weights. Every step scores all classes.
    """

    type: Literal["softmax"] = "softmax"

    sharing: ClassVar[SectionType] = EachSharing
    depends_on_example: ClassVar[bool] = True
    changes: ClassVar[bool] = True

    def memory_bytes(self, size: DataSize) -> int:
        """Return the bytes of a batch's scores, and of the sums over blocks of classes."""
        sums = 8 * kernels.TILES * (_num_blocks(size.num_classes) + 2)
        return 4 * size.batch_size * size.num_classes + sums

    def fit(self, setting: Setting) -> State:
        """Return nothing: all that it draws by is the model."""
        return {}

    def sampler(self, state: State, setting: Setting) -> Sampler:
        """Return the sampler."""
        return SoftmaxSampler(cast("SamplerSection", self), setting)


class SoftmaxSampler(DrawnSampler):
    """Draws candidates by the scores of all classes, without dropout and without averaging."""

    def __init__(self, section: "SamplerSection", setting: Setting) -> None:
        super().__init__(section, setting)
        self._scratch = Buffers()

    def proposal(self, batch: "Batch") -> "SoftmaxProposal":
        """Return the scores of a batch at the present weights."""
        model, tiles = self.setting.model, kernels.TILES
        assert model is not None
        return kernels.SoftmaxProposal(
            model.score_all(batch, averaged=False),
            self._scratch.float64(
                "cumulative", tiles, _num_blocks(self.setting.vocabulary.num_classes)
            ),
            self._scratch.float64("highest", tiles),
            self._scratch.float64("log_partition", tiles),
        )

    def tensors(self) -> State:
        """Return nothing: it remembers nothing between steps."""
        return {}
