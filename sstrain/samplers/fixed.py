"""The one drawing code of every proposal with a fixed q: alias draws, hits, distinct draws."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.errors import UserError

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.kernels import AliasTable, Candidates
    from sstrain.samplers.base import FixedSection

__all__ = ["FixedSampler"]

#: Purposes of the random streams.
_SHARED, _EACH = 2, 3


class FixedSampler:
    """Draws candidates from a proposal that depends on no example and no weight.

    Parameters
    ----------
    section : a sampler section of a config
        A `FixedProposal` and its `Drawing` keys.
    vocabulary : Vocabulary
    exclude_targets : bool
        Whether an example's own target is never drawn (``accidental_hits: resample``).

    Raises
    ------
    UserError
        If a class has no probability, or more distinct classes are asked for than there are.
    """

    def __init__(
        self, section: "FixedSection", vocabulary: "Vocabulary", exclude_targets: bool = False
    ) -> None:
        self.section = section
        self.exclude_targets = exclude_targets
        log_q = section.log_q(vocabulary)
        _check_every_class(section, log_q, vocabulary)
        _check_distinct_samples(section, vocabulary, exclude_targets)
        threshold = np.empty(len(log_q))
        alias = np.empty(len(log_q), np.int32)
        kernels.build_alias(np.exp(log_q), threshold, alias)
        self.table: AliasTable = kernels.AliasTable(threshold, alias, log_q)
        self._buffers: Candidates | None = None

    def draw(self, batch: "Batch", seed: int, epoch: int, step: int) -> "Candidates":
        """Draw the candidates of one step: a pure function of (seed, epoch, step or example).

        Returns
        -------
        Candidates
            One group where the batch shares them, else one an example; valid until the next call.
        """
        section = self.section
        if section.share == "batch":
            out = self._out(1)
            key = kernels.stream_key(seed, _SHARED, epoch, step)
            kernels.draw_shared(self.table, section.num_samples, section.replacement, key, out)
            return out
        out = self._out(batch.size)
        if self.exclude_targets:
            excluded = batch.targets
        else:
            excluded = np.full(batch.size, -1, np.int32)
        key = kernels.stream_key(seed, _EACH, epoch, 0)
        kernels.draw_each(
            self.table,
            section.num_samples,
            section.replacement,
            key,
            batch.example_ids,
            excluded,
            out,
        )
        return out

    def log_prob(self, batch: "Batch") -> NDArray[np.float64]:
        """Return log q of every class, for each example or once for all: float64 [1 or B, V]."""
        return self.table.log_q[np.newaxis]

    def tensors(self) -> dict[str, NDArray[np.float64] | NDArray[np.int32]]:
        """Return the arrays that a checkpoint keeps."""
        table = self.table
        return {"threshold": table.threshold, "alias": table.alias, "log_q": table.log_q}

    def _out(self, groups: int) -> "Candidates":
        if self._buffers is None or len(self._buffers.counts) < groups:
            shape = (groups, self.section.num_samples)
            self._buffers = kernels.Candidates(
                classes=np.zeros(shape, np.int32),
                multiplicity=np.zeros(shape, np.float32),
                log_expected_count=np.zeros(shape, np.float32),
                counts=np.zeros(groups, np.int32),
            )
        buffers = self._buffers
        if len(buffers.counts) == groups:
            return buffers
        return kernels.Candidates(
            buffers.classes[:groups],
            buffers.multiplicity[:groups],
            buffers.log_expected_count[:groups],
            buffers.counts[:groups],
        )


def _check_every_class(
    section: "FixedSection", log_q: NDArray[np.float64], vocabulary: "Vocabulary"
) -> None:
    """Refuse a q that leaves a class out."""
    # exp(-745) is the smallest positive float64: below it a class would never be drawn.
    missing = np.flatnonzero(log_q <= -745)
    if len(missing):
        label = vocabulary.classes[missing[0]]
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise UserError(
            f"sampler: {section.type} gives class {label!r}{others} of the training set zero "
            "probability; every class needs some, or its share of the sum is lost; "
            "mix it with uniform (type: mixture), or add the class"
        )


def _check_distinct_samples(
    section: "FixedSection", vocabulary: "Vocabulary", exclude_targets: bool
) -> None:
    available = vocabulary.num_classes - (1 if exclude_targets else 0)
    if not section.replacement and section.num_samples > available:
        raise UserError(
            f"sampler.num_samples: more samples than classes without replacement; got "
            f"{section.num_samples}; at most {available} (V = {vocabulary.num_classes}"
            f"{', less the target' if exclude_targets else ''})"
        )
