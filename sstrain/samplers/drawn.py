"""What every sampler shares whose draws the kernels make: groups, buffers, probabilities."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.errors import UserError
from sstrain.samplers.base import Sampler, Setting

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.kernels import Candidates
    from sstrain.samplers.base import SamplerSection

__all__ = ["DrawnSampler", "check_distinct_samples"]

#: Purposes of the random streams.
_SHARED, _EACH = 2, 3


def check_distinct_samples(section: "SamplerSection", setting: Setting) -> None:
    """Refuse more distinct samples than there are classes, and draws where there is no class.

    Raises
    ------
    UserError
    """
    available = setting.vocabulary.num_classes - (1 if setting.excludes_targets else 0)
    if available < 1:
        raise UserError(
            "objective.accidental_hits: resample draws from the other classes, and the data have "
            "one class; expected drop"
        )
    if section.replacement is False and section.num_samples > available:
        raise UserError(
            f"sampler.num_samples: more samples than classes without replacement; got "
            f"{section.num_samples}; at most {available} (V = {setting.vocabulary.num_classes}"
            f"{', less the target' if setting.excludes_targets else ''})"
        )


class DrawnSampler(Sampler):
    """Draws candidates by `sstrain.kernels.draw_shared` or `sstrain.kernels.draw_each`.

    A subclass says what q is at a batch.
    """

    def __init__(self, section: "SamplerSection", setting: Setting) -> None:
        super().__init__(section, setting)
        assert section.replacement is not None, "a section that is not resolved"
        self._replacement = section.replacement
        self._buffers: Candidates | None = None

    @abstractmethod
    def proposal(self, batch: "Batch") -> Any:
        """Return q at a batch, as a NamedTuple that `sstrain.kernels.proposal` knows."""

    @property
    def width(self) -> int:
        """The most draws of a group, for which there is room."""
        return self.section.num_samples

    def num_samples(self, batch: "Batch") -> int:
        """Return how many draws a group of a batch has."""
        return self.section.num_samples

    def draw(self, batch: "Batch", seed: int, epoch: int, step: int) -> "Candidates":
        """Draw the candidates of one step: a pure function of (seed, epoch, step or example)."""
        section, num_classes = self.section, self.setting.vocabulary.num_classes
        drawing = num_classes, self.num_samples(batch), self._replacement
        if section.share == "batch":
            out = self._out(1, batch.size)
            key = kernels.stream_key(seed, _SHARED, epoch, step)
            kernels.draw_shared(self.proposal(batch), *drawing, key, batch.targets, out)
            return out
        out = self._out(batch.size, batch.size)
        key = kernels.stream_key(seed, _EACH, epoch, 0)
        kernels.draw_each(
            self.proposal(batch),
            *drawing,
            key,
            batch.example_ids,
            batch.targets,
            self.setting.excludes_targets,
            out,
        )
        return out

    def log_prob(self, batch: "Batch") -> NDArray[np.float64]:
        """Return log q of every class, for each example or once for all: float64 [1 or B, V]."""
        size = batch.size if self.section.depends_on_example else 1
        log_q = np.empty((size, self.setting.vocabulary.num_classes))
        kernels.all_log_q(self.proposal(batch), log_q)
        return log_q

    def _out(self, groups: int, size: int) -> "Candidates":
        """Return arrays for so many groups and examples."""
        held = self._buffers
        if held is None or len(held.counts) < groups or len(held.target_log_expected_count) < size:
            shape = (groups, self.width)
            held = self._buffers = kernels.Candidates(
                classes=np.zeros(shape, np.int32),
                multiplicity=np.zeros(shape, np.float32),
                log_expected_count=np.zeros(shape, np.float32),
                counts=np.zeros(groups, np.int32),
                target_log_expected_count=np.zeros(size, np.float32),
            )
        return kernels.Candidates(
            held.classes[:groups],
            held.multiplicity[:groups],
            held.log_expected_count[:groups],
            held.counts[:groups],
            held.target_log_expected_count[:size],
        )
