"""Decimal numbers in a buffer of bytes.

Every function reads ``text`` from a position on, and relies on a newline at its end.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline

__all__ = [
    "MAX_DIGITS",
    "Decimal",
    "nearest_float32",
    "read_decimal",
    "read_digits",
    "whole_number",
]

#: Digits that an int64 always holds.
MAX_DIGITS = 18

_ZERO, _NINE, _POINT, _PLUS, _MINUS = 48, 57, 46, 43, 45
_UPPER_E, _LOWER_E = 69, 101
_LARGEST_WHOLE = 2**53
_MAX_EXPONENT = 280
_POWERS = np.array([float(f"1e{k}") for k in range(_MAX_EXPONENT + 1)])
_MARGIN = 2.0**-49


class Decimal(NamedTuple):
    """``(-1)^negative * mantissa * 10^exponent``, but for digits beyond the 18th."""

    end: int  # the position after it; -1 where there is no number
    negative: bool
    mantissa: int
    exponent: int
    cut: bool  # a digit that is not 0 was left out


@inline
def is_digit(byte: int) -> bool:
    """Return whether a byte is one of 0 to 9."""
    return _ZERO <= byte <= _NINE


@inline
def _digit(text: NDArray[np.uint8], position: int) -> int:
    return np.int64(text[position]) - _ZERO  # type: ignore[return-value]


@inline
def read_digits(text: NDArray[np.uint8], position: int, value: int) -> tuple[int, int]:
    """Append digits to a number; it is right while it has up to ``MAX_DIGITS``.

    Returns
    -------
    position, value : int
        Where the digits end, and the number with them.
    """
    while is_digit(text[position]):
        value = 10 * value + _digit(text, position)
        position += 1
    return position, value


@inline
def _read_exponent(text: NDArray[np.uint8], position: int) -> tuple[int, int]:
    """Return the position after ``e-12`` (-1 if it is none) and the -12."""
    position += 1
    negative = text[position] == _MINUS
    if negative or text[position] == _PLUS:
        position += 1
    if not is_digit(text[position]):
        return -1, 0
    exponent = 0
    while is_digit(text[position]):
        exponent = min(10 * exponent + _digit(text, position), 10**9)
        position += 1
    return position, -exponent if negative else exponent


@inline
def _read_long_mantissa(text: NDArray[np.uint8], position: int) -> tuple[int, int, bool]:
    """Return the first significant digits as mantissa and exponent, and if others were cut."""
    mantissa, exponent, num_digits = 0, 0, 0
    in_fraction, cut = False, False
    while is_digit(text[position]) or (text[position] == _POINT and not in_fraction):
        if text[position] == _POINT:
            in_fraction = True
        elif num_digits < MAX_DIGITS:
            mantissa = 10 * mantissa + _digit(text, position)
            num_digits += mantissa > 0
            exponent -= in_fraction
        else:
            cut = cut or text[position] != _ZERO
            exponent += not in_fraction
        position += 1
    return mantissa, exponent, cut


@inline
def read_decimal(text: NDArray[np.uint8], position: int) -> Decimal:
    """Read a number such as ``-12``, ``.5``, ``3.`` or ``1.5E-7``."""
    negative = text[position] == _MINUS
    if negative or text[position] == _PLUS:
        position += 1
    start = position
    position, mantissa = read_digits(text, start, 0)
    num_digits, exponent, cut = position - start, 0, False
    if text[position] == _POINT:
        point = position
        position, mantissa = read_digits(text, point + 1, mantissa)
        exponent = point + 1 - position
        num_digits -= exponent
    if num_digits == 0:
        return Decimal(-1, negative, mantissa, exponent, cut)
    if num_digits > MAX_DIGITS:
        mantissa, exponent, cut = _read_long_mantissa(text, start)
    if text[position] == _LOWER_E or text[position] == _UPPER_E:
        position, power = _read_exponent(text, position)
        exponent += power
    return Decimal(position, negative, mantissa, exponent, cut)


@inline
def nearest_float32(decimal: Decimal) -> tuple[np.float32, bool]:
    """Return the float32 that the nearest float64 rounds to, and whether it is certain.

    Both the approximate size below and the float64 that is nearest to the decimal number differ
    from it by less than 2^-50 of it, so that the latter lies within the margin of the former.
    Rounding keeps order: where both ends of the margin round to the same float32, so does it.
    They do not once in some ten million numbers.
    """
    mantissa, exponent = float(decimal.mantissa), decimal.exponent
    if mantissa == 0:
        return np.float32(0), True
    if not -_MAX_EXPONENT <= exponent <= _MAX_EXPONENT:
        return np.float32(0), False
    size = mantissa / _POWERS[-exponent] if exponent < 0 else mantissa * _POWERS[exponent]
    below, above = np.float32(size * (1 - _MARGIN)), np.float32(size * (1 + _MARGIN))
    return -below if decimal.negative else below, below == above


@inline
def whole_number(decimal: Decimal) -> tuple[int, bool]:
    """Return the whole number up to 2^53 that a decimal number is, and whether it is one.

    A number that is whole and larger comes back as ``2^53 + 1``, with its sign.
    """
    mantissa, exponent = decimal.mantissa, decimal.exponent
    sign = -1 if decimal.negative else 1
    if decimal.cut and exponent < 0:
        return 0, False
    while exponent < 0 and mantissa > 0 and mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
    if exponent < 0 and mantissa > 0:
        return 0, False
    while exponent > 0 and 0 < mantissa <= _LARGEST_WHOLE:
        mantissa *= 10
        exponent -= 1
    return sign * min(mantissa, _LARGEST_WHOLE + 1), True
