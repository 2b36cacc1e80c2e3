"""What is fuzzed: for each format small valid files, and options to read them with."""

import io
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any, Literal

import numpy as np
from mutations import Mutate, mutated, mutated_archive, mutated_bytes
from pydantic import ValidationError
from stores import mutated_store, stores_of

from sstrain.data import FORMATS, Source

__all__ = ["SUBJECTS", "Subject", "subject_names"]

_DRAWN_SOURCES = 500

_SVMLIGHT = (
    b"3 1:0.5 7:1 12:-2.25e-1\n1 2:1 # a comment\n\n-7\n3.0 qid:4 1:1 9:3.14159265358979 8:1e3\n",
    b"# all\r\n0 0:1 3:1\r\n+2 0:.5 1:5. 4:7E-2\r\n1e1 1000000:16777217\r\n",
    b"1,2 3:1\n2, 5,9 1:0.5 2:0.25\n 4:1\n2 5:1",
)
_XC = (
    b"4 6 5\n0,3 0:1.0 4:0.25\n2 1:1 5:2e-3\n 2:1\n1 \n",
    b"2 1000 30\r\n29,28,4 999:1 0:0.125\r\n7 5:1\r\n",
    b"0 0 0\n",
    b"1 3 2\n0 0:1 1:1 2:1",
)
_FASTTEXT = (
    b"__label__a some words, here\n__label__b __label__c more words more\nword __label__a last\n",
    "__label__ünï naïve Ωmega 東京 😀 x\n__label__b a\tb  c\v d\r\n".encode(),
    b"__label__1 #12 <a> __label__2 __label__1 b\n\n__label__x\n",
)
_VW = (
    b"1 |a x:2 y |b:0.5 z:-1.5e-1 x\n2 0.5 'tag|f one two two\n3.0 1 tag| x:0 y\n",
    b"red 2|word a b:3\r\nblue |n:2 a:.5 |n a | |\r\n",
    "7 'd\u00e9j\u00e0 |\u00fc \u6771\u4eac:1 :2 a^b\n7 | a\n".encode(),
)
_TEXT = (
    b"city\tSome words here, and HERE\nriver\twater\nthe hill\ta b\tc\n",
    "東京\tTōkyō naïve\r\nParis\tcafé au lait\r\n".encode(),
    b"a\t\nb\tx",
)
_SEQUENCE = (
    b"in the beginning god created\n\nthe heaven and the earth\n",
    "naïve 東京 it's\tİstanbul a-b\r\n😀 a\va\fa\x1ca\x85 ſ\r\n".encode(),
    b"a a a a b",
)
_TABLE = (
    b"label,site,hour,price,words\nx,a.com,3,1.5,red blue\ny,b.com,4,,Red\nx,,5,-2e3,\n",
    b'site\tlabel\thour\twords\tprice\n"a\tb"\tq\t1\t"one ""two""\nthree"\t0\n\tr\t2\t\t7\n',
    "label;site;hour;price;words\r\nü;b;1;2;東京\r\nü;;;;\r\n".encode(),
)


def _npz_seeds() -> list[bytes]:
    """Return what `scipy.sparse.save_npz` writes, in each of its forms, with targets."""
    import scipy.sparse

    dense = np.array([[0, 1.5, 0, 2], [0, 0, 0, 0], [3, 0, -1, 0]])
    seeds = []
    rows = scipy.sparse.csr_matrix(dense.astype(np.float32))
    for matrix, targets in (
        (rows, np.array([3, 1, 3])),
        (rows, np.array(["red", "blue", "red"])),
        (rows.tocsc(), np.array([1.0, 2.0, 2.0])),
        (rows.tocoo(), np.array([b"a", b"b", b"a"])),
        (rows.todia(), np.array(["a", "b", "a"])),
        (rows.tobsr((1, 2)), np.array([1, 2, 1], np.int8)),
    ):
        file = io.BytesIO()
        scipy.sparse.save_npz(file, matrix, compressed=False)
        file.seek(0)
        with np.load(file) as arrays:
            members = dict(arrays.items())
        file = io.BytesIO()
        np.savez(file, **members, targets=targets)
        seeds.append(file.getvalue())
    return seeds


def _store_seeds() -> list[bytes]:
    """Return stores with each of the arrays, names and numbers that a store may have."""
    split = {"multilabel": "split"}
    return stores_of(
        [
            (_SVMLIGHT[0], {"format": "svmlight"}),
            (_XC[0], {"format": "xc", "hash_bits": 3, **split}),
            (_FASTTEXT[0], {"format": "fasttext", **split}),
            (_VW[0], {"format": "vw"}),
            (_SEQUENCE[0], {"format": "sequence"}),
            (_TABLE[0], {"format": "table", "target": "label", "group": "hour"}),
        ]
    )


def _parquet_seeds() -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet

    columns: dict[str, Any] = {
        "label": ["x", "y", "x"],
        "site": ["a.com", None, "b.com"],
        "hour": [3, 4, 5],
        "price": [1.5, float("nan"), None],
        "words": ["red blue", "", None],
    }
    seeds = []
    for compression in ("none", "snappy"):
        file = io.BytesIO()
        pa.parquet.write_table(pa.table(columns), file, compression=compression, row_group_size=2)
        seeds.append(file.getvalue())
    return seeds


