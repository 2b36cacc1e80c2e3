"""Products of small matrices, eight rows by two times sixteen columns at a time in registers.

A product of a batch, its candidates and a rank of a few dozen numbers is too small for a BLAS to
repay its own preparations. A sum runs over the inner dimension from its first index to its last,
so that what a number comes to does not depend on how rows are shared among threads.
"""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import CHECKED, inline, unsigned
from sstrain.kernels.lanes import LANES, Tile, load_lanes, multiply_add, store_lanes

__all__ = ["multiply", "multiply_panels", "multiply_transposed", "pack_panel", "panels_shape"]

#: Rows whose sums are in registers at a time, two vectors each.
_ROWS = 8
_ZERO = np.float32(0)
_ZEROS = np.zeros(LANES, np.float32)


@inline
def _eight_rows(
    left: NDArray[np.float32],
    at: int,
    row_step: int,
    step: int,
    inner: int,
    right: NDArray[np.float32],
    right_at: int,
    right_step: int,
) -> Tile:
    """Return sixteen columns of eight rows of a product."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = load_lanes(_ZEROS, 0)
    for p in range(inner):
        lanes = load_lanes(right, right_at + p * right_step)
        x = at + p * step
        s0 = multiply_add(left[unsigned(x)], lanes, s0)
        s1 = multiply_add(left[unsigned(x + row_step)], lanes, s1)
        s2 = multiply_add(left[unsigned(x + 2 * row_step)], lanes, s2)
        s3 = multiply_add(left[unsigned(x + 3 * row_step)], lanes, s3)
        s4 = multiply_add(left[unsigned(x + 4 * row_step)], lanes, s4)
        s5 = multiply_add(left[unsigned(x + 5 * row_step)], lanes, s5)
        s6 = multiply_add(left[unsigned(x + 6 * row_step)], lanes, s6)
        s7 = multiply_add(left[unsigned(x + 7 * row_step)], lanes, s7)
    return s0, s1, s2, s3, s4, s5, s6, s7


@inline
def _eight_rows_of_two(
    left: NDArray[np.float32],
    at: int,
    row_step: int,
    step: int,
    inner: int,
    right: NDArray[np.float32],
    right_at: int,
    right_step: int,
    strip_step: int,
) -> tuple[Tile, Tile]:
    """Return two strips of sixteen columns of eight rows of a product.

    Twice as many sums are on their way as with one, and each of the left operand's numbers is
    loaded half as often.
    """
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = load_lanes(_ZEROS, 0)
    t0 = t1 = t2 = t3 = t4 = t5 = t6 = t7 = s0
    for p in range(inner):
        first = load_lanes(right, right_at + p * right_step)
        second = load_lanes(right, right_at + p * right_step + strip_step)
        place = at + p * step
        x = left[unsigned(place)]
        s0, t0 = multiply_add(x, first, s0), multiply_add(x, second, t0)
        x = left[unsigned(place + row_step)]
        s1, t1 = multiply_add(x, first, s1), multiply_add(x, second, t1)
        x = left[unsigned(place + 2 * row_step)]
        s2, t2 = multiply_add(x, first, s2), multiply_add(x, second, t2)
        x = left[unsigned(place + 3 * row_step)]
        s3, t3 = multiply_add(x, first, s3), multiply_add(x, second, t3)
        x = left[unsigned(place + 4 * row_step)]
        s4, t4 = multiply_add(x, first, s4), multiply_add(x, second, t4)
        x = left[unsigned(place + 5 * row_step)]
        s5, t5 = multiply_add(x, first, s5), multiply_add(x, second, t5)
        x = left[unsigned(place + 6 * row_step)]
        s6, t6 = multiply_add(x, first, s6), multiply_add(x, second, t6)
        x = left[unsigned(place + 7 * row_step)]
        s7, t7 = multiply_add(x, first, s7), multiply_add(x, second, t7)
    return (s0, s1, s2, s3, s4, s5, s6, s7), (t0, t1, t2, t3, t4, t5, t6, t7)


@inline
def _store_rows(out: NDArray[np.float32], at: int, row_step: int, sums: Tile) -> None:
    store_lanes(out, at, sums[0])
    store_lanes(out, at + row_step, sums[1])
    store_lanes(out, at + 2 * row_step, sums[2])
    store_lanes(out, at + 3 * row_step, sums[3])
    store_lanes(out, at + 4 * row_step, sums[4])
    store_lanes(out, at + 5 * row_step, sums[5])
    store_lanes(out, at + 6 * row_step, sums[6])
    store_lanes(out, at + 7 * row_step, sums[7])


@inline
def _check(
    left: NDArray[np.float32],
    row_step: int,
    step: int,
    inner: int,
    right: NDArray[np.float32],
    last: int,
    right_step: int,
    out: NDArray[np.float32],
) -> None:
    """Raise IndexError where indices are checked, for a last strip that begins at ``last``."""
    if CHECKED and (
        (out.shape[0] - 1) * row_step + (inner - 1) * step >= len(left)
        or last + (inner - 1) * right_step + LANES > len(right)
    ):
        raise IndexError("operands of a product out of bounds")


@inline
def _strips(
    left: NDArray[np.float32],
    row_step: int,
    step: int,
    inner: int,
    right: NDArray[np.float32],
    right_step: int,
    strip_step: int,
    last: int,
    out: NDArray[np.float32],
) -> None:
    """Write a product of at least eight rows and sixteen columns.

    ``left`` and ``right`` are flat. Between rows of the left operand lie ``row_step`` numbers, from
    one inner index to the next ``step`` and ``right_step``, from one strip of sixteen columns to
    the next ``strip_step``; the last strip begins at ``last``. It and the last eight rows are those
    that end the matrix: some numbers are computed twice.
    """
    num_rows, width = out.shape
    num_strips = (width + LANES - 1) // LANES
    last_column = width - LANES
    _check(left, row_step, step, inner, right, last, right_step, out)
    flat = out.reshape(-1)
    for strip in range(0, num_strips - 1, 2):
        is_last = strip + 2 == num_strips
        at = strip * strip_step
        between = last - at if is_last else strip_step
        column = strip * LANES
        second = last_column if is_last else column + LANES
        for start in range(0, num_rows, _ROWS):
            row = min(start, num_rows - _ROWS)
            sums, others = _eight_rows_of_two(
                left, row * row_step, row_step, step, inner, right, at, right_step, between
            )
            _store_rows(flat, row * width + column, width, sums)
            _store_rows(flat, row * width + second, width, others)
    if num_strips % 2:
        for start in range(0, num_rows, _ROWS):
            row = min(start, num_rows - _ROWS)
            sums = _eight_rows(left, row * row_step, row_step, step, inner, right, last, right_step)
            _store_rows(flat, row * width + last_column, width, sums)


@inline
def _small(
    left: NDArray[np.float32],
    row_step: int,
    step: int,
    inner: int,
    right: NDArray[np.float32],
    right_step: int,
    out: NDArray[np.float32],
) -> None:
    """Write a product of any shape."""
    out[:] = _ZERO
    for i in range(out.shape[0]):
        for p in range(inner):
            x = left[i * row_step + p * step]
            for j in range(out.shape[1]):
                out[i, j] += x * right[unsigned(p * right_step + j)]


@inline
def _is_small(out: NDArray[np.float32]) -> bool:
    return bool(out.shape[0] < _ROWS or out.shape[1] < LANES)


@inline
def _product(
    left: NDArray[np.float32],
    row_step: int,
    step: int,
    right: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    inner, width = right.shape
    flat, strips = left.reshape(-1), right.reshape(-1)
    if _is_small(out):
        _small(flat, row_step, step, inner, strips, width, out)
        return
    _strips(flat, row_step, step, inner, strips, width, LANES, width - LANES, out)


@inline
def multiply(
    left: NDArray[np.float32], right: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Write ``left @ right``: float32 [m, p], [p, n] and [m, n], each one piece of memory."""
    _product(left, left.shape[1], 1, right, out)


