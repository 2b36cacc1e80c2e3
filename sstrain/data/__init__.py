"""Formats to CSR: one a file, one line each in the table below."""

from typing import TYPE_CHECKING

from sstrain.data.base import Fitting, Source
from sstrain.data.formats.fasttext import Fasttext
from sstrain.data.formats.npz import Npz
from sstrain.data.formats.sequence import Sequence, SequenceFitting
from sstrain.data.formats.store import Store
from sstrain.data.formats.svmlight import Svmlight
from sstrain.data.formats.table import Table
from sstrain.data.formats.text import Text
from sstrain.data.formats.vw import Vw
from sstrain.data.formats.xc import Xc
from sstrain.section import merged, one_of

__all__ = ["FORMATS", "Fitting", "HeldOutSource", "Source", "TrainSource"]

#: For each format, how a file of it is read and what it fits to the training rows.
FORMATS: dict[str, tuple[type[Source], type[Fitting]]] = {
    "sequence": (Sequence, SequenceFitting),
    "text": (Text, Fitting),
    "svmlight": (Svmlight, Fitting),
    "xc": (Xc, Fitting),
    "fasttext": (Fasttext, Fitting),
    "vw": (Vw, Fitting),
    "npz": (Npz, Fitting),
    "table": (Table, Fitting),
    "store": (Store, SequenceFitting),
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
