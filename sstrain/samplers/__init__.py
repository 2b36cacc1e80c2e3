"""Proposal distributions: one a file, one line each in the table below or in `table`."""

from typing import TYPE_CHECKING, Any

from sstrain.samplers.auto import Auto
from sstrain.samplers.base import Drawing, Proposal, Sampler, Setting, Sharing
from sstrain.samplers.cooccurrence import Cooccurrence
from sstrain.samplers.fixed import FixedProposal
from sstrain.samplers.in_batch import InBatch
from sstrain.samplers.learned_unigram import LearnedUnigram
from sstrain.samplers.midx import Midx
from sstrain.samplers.mixture import Mixture
from sstrain.samplers.quadratic import Quadratic
from sstrain.samplers.rff import Rff
from sstrain.samplers.softmax import Softmax
from sstrain.samplers.table import FIXED
from sstrain.samplers.tree import Tree
from sstrain.section import merged, one_of

if TYPE_CHECKING:
    from sstrain.samplers.base import SamplerSection, State

__all__ = [
    "PROPOSALS",
    "ComparedSampler",
    "Drawing",
    "FixedProposal",
    "Proposal",
    "Sampler",
    "SamplerOrAuto",
    "SamplerSection",
    "Setting",
    "build_sampler",
    "check_sampler",
    "is_auto",
    "own_keys",
]

PROPOSALS: dict[str, type[Proposal]] = {
    **FIXED,
    "mixture": Mixture,
    "learned_unigram": LearnedUnigram,
    "in_batch": InBatch,
    "cooccurrence": Cooccurrence,
    "softmax": Softmax,
    "tree": Tree,
    "midx": Midx,
    "quadratic": Quadratic,
    "rff": Rff,
}

if TYPE_CHECKING:
    SamplerOrAuto = SamplerSection
else:
    _SECTIONS = [
        merged(f"{proposal.__name__}Sampler", proposal, proposal.sharing, proposal.counting)
        for proposal in PROPOSALS.values()
    ]
    SamplerSection = one_of(_SECTIONS)
    #: What a run may have in the place of one.
    SamplerOrAuto = one_of([*_SECTIONS, Auto])


if TYPE_CHECKING:

    class ComparedSampler(Sharing, Proposal):
        """One of the ``samplers:`` of a comparison: a sampler section but for ``num_samples``."""
else:
    ComparedSampler = one_of(
        merged(f"Compared{proposal.__name__}", proposal, proposal.sharing)
        for proposal in PROPOSALS.values()
    )


def is_auto(section: object) -> bool:
    """Tell whether a section leaves the sampler to be chosen."""
    return isinstance(section, Auto)


def check_sampler(section: "SamplerSection", setting: Setting) -> None:
    """Refuse a proposal that cannot serve the data, before anything is fitted.

    Raises
    ------
    UserError
    """
    from sstrain.samplers.drawn import check_distinct_samples

    check_distinct_samples(section, setting)
    section.check(setting)


def own_keys(section: "SamplerSection") -> dict[str, Any]:
    """Return the keys of a proposal itself, without those that say how it is drawn from."""
    return section.model_dump(exclude={"num_samples", "share", "replacement"})


def build_sampler(
    section: "SamplerSection", setting: Setting, state: "State | None" = None
) -> Sampler:
    """Return a sampler, ready to draw.

    Parameters
    ----------
    section : a sampler section of a config
        Resolved.
    setting : Setting
    state : dict, optional
        What a checkpoint kept of one; by default it is fitted anew.

    Raises
    ------
    UserError
        If the proposal cannot serve the data.
    """
    if state is None:
        check_sampler(section, setting)
        state = section.fit(setting)
    return section.sampler(state, setting)
