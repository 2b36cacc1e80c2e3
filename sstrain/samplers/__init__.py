"""Proposal distributions: one a file, one line each in `sstrain.samplers.table`."""

from typing import TYPE_CHECKING

from sstrain.samplers.base import Drawing, FixedProposal, Proposal, Sharing
from sstrain.samplers.mixture import Mixture
from sstrain.samplers.table import FIXED
from sstrain.section import merged, one_of

if TYPE_CHECKING:
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.objectives import Objective
    from sstrain.samplers.fixed import FixedSampler

__all__ = [
    "PROPOSALS",
    "ComparedSampler",
    "Drawing",
    "FixedProposal",
    "Proposal",
    "SamplerSection",
    "build_sampler",
]

PROPOSALS: dict[str, type[Proposal]] = {**FIXED, "mixture": Mixture}

if TYPE_CHECKING:

    class SamplerSection(Drawing, Proposal):
        """A ``sampler:`` section of a config: a proposal's keys and the drawing keys."""
else:
    SamplerSection = one_of(
        merged(f"{proposal.__name__}Sampler", proposal, Drawing) for proposal in PROPOSALS.values()
    )


if TYPE_CHECKING:

    class ComparedSampler(Sharing, Proposal):
        """One of the ``samplers:`` of a comparison: a sampler section but for ``num_samples``."""
else:
    ComparedSampler = one_of(
        merged(f"Compared{proposal.__name__}", proposal, Sharing) for proposal in PROPOSALS.values()
    )


def build_sampler(
    section: "SamplerSection | None", objective: "Objective", vocabulary: "Vocabulary"
) -> "FixedSampler | None":
    """Return the sampler of a sampled objective, ready to draw; None for the exact one.

    Raises
    ------
    UserError
        If the proposal cannot serve the data.
    """
    if section is None:
        return None
    return section.build(vocabulary, objective.excludes_targets)
