"""The validation set's own sampling error, by a bootstrap over its lines."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["REPLICATES", "bootstrap_log_losses"]

Float64 = NDArray[np.float64]

REPLICATES = 2000
#: Lines that are drawn at a time, which bounds the memory.
_DRAWN = 1 << 21


def bootstrap_log_losses(
    losses: Float64,
    line_weights: NDArray[np.float64 | np.int64],
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Float64:
    """Return the log-loss of each arm on validation sets made of lines drawn with replacement.

    Lines are drawn rather than examples, since examples of one line depend on each other. All arms
    see the same lines, so that differences are paired, and the ratio of summed losses and weights
    is taken anew each time, since lines differ in length.

    Parameters
    ----------
    losses : float64 array of shape [A, L]
        Summed loss, by weight, of each line.
    line_weights : float64 array of shape [L]
        Summed weights of each line's examples, positive.
    replicates : int
        R.
    seed : int

    Returns
    -------
    float64 array of shape [R, A]
    """
    columns = np.vstack([losses, line_weights]).T
    sums = np.vstack([t @ columns for t in _times_drawn(len(line_weights), replicates, seed)])
    return np.asarray(sums[:, :-1] / sums[:, -1:])


def _times_drawn(num_lines: int, replicates: int, seed: int) -> Iterator[Float64]:
    """Yield how often each line is drawn, for some replicates at a time: [some, L]."""
    generator = np.random.default_rng(seed)
    at_once = max(1, _DRAWN // num_lines)
    for start in range(0, replicates, at_once):
        some = min(at_once, replicates - start)
        drawn = generator.integers(num_lines, size=(some, num_lines))
        drawn += num_lines * np.arange(some)[:, np.newaxis]
        counts = np.bincount(drawn.ravel(), minlength=some * num_lines)
        yield counts.reshape(some, num_lines).astype(np.float64)
