"""What every data format has in common."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from sstrain.section import FilePaths, Section

if TYPE_CHECKING:
    from sstrain.data.reader import Reader
    from sstrain.data.sample import Sample

__all__ = ["Fitting", "MultiLabelSource", "Source"]


class Source(Section):
    """A file, or several read one after another, and how to read them."""

    discriminator: ClassVar[str] = "format"
    #: Packages whose versions may decide what is read.
    libraries: ClassVar[tuple[str, ...]] = ()
    #: ``-`` is standard input.
    path: FilePaths
    format: str
    #: Whether the first line that does not parse stops, or such lines are counted and left out.
    on_bad_line: Literal["error", "skip"] = "error"
    #: The share of bad lines above which they are refused all the same.
    max_bad_share: float = Field(0.01, ge=0, le=1)

    @abstractmethod
    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "Reader":
        """Return a reader for files of this format.

        Parameters
        ----------
        fitted : mapping
            What the training files fixed (``Vocabulary.fitted``), ``hash_bits`` among it; for the
            training files themselves ``hash_bits`` alone.
        labelled : bool
            False where each line, whatever it holds, is one row without a label.
        """

    @classmethod
    def path_keys(cls) -> set[str]:
        """Return the keys that name files."""
        return {"path"}

    def files(self) -> tuple[str, ...]:
        """Return every file that is read."""
        keys = sorted(self.path_keys())
        return tuple(path for key in keys for path in getattr(self, key) or ())

    def at(self, *paths: str) -> Self:
        """Return the same way to read other files, which have no others beside them."""
        others = dict.fromkeys(self.path_keys() - {"path"})
        return self.model_copy(update={"path": paths, **others})

    @classmethod
    def fits(cls, sample: "Sample") -> bool:
        """Return whether a file is of this format by what it is, whatever lines it holds."""
        return False

    @classmethod
    def fitting_lines(cls, sample: "Sample") -> dict[int, bool]:
        """Return whether each line of a text reads as this format, by its number.

        Lines that any format may hold, blank ones, are left out; where the file as a whole cannot
        be of this format, all are.
        """
        return {}


class MultiLabelSource(Source):
    """A format whose lines may have several labels."""

    #: What becomes of an example with several labels: it is a mistake, has its first alone, or is
    #: an example for each of its m labels, which counts 1/m (the pick-all-labels reduction of Menon
    #: and others 2019, "Multilabel reductions: what is my loss optimising?").
    multilabel: Literal["error", "first", "split"] = "error"


class Fitting(Section):
    """What is fitted to the training rows alone."""

    #: Features that fewer training examples hold are left out.
    min_feature_count: int = Field(1, ge=1)
    #: Of the features, so many that the most training examples hold are kept; None: all.
    max_features: int | None = Field(None, ge=1)
    #: Features are hashed into 2^bits buckets, and their names are not kept; None: they are kept.
    hash_bits: int | None = Field(None, ge=1, le=30)
    #: Whether values are multiplied by log((1 + N) / (1 + count)) + 1, the inverse document
    #: frequency as scikit-learn smooths it.
    tf_idf: bool = False
    #: Whether each example's values are divided by their Euclidean norm.
    normalize: Literal["none", "l2"] = "none"

    @property
    def smallest_class(self) -> int:
        """The training examples that a label needs to be a class."""
        return 1
