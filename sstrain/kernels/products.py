"""Products of small matrices, eight rows by sixteen columns at a time in registers.

A product of a batch, its candidates and a rank of a few dozen numbers is too small for a BLAS to
repay its own preparations. A sum runs over the inner dimension from its first index to its last,
so that what a number comes to does not depend on how rows are shared among threads.
"""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import CHECKED, inline, unsigned
from sstrain.kernels.lanes import LANES, Lanes, load_lanes, multiply_add, store_lanes

__all__ = ["multiply", "multiply_panels", "multiply_transposed", "pack_panel", "panels_shape"]

#: Rows whose sums are in registers at a time, one vector each.
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
) -> tuple[Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes]:
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
def _strip(
    left: NDArray[np.float32],
    row_step: int,
    step: int,
    inner: int,
    right: NDArray[np.float32],
    right_at: int,
    right_step: int,
    out: NDArray[np.float32],
    column: int,
) -> None:
    """Write sixteen columns of a product of at least eight rows.

    ``left`` and ``right`` are flat. Between rows of the left operand lie ``row_step`` numbers, from
    one inner index to the next ``step`` and ``right_step``.
    """
    num_rows, num_columns = out.shape
    if CHECKED and (
        (num_rows - 1) * row_step + (inner - 1) * step >= len(left)
        or right_at + (inner - 1) * right_step + LANES > len(right)
        or column + LANES > num_columns
    ):
        raise IndexError("operands of a product out of bounds")
    flat = out.reshape(-1)
    for start in range(0, num_rows, _ROWS):
        # The last rows are those that end the matrix; some may be computed twice.
        row = min(start, num_rows - _ROWS)
        at = row * row_step
        sums = _eight_rows(left, at, row_step, step, inner, right, right_at, right_step)
        place = row * num_columns + column
        store_lanes(flat, place, sums[0])
        store_lanes(flat, place + num_columns, sums[1])
        store_lanes(flat, place + 2 * num_columns, sums[2])
        store_lanes(flat, place + 3 * num_columns, sums[3])
        store_lanes(flat, place + 4 * num_columns, sums[4])
        store_lanes(flat, place + 5 * num_columns, sums[5])
        store_lanes(flat, place + 6 * num_columns, sums[6])
        store_lanes(flat, place + 7 * num_columns, sums[7])


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
    for start in range(0, width, LANES):
        column = min(start, width - LANES)
        _strip(flat, row_step, step, inner, strips, column, width, out, column)


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
    for panel in range(len(panels)):
        column = _panel_start(panel, out.shape[1])
        at = panel * width * LANES
        _strip(flat, width, 1, width, strips, at, LANES, out, column)


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
