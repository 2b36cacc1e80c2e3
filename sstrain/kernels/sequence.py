"""CSR rows from sequences of tokens."""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import kernel

__all__ = ["context_rows"]


@kernel
def context_rows(
    tokens: NDArray[np.int32],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    shape: tuple[int, int, int],
    counted: bool,
    more: NDArray[np.int32],
    indptr: NDArray[np.int64],
    features: NDArray[np.int32],
    values: NDArray[np.float32],
) -> None:
    """Write one row for each stretch of tokens: its last ones as a bag, by position, and joined.

    Token t has feature ``t * (positions + 1)`` in the bag, and ``t * (positions + 1) + p`` where it
    stands p places before the stretch's end; both are doubled if there may be more features.

    Parameters
    ----------
    tokens : int32 array
    starts, ends : int64 arrays of shape [N]
    shape : tuple of int
        ``context``, the tokens of the bag; ``positions``; and the number of distinct tokens.
    counted : bool
        Whether a token's value in the bag is how often it stands there, or 1.
    more : int32 array of shape [N, C]
        Other features of each row, different odd numbers, or -1 for none.
    indptr : int64 array of shape [N + 1]
    features, values : int32 and float32 arrays
        Long enough for all that the rows hold; filled in place up to the last ``indptr``.
    """
    context, positions, num_tokens = shape
    factor = 2 if more.shape[1] > 0 else 1
    stride = factor * (positions + 1)
    row_of_token = np.full(num_tokens, -1, np.int64)
    entry_of_token = np.empty(num_tokens, np.int64)
    entry = 0
    indptr[0] = 0
    for row in range(len(ends)):
        for place in range(max(starts[row], ends[row] - context), ends[row]):
            token = tokens[place]
            if row_of_token[token] == row:
                values[entry_of_token[token]] += np.float32(1 if counted else 0)
            else:
                row_of_token[token] = row
                entry_of_token[token] = entry
                features[entry] = token * stride
                values[entry] = 1
                entry += 1
        for position in range(1, min(positions, ends[row] - starts[row]) + 1):
            features[entry] = tokens[ends[row] - position] * stride + factor * position
            values[entry] = 1
            entry += 1
        for column in range(more.shape[1]):
            if more[row, column] >= 0:
                features[entry] = more[row, column]
                values[entry] = 1
                entry += 1
        indptr[row + 1] = entry
