"""Tensor files against the safetensors library, and against files that nobody should trust."""

import hashlib
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_dtypes import bfloat16
from numpy.typing import NDArray

from sstrain.errors import UserError
from sstrain.training.tensors import TensorSource, open_tensors, read_into, write

DTYPES = [np.float32, np.float64, np.int32, np.int64, np.uint8, bfloat16]


class RowBlocks:
    """A tensor given two rows at a time."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = array.dtype

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for row in range(0, len(self.array), 2):
            yield self.array[row : row + 2]


@st.composite
def tensor_maps(draw: st.DrawFn) -> dict[str, NDArray[Any]]:
    names = draw(st.lists(st.text(max_size=8), unique=True, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    tensors: dict[str, NDArray[Any]] = {}
    for name in names:
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        values = rng.integers(-1000, 1000, shape) / 8
        tensors[name] = np.asarray(values).astype(draw(st.sampled_from(DTYPES)))
    return tensors


def assert_same(found: dict[str, NDArray[Any]], expected: dict[str, NDArray[Any]]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@settings(max_examples=60, deadline=None)
@given(tensors=tensor_maps())
def test_the_library_reads_what_is_written(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, NDArray[Any]]
) -> None:
    path = tmp_path_factory.mktemp("tensors") / "t.safetensors"
    digest = write(path, tensors, {"made by": "a test"})
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0
    assert_same(safetensors.numpy.load_file(path), tensors)
    assert_same(open_tensors(path), tensors)
    live = {name: np.full_like(array, 7) for name, array in tensors.items()}
    read_into(path, live)
    assert_same(live, tensors)


@settings(max_examples=30, deadline=None)
@given(tensors=tensor_maps())
def test_what_the_library_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, NDArray[Any]]
) -> None:
    path = tmp_path_factory.mktemp("tensors") / "t.safetensors"
    safetensors.numpy.save_file(tensors, path)
    assert_same(open_tensors(path), tensors)


def test_bytes_are_those_of_the_library_and_do_not_depend_on_order(tmp_path: Path) -> None:
    tensors = {"weight": np.arange(12, dtype=np.float32).reshape(3, 4), "bias": np.ones(4, "f4")}
    first = write(tmp_path / "a", tensors)
    second = write(tmp_path / "b", dict(reversed(tensors.items())))
    assert first == second
    assert (tmp_path / "a").read_bytes() == safetensors.numpy.save(tensors)


def test_blocks_are_written_as_the_whole(tmp_path: Path) -> None:
    array = np.arange(15, dtype=np.float32).reshape(5, 3)
    assert write(tmp_path / "a", {"w": RowBlocks(array)}) == write(tmp_path / "b", {"w": array})


def test_more_than_one_chunk_round_trips_without_a_copy_in_memory(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, 20 * 2**20 + 5, dtype=np.uint8)
    live = np.zeros_like(array)
    tracemalloc.start()
    write(tmp_path / "t", {"a": array})
    read_into(tmp_path / "t", {"a": live})
    opened = open_tensors(tmp_path / "t")["a"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    assert np.array_equal(live, array)
    assert np.array_equal(opened, array)


def test_wide_tensors_come_first_so_that_all_are_aligned(tmp_path: Path) -> None:
    tensors: dict[str, TensorSource] = {
        "a": np.zeros(3, np.uint8),
        "b": np.zeros(3, np.float32),
        "c": np.zeros(3, np.int64),
        "d": np.zeros(3, bfloat16),
    }
    write(tmp_path / "t", tensors)
    opened = open_tensors(tmp_path / "t")
    assert list(opened) == ["c", "b", "d", "a"]
    assert all(array.flags.aligned for array in opened.values())


def test_numbers_of_half_precision_are_stored_bit_by_bit(tmp_path: Path) -> None:
    halves = np.arange(2**16, dtype=np.uint16)
    write(tmp_path / "t", {"a": halves.view(bfloat16)})
    opened = open_tensors(tmp_path / "t")["a"]
    assert opened.dtype == bfloat16
    assert np.array_equal(opened.view(np.uint16), halves)
    assert (tmp_path / "t").read_bytes()[8:].startswith(b'{"a":{"dtype":"BF16"')


def test_the_type_of_half_precision_is_loaded_where_there_is_one(tmp_path: Path) -> None:
    write(tmp_path / "plain", {"a": np.zeros(3)})
    write(tmp_path / "half", {"a": np.zeros(3, bfloat16)})
    code = """
import sys
from pathlib import Path
from sstrain.cli import main
from sstrain.training.tensors import open_tensors, write
main(["--help"])
write(Path("copy"), open_tensors(Path("plain")))
assert "ml_dtypes" not in sys.modules
assert open_tensors(Path("half"))["a"].itemsize == 2
assert "ml_dtypes" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)