@dataclass(frozen=True)
class Subject:
    """A format and how it is fuzzed.

    Attributes
    ----------
    format : str
        Its name in the registry.
    make_seeds : callable
        Returns valid files.
    options : mapping
        What a key may be, besides the keys that are true or false or one of a few words.
    mutate : callable
        Makes an input from the files.
    lines_are_rows : bool
        Whether each line stands for itself: without labels it is one row, and a bad one can be
        left out without any other change.
    needs_file : bool
        Whether the reader opens the path itself.
    is_folder : bool
        Whether the path is that of a folder, which an input holds packed.
    """

    format: str
    make_seeds: Callable[[], Sequence[bytes]]
    options: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    mutate: Mutate = mutated
    lines_are_rows: bool = True
    needs_file: bool = False
    is_folder: bool = False

    @cached_property
    def seeds(self) -> tuple[bytes, ...]:
        """Return valid files."""
        return tuple(self.make_seeds())

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """Return sources with options drawn at random."""
        kind = FORMATS[self.format][0]
        unknown = self.options.keys() - kind.model_fields.keys()
        if unknown:
            raise ValueError(f"{self.format} has no option {', '.join(unknown)}")
        choices = {**_choices(kind), **self.options}
        random = Random(1)
        drawn = (
            {key: random.choice(values) for key, values in choices.items()}
            for _ in range(_DRAWN_SOURCES)
        )
        made = (_made(kind, values) for values in drawn)
        return tuple(source for source in made if source is not None)


def _choices(kind: type[Source]) -> dict[str, Sequence[Any]]:
    """Return all values of the keys that are true or false, or one of a few words."""
    found: dict[str, Sequence[Any]] = {}
    for name, key in kind.model_fields.items():
        if name not in ("format", "on_bad_line") and key.annotation is bool:
            found[name] = (False, True)
        elif name not in ("format", "on_bad_line") and typing.get_origin(key.annotation) is Literal:
            found[name] = typing.get_args(key.annotation)
    return found


def _made(kind: type[Source], values: dict[str, Any]) -> Source | None:
    try:
        return kind(path=("input",), **values)
    except ValidationError:
        return None  # keys that do not go together


_TOKENS = (r"[\w']+", "whitespace", ".", r"(a)|\s*", r"\w*")
_COLUMNS: dict[str, Sequence[Any]] = {
    "target": ("label", "label", "label", "label", "label", "label", "price", "absent"),
    "delimiter": ("auto", "auto", "auto", "auto", "comma", "tab", "semicolon"),
    "categorical": (None, None, ("site",), ("site", "hour")),
    "text": (None, ("words",)),
    "numeric": (None, ("price",), ("price", "hour")),
    "crosses": (None, ("site*hour",)),
    "group": (None, None, "site", "hour"),
    "weight": (None, None, "price", "hour"),
    "missing_values": (("",), ("", "3"), ("NA",)),
}

#: By name; a format has a second subject where its files are of a second kind.
SUBJECTS = {
    "fasttext": Subject(
        "fasttext",
        lambda: _FASTTEXT,
        {
            "label_prefix": ("__label__", "__label__", "#", "é"),
            "word_ngrams": (1, 2, 3, 20),
            "minn": (0, 1, 2, 3),
            "maxn": (0, 2, 4, 20),
            "buckets": (1, 3, 1 << 21),
        },
    ),
    "npz": Subject(
        "npz", _npz_seeds, mutate=mutated_archive, lines_are_rows=False, needs_file=True
    ),
    "parquet": Subject(
        "table",
        _parquet_seeds,
        _COLUMNS,
        mutate=mutated_bytes,
        lines_are_rows=False,
        needs_file=True,
    ),
    "sequence": Subject(
        "sequence",
        lambda: _SEQUENCE,
        {
            "tokens": _TOKENS,
            "context": (0, 1, 10),
            "positions": (0, 1, 3),
            "conjunction_bits": (None, 1, 20),
        },
    ),
    "store": Subject(
        "store",
        _store_seeds,
        mutate=mutated_store,
        lines_are_rows=False,
        needs_file=True,
        is_folder=True,
    ),
    "svmlight": Subject("svmlight", lambda: _SVMLIGHT),
    "table": Subject("table", lambda: _TABLE, _COLUMNS, lines_are_rows=False),
    "text": Subject(
        "text",
        lambda: _TEXT,
        {"tokens": (r"\b\w+\b", *_TOKENS), "ngrams": ((1, 1), (1, 2), (2, 5))},
    ),
    "vw": Subject("vw", lambda: _VW),
    "xc": Subject("xc", lambda: _XC, lines_are_rows=False),
}


def subject_names() -> list[str]:
    """Return the subjects whose formats there are."""
    return [name for name, subject in SUBJECTS.items() if subject.format in FORMATS]
