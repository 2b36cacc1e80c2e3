"""What every objective has in common."""

from typing import ClassVar

from sstrain.section import Section

__all__ = ["Objective"]


class Objective(Section):
    """A loss of the scores, by its name and its own keys."""

    type: str

    #: Whether the loss is a sum over drawn candidates rather than over all classes.
    sampled: ClassVar[bool]

    @property
    def excludes_targets(self) -> bool:
        """Whether an example's own target is never drawn as a candidate."""
        return False
