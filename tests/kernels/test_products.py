"""Products of small matrices against numpy, at shapes on both sides of each block."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sstrain.kernels._jit import CHECKED, kernel
from sstrain.kernels.products import (
    multiply,
    multiply_panels,
    multiply_transposed,
    pack_panel,
    panels_shape,
)

Floats = NDArray[np.float32]
sizes = st.integers(1, 70)


@kernel
def plain(left: Floats, right: Floats, out: Floats) -> None:
    multiply(left, right, out)


@kernel
def transposed(left: Floats, right: Floats, out: Floats) -> None:
    multiply_transposed(left, right, out)


@kernel
def by_panels(left: Floats, rows: Floats, panels: Floats, out: Floats) -> None:
    for panel in range(len(panels)):
        pack_panel(rows, panel, panels)
    multiply_panels(left, panels, out)


def operands(m: int, p: int, n: int) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng([m, p, n])
    left, right = rng.standard_normal((m, p)), rng.standard_normal((p, n))
    return left.astype(np.float32), right.astype(np.float32), np.full((m, n), np.float32(np.nan))


def check(out: Floats, left: Floats, right: Floats) -> None:
    expected = left.astype(float) @ right.astype(float)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=2e-5)


@given(sizes, sizes, sizes)
@settings(deadline=None)
def test_products_of_all_shapes(m: int, p: int, n: int) -> None:
    left, right, out = operands(m, p, n)
    plain(left, right, out)
    check(out, left, right)
    out[:] = np.nan
    transposed(np.ascontiguousarray(left.T), right, out)
    check(out, left, right)
    out[:] = np.nan
    panels = np.full(panels_shape(n, p), np.float32(np.nan))
    by_panels(left, np.ascontiguousarray(right.T), panels, out)
    check(out, left, right)


def test_a_row_is_the_same_bits_whichever_rows_stand_beside_it() -> None:
    left, right, out = operands(45, 33, 50)
    plain(left, right, out)
    part = np.empty((20, 50), np.float32)
    plain(left[13:33], right, part)
    assert np.array_equal(part, out[13:33])


@pytest.mark.skipif(not CHECKED, reason="indices are checked in `make test`'s second pass")
def test_operands_that_do_not_fit_are_an_error_where_indices_are_checked() -> None:
    left, right, out = operands(16, 20, 32)
    with pytest.raises(IndexError, match="operands of a product out of bounds"):
        plain(left[:, :12].copy(), right, out)
