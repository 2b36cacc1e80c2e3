"""The loops by which a machine is measured do what their rates are computed from."""

import math

import numpy as np
import pytest
from limits import loops
from limits.caches import LINE_BYTES, Caches, find_caches
from limits.measuring import aligned, random_rows, scattered_lines
from limits.vectors import ACCUMULATORS, LOOPS
from llvmlite import binding


def test_every_number_of_the_groups_is_read_and_updated() -> None:
    lanes = 8
    rows = np.arange(2 * 8 * lanes * 3, dtype=np.float32).reshape(2, -1)
    before = rows.copy()
    assert LOOPS["read"][lanes](rows, 2) == pytest.approx(2 * before.sum())
    LOOPS["update"][lanes](rows, 3)
    np.testing.assert_array_equal(rows, -before)


@pytest.mark.parametrize("lanes", [4, 16])
def test_multiply_adds_are_done_and_not_foreseen(lanes: int) -> None:
    rows = np.full((2, 16), 0.5, np.float32)
    # x -> 0.5 x + 0.5 from 0, three times, in each lane of each accumulator of two threads.
    assert LOOPS["multiply_add"][lanes](rows, 3) == 2 * ACCUMULATORS * lanes * 0.875


@pytest.mark.skipif(
    not binding.get_host_cpu_features().get("avx512f", False), reason="a processor with AVX-512"
)
def test_multiply_adds_have_the_processors_full_width() -> None:
    loop = LOOPS["multiply_add"][16]
    loop(np.full((1, 16), 0.5, np.float32), 1)
    code = "\n".join(loop.inspect_asm().values())  # type: ignore[attr-defined]
    assert any("vfmadd" in line and "zmm" in line for line in code.splitlines())


def test_lines_are_read_and_updated_where_the_list_says() -> None:
    table = np.arange(64 * 16, dtype=np.float32)
    lines = np.arange(64, dtype=np.int32).reshape(2, 32)
    expected = table[::16].sum()
    assert loops.read_lines(table, lines) == expected
    assert loops.read_lines_ahead(table, np.tile(lines, 2)) == expected
    loops.update_lines(table, lines[:, :3])
    changed = np.flatnonzero(table != np.arange(64 * 16))
    np.testing.assert_array_equal(changed, 16 * np.array([0, 1, 2, 32, 33, 34]))


@pytest.mark.parametrize("threads", [1, 2])
def test_each_thread_visits_its_own_part(threads: int) -> None:
    rng, num_lines = np.random.default_rng(1), 1 << 12
    for lines in (
        random_rows(rng, threads, num_lines, 4),
        scattered_lines(rng, threads, num_lines),
    ):
        part = num_lines // threads
        assert lines.min() >= 0
        np.testing.assert_array_equal(np.unique(lines // part, axis=1).ravel(), np.arange(threads))
    consecutive = random_rows(rng, threads, num_lines, 4).reshape(-1, 4)
    assert np.all(np.diff(consecutive, axis=1) == 1)


def test_arrays_begin_with_a_line_of_the_cache() -> None:
    rows = aligned(3, 1000)
    assert rows.shape == (3, 960 // 4)
    assert all(row.ctypes.data % LINE_BYTES == 0 for row in rows)


def test_private_caches_grow_with_the_threads() -> None:
    caches = Caches(L1=1, L2=10, L3=100, told=100)
    assert [caches.capacity(level, 2) for level in ("L1", "L2", "L3")] == [2, 20, 100]
    assert caches.capacity("memory", 2) == math.inf
    assert caches.whole(2) == 122
    found = find_caches()
    assert 0 < found.L1 < found.L2 <= found.L3 == found.told