@inline
def multiply_transposed(
    left: NDArray[np.float32], right: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Write ``left.T @ right``: float32 [p, m], [p, n] and [m, n], each one piece of memory."""
    _product(left, 1, left.shape[1], right, out)


def panels_shape(count: int, width: int) -> tuple[int, int, int]:
    """Return the shape of the panels of so many rows, [panels, width, 16]."""
    return (count + LANES - 1) // LANES, width, LANES


@inline
def _panel_start(panel: int, count: int) -> int:
    """Return a panel's first row; the last panel ends with the last row."""
    return max(0, min(panel * LANES, count - LANES))


@inline
def pack_panel(rows: NDArray[np.float32], panel: int, panels: NDArray[np.float32]) -> None:
    """Copy sixteen rows of a matrix, transposed, into the panel of that number."""
    first = _panel_start(panel, len(rows))
    for d in range(rows.shape[1]):
        for k in range(min(LANES, len(rows))):
            panels[panel, d, k] = rows[first + k, d]


@inline
def multiply_panels(
    left: NDArray[np.float32], panels: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Write ``left @ rows.T`` for rows that were packed: float32 [m, width] and [m, rows].

    A panel's strip of memory stays in the first cache, whatever the number of rows is.
    """
    width = left.shape[1]
    flat, strips = left.reshape(-1), panels.reshape(-1)
    if _is_small(out):
        _small_by_panels(left, panels, out)
        return
    step = width * LANES
    _strips(flat, width, 1, width, strips, LANES, step, (len(panels) - 1) * step, out)


@inline
def _small_by_panels(
    left: NDArray[np.float32], panels: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    out[:] = _ZERO
    for panel in range(len(panels)):
        first = _panel_start(panel, out.shape[1])
        # A row that two panels hold is left to the last of them.
        last = first + LANES
        if panel + 1 < len(panels):
            last = min(last, _panel_start(panel + 1, out.shape[1]))
        for i in range(len(out)):
            for d in range(left.shape[1]):
                for k in range(first, min(last, out.shape[1])):
                    out[i, k] += left[i, d] * panels[panel, d, k - first]