def test_mapped_tensors_cannot_be_changed(tmp_path: Path) -> None:
    write(tmp_path / "t", {"a": np.zeros(3)})
    opened = open_tensors(tmp_path / "t")["a"]
    with pytest.raises(ValueError, match="read-only"):
        opened[0] = 1


@pytest.mark.parametrize(
    "tensor",
    [
        np.zeros((4, 4), np.float32).T[1:],
        np.zeros(3, np.float16),
        np.zeros((4, 4), bfloat16).T[1:],
        np.zeros(3, ">f4"),
        np.zeros(3, object),
    ],
)
def test_what_has_no_place_in_a_file_is_refused(tmp_path: Path, tensor: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="tensor 'a'"):
        write(tmp_path / "t", {"a": tensor})


def test_blocks_that_do_not_make_up_the_shape_are_refused(tmp_path: Path) -> None:
    source = RowBlocks(np.zeros((5, 3), np.float32))
    source.shape = (6, 3)
    tensors: dict[str, TensorSource] = {"a": source}
    with pytest.raises(ValueError, match="blocks of 15 elements"):
        write(tmp_path / "t", tensors)


def test_reading_into_other_arrays_names_every_difference_and_changes_none(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, {"a": np.ones(3), "b": np.ones(2), "c": np.ones(2)})
    live = {"a": np.zeros(3), "b": np.zeros(3), "d": np.zeros(1)}
    with pytest.raises(UserError) as caught:
        read_into(path, live)
    assert caught.value.messages == (
        f"{path}: tensor 'b': found float64 [2]; expected float64 [3]",
        f"{path}: tensor 'd' is missing",
        f"{path}: unexpected tensor 'c'",
    )
    assert not any(array.any() for array in live.values())


def framed(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def tensor(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x02\0\0\0",
        b"\xff" * 16,
        framed(b"{"),
        framed(b"[]"),
        framed(b" {}"),
        framed(b"\xff\xff"),
        framed(b"[" * 100_000),
        framed(b'{"a":' * 100_000),
        framed(b'{"a": 1' + b"0" * 5000 + b"}"),
        framed(b'{"a": NaN}'),
        framed(b'{"__metadata__": {}, "__metadata__": {}}'),
        framed({}, b"more"),
        framed({"a": 1}),
        framed({"a": tensor(dtype="F8")}, b"1234"),
        framed({"a": tensor(dtype=["F32"])}, b"1234"),
        framed({"a": tensor(dtype="O")}, b"1234"),
        framed({"a": {**tensor(), "more": 1}}, b"1234"),
        framed({"a": tensor(shape=[-1])}, b"1234"),
        framed({"a": tensor(shape=[-1, -1])}, b"1234"),
        framed({"a": tensor(shape=[True])}, b"1234"),
        framed({"a": tensor(shape=[1.0])}, b"1234"),
        framed({"a": tensor(shape=1)}, b"1234"),
        framed({"a": tensor(shape=[1] * 65)}, b"1234"),
        framed({"a": tensor(shape=[2**62, 4])}, b"1234"),
        framed({"a": tensor(shape=[0, 2**62, 2**62], offsets=[0, 0])}),
        framed({"a": tensor(shape=[2])}, b"1234"),
        framed({"a": tensor(offsets=[0, 8])}, b"1234"),
        framed({"a": tensor(offsets=[0])}, b"1234"),
        framed({"a": tensor(offsets=[4, 0])}, b"1234"),
        framed({"a": tensor(offsets=[-4, 0])}, b"1234"),
        framed({"a": tensor(offsets=[4, 8])}, b"12345678"),
        framed({"a": tensor()}, b"123"),
        framed({"a": tensor()}, b"12345"),
        framed({"a": tensor(), "b": tensor()}, b"12345678"),
        framed({"a": tensor(), "b": tensor(offsets=[8, 12])}, b"123456789abc"),
        framed({"a": tensor(shape=[2], offsets=[0, 8]), "b": tensor(offsets=[4, 8])}, b"12345678"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        open_tensors(path)
    assert str(caught.value).startswith(f"{path}: damaged: ")
    assert "\n" not in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 200), byte=st.integers(0, 255), cut=st.integers(0, 200))
def test_no_changed_byte_does_worse_than_one_line(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, cut: int
) -> None:
    path = tmp_path_factory.mktemp("tensors") / "t"
    write(path, {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(3, dtype=np.uint8)})
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content[: len(content) - cut] if cut < 20 else content)
    arrays = opened_or_none(path)
    if arrays is not None:
        assert sum(array.nbytes for array in arrays.values()) == 51
        assert sum(len(array.tobytes()) for array in arrays.values()) == 51


def opened_or_none(path: Path) -> dict[str, NDArray[Any]] | None:
    try:
        return open_tensors(path)
    except UserError:
        return None


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        open_tensors(tmp_path / name)
