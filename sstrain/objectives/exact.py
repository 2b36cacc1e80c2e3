"""Softmax over all classes."""

from typing import ClassVar, Literal

from sstrain.objectives.base import Objective


class Exact(Objective):
    """``l = -log p_c`` with the exact gradient (docs/derivation.md, equations 1 to 6)."""

    type: Literal["exact"] = "exact"
    sampled: ClassVar[bool] = False
