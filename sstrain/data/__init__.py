"""Formats to CSR: one a file, one line each in the table below."""

from typing import TYPE_CHECKING

from sstrain.data.base import Fitting, Source
from sstrain.data.sequence import Sequence, SequenceFitting
from sstrain.data.svmlight import Svmlight
from sstrain.section import merged, one_of

__all__ = ["FORMATS", "Fitting", "HeldOutSource", "Source", "TrainSource"]

#: For each format, how a file of it is read and what it fits to the training rows.
FORMATS: dict[str, tuple[type[Source], type[Fitting]]] = {
    "sequence": (Sequence, SequenceFitting),
    "svmlight": (Svmlight, Fitting),
}

if TYPE_CHECKING:

    class TrainSource(Source, Fitting):
        """A ``data.train`` section: what to read and what to fit."""

    HeldOutSource = Source
else:
    TrainSource = one_of(
        merged(f"Train{source.__name__}", source, fitting) for source, fitting in FORMATS.values()
    )
    HeldOutSource = one_of(source for source, _ in FORMATS.values())
