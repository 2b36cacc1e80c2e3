"""A sampler that is chosen by measuring, before the first step."""

from typing import ClassVar, Literal, Self

from pydantic import Field

from sstrain.section import Section

__all__ = ["Auto"]


class Auto(Section):
    """The cheapest of several proposals, numbers of samples and ways to share them.

    A run measures them on its data and writes the choice into its ``config.yaml`` in the place of
    this section; see `sstrain.training.choosing`.
    """

    type: Literal["auto"] = "auto"
    #: The mean squared error that the batch's sampled gradient may have, relative to the exact
    #: gradient's square; by default what 64 shared draws from unigram (power 0.75) have.
    error: float | None = Field(None, gt=0)
    #: About how many CPU seconds measuring may take.
    seconds: float = Field(30.0, ge=1)

    #: What checks of a sampler's section ask, and a choice that is yet to be made does not violate.
    needs_class_vectors: ClassVar[bool] = False
    holds_targets: ClassVar[bool] = False
    changes: ClassVar[bool] = False
    depends_on_example: ClassVar[bool] = False
    share: ClassVar[str] = "batch"
    replacement: ClassVar[bool | None] = None

    def files(self) -> tuple[str, ...]:
        """Return no files."""
        return ()

    def resolved(self, replacement: bool, batch_size: int) -> Self:
        """Return the section: it depends on no other."""
        return self
