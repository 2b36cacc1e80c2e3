"""Targets of a batch as draws for one another."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels.proposal import begin_example, draw_class, write_log_q

__all__ = ["BatchTargets"]


class BatchTargets(NamedTuple):
    """The targets of a batch in a circle; an example draws those that follow its own, in order."""

    targets: NDArray[np.int32]  # [B]
    log_q: NDArray[np.float64]  # [V], of a target that is drawn from the training examples
    log_share: float  # the log of how much of its q each draw stands for


def _begin_example(proposal: BatchTargets, i: int, tile: int) -> None:
    pass


def _draw_class(proposal: BatchTargets, i: int, tile: int, key: np.uint64, index: int) -> int:
    return int(proposal.targets[(i + 1 + index) % len(proposal.targets)])


def _write_log_q(
    proposal: BatchTargets, i: int, tile: int, classes: NDArray[np.int32], out: NDArray[np.float64]
) -> None:
    for k in range(len(classes)):
        out[k] = proposal.log_q[classes[k]] + proposal.log_share


begin_example.register(BatchTargets, _begin_example)
draw_class.register(BatchTargets, _draw_class)
write_log_q.register(BatchTargets, _write_log_q)
