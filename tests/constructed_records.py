"""Records of cells whose figures are chosen."""

import numpy as np
from numpy.typing import NDArray

from sstrain.comparison.records import Arm, CellRecord

EXACT = Arm("exact")
#: Examples of each of 60 validation lines.
LINE_COUNTS: NDArray[np.int64] = np.random.default_rng(7).integers(3, 20, 60)
#: What `rank` is told of the lines.
LINES = LINE_COUNTS, int(LINE_COUNTS.sum())
#: How hard each line is, whatever the arm.
HARDNESS: NDArray[np.float64] = np.random.default_rng(8).normal(0, 0.5, 60)


def arm(sampler: str, num_samples: int = 16) -> Arm:
    return Arm("importance", sampler, num_samples)


def finished(
    arm: Arm,
    seed: int,
    log_loss: float,
    *,
    cpu_seconds: float = 10.0,
    lines: NDArray[np.float64] | None = None,
) -> CellRecord:
    """Return a cell with a log-loss; ``lines`` is what each line's differs from it by, if any.

    The lines' part is shifted so that the log-loss is the given one.
    """
    apart = HARDNESS + (0.0 if lines is None else lines)
    apart = apart - (apart * LINE_COUNTS).sum() / LINE_COUNTS.sum()
    results = {
        "log_loss": log_loss,
        "top_1": 0.25 + seed / 100,
        "cpu_seconds": cpu_seconds,
        "candidates_scored": 1000 * seed,
        "examples": 100,
    }
    losses = (log_loss + apart) * LINE_COUNTS
    return CellRecord(arm, seed, "finished", results=results, line_losses=losses)


def diverged(arm: Arm, seed: int) -> CellRecord:
    return CellRecord(arm, seed, "diverged", "after step 3: not finite")
