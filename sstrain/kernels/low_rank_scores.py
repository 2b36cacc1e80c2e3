"""A low-rank model's scores of all classes, for evaluation: blocks of classes."""

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed
from sstrain.kernels.averaging import averaged
from sstrain.kernels.lanes import LANES
from sstrain.kernels.linear_exact import BLOCK, blocks_of
from sstrain.kernels.low_rank import rows_of
from sstrain.kernels.products import multiply_panels, pack_panel
from sstrain.kernels.tables import DenseTable

__all__ = ["low_rank_score_all"]


@inline
def _score_block(
    table: DenseTable,
    bias: NDArray[np.float32],
    average: Any,
    bias_average: Any,
    pooled: NDArray[np.float32],
    start: int,
    scores: NDArray[np.float32],
) -> None:
    num_classes = scores.shape[1]
    rows = np.empty((num_classes, table.width), np.float32)
    vectors = rows_of(average, table, start, rows)
    panels = np.empty(((num_classes + LANES - 1) // LANES, table.width, LANES), np.float32)
    for panel in range(len(panels)):
        pack_panel(vectors, panel, panels)
    product = np.empty((len(pooled), num_classes), np.float32)
    multiply_panels(pooled, panels, product)
    biases = np.empty(num_classes, np.float32)
    for k in range(num_classes):
        biases[k] = averaged(bias_average, bias[start + k], start + k)
    for i in range(len(scores)):
        for k in range(num_classes):
            scores[i, k] = product[i, k] + biases[k]


@parallel_kernel
def low_rank_score_all(
    table: DenseTable,
    bias: NDArray[np.float32],
    average: Any,
    bias_average: Any,
    pooled: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Write the scores of all classes, float32 [B, V], by the averaged weights if there are any."""
    for block in prange(blocks_of(len(bias))):
        start = signed(block) * BLOCK
        stop = min(start + BLOCK, len(bias))
        _score_block(table, bias, average, bias_average, pooled, start, scores[:, start:stop])
