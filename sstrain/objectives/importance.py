"""Importance-sampled softmax: the target exactly, the other classes by draws from q."""

from typing import ClassVar, Literal

from sstrain.objectives.base import Objective


class Importance(Objective):
    """``l~ = -log(exp(z_c) / Z~)`` with ``Z~ = exp(z_c) + (1/K) sum_{j in S} exp(z_j) / q_j``.

    Bengio and Senecal (2003, 2008), with the target's own term taken exactly;
    docs/derivation.md has the equations.
    """

    type: Literal["importance"] = "importance"
    sampled: ClassVar[bool] = True

    #: What becomes of a draw that equals the target: left out, kept in the sum, or drawn again
    #: from q restricted to the other classes (needs ``share: example``).
    accidental_hits: Literal["drop", "keep", "resample"] = "drop"
