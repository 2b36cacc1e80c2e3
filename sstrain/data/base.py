"""What every data format has in common."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from sstrain.section import FilePath, Section

__all__ = ["Fitting", "Source"]


def _as_tuple(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


class Source(Section):
    """A file, or several read one after another, and how to read them."""

    discriminator: ClassVar[str] = "format"

    path: Annotated[tuple[FilePath, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    format: str


class Fitting(Section):
    """What is fitted to the training rows alone."""

    #: Features that fewer training examples hold are left out.
    min_feature_count: int = Field(1, ge=1)
