"""What every data format has in common."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from sstrain.section import FilePaths, Section

if TYPE_CHECKING:
    from sstrain.data.reader import Reader

__all__ = ["Fitting", "Source"]


class Source(Section):
    """A file, or several read one after another, and how to read them."""

    discriminator: ClassVar[str] = "format"
    #: Whether each token of a line is an example: one whose token is no class is then skipped,
    #: and the first has no features.
    predicts_tokens: ClassVar[bool] = False

    path: FilePaths
    format: str

    @abstractmethod
    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "Reader":
        """Return a reader for files of this format.

        Parameters
        ----------
        fitted : mapping
            What the training files fixed (``Vocabulary.fitted``); empty for the training files.
        labelled : bool
            False where each line, whatever it holds, is one row without a label.
        """


class Fitting(Section):
    """What is fitted to the training rows alone."""

    #: Features that fewer training examples hold are left out.
    min_feature_count: int = Field(1, ge=1)

    @property
    def smallest_class(self) -> int:
        """The training examples that a label needs to be a class."""
        return 1
