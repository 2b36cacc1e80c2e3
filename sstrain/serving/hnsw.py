"""Maximum inner product search on a graph of the classes; the only module that calls faiss.

A low-rank model's scores ``h . C_c + b_c`` are the inner products of ``(C_c, b_c)`` with the query
``(h, 1)``. The index is a hierarchical navigable small world graph (HNSW; Malkov and Yashunin 2018)
with the inner product in the place of a distance, on vectors that are changed first in two ways
that leave each query's order of classes as it is:

- The mean of all vectors is taken off, which takes the same number off all scores of a query.
- The bias is divided by a number, and the query's 1 multiplied by it, so that biases spread as a
  coordinate of C does on average.

Both are needed. The graph joins vectors of large inner product *with each other*; with biases near
-12 those are the rarest classes, whatever the factors say, and no query finds its way: at
V = 115,172, r = 100 (placenames) recall of the top 10 was 0.02 without the two, 0.98 with the mean
taken off, 0.991 with both; at V = 29,127 (novels), where biases reach from -14 to -2.6, 0.74 with
the mean taken off and 0.997 with both.

The alternatives, after the same changes, one query at a time on one thread: recall of the top 10,
and in brackets queries a second as a multiple of an exact scan's.

============================== ============ ============ ============
index                          placenames   novels       log-normal
============================== ============ ============ ============
HNSW, 64 candidates            0.973 (11)   0.987 (2.5)  0.956 (14)
HNSW, 128 candidates           0.991 (6.3)  0.997 (1.3)  0.985 (6.4)
IVF, 32 of sqrt(V) cells       0.862 (12)   0.892 (3.4)  0.922 (7.5)
IVF, 128 of sqrt(V) cells      0.969 (2.5)  0.994 (0.96) 0.976 (1.8)
IVF on L2, 64 cells            0.929 (9.9)  0.994 (3.2)  0.810 (8.0)
IVF on L2, 128 cells           0.978 (3.9)  1.000 (1.1)  0.894 (3.6)
HNSW on L2, 128 candidates     0.854 (6.1)  0.785 (1.2)  0.684 (7.1)
============================== ============ ============ ============

(log-normal: V = 100,000, r = 100, drawn in 2,000 clusters, norms log-normal with deviation 0.4,
Zipf biases, queries near clusters; "on L2": one more coordinate ``sqrt(M^2 - |c|^2)`` makes the
nearest vector the one of the largest inner product, Bachrach and others 2014.) The graph has the
best recall for its time on the first and the third; on novels IVF on L2 is a little better, but it
falls far behind where norms vary. The graph takes ten times as long to build as IVF: about 10 CPU
seconds for 100,000 classes, 160 for a million (drawn as the log-normal set; recall of the top 10 is
0.94 there). At 12,582 classes (wordnet, r = 64) an exact scan in batches is the faster one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain.errors import UserError

if TYPE_CHECKING:
    import faiss

__all__ = ["KIND", "PARAMETERS", "Index", "build", "graph_bytes", "load_faiss", "read"]

Float32 = NDArray[np.float32]

KIND = "hnsw"
#: Neighbours of a class, and candidates held while it is joined to the graph: on placenames both
#: 20 and 100 gave a lower recall.
PARAMETERS = {"neighbours": 32, "build_candidates": 40}
#: Candidates held by a search; at least twice as many as classes are asked for.
_CANDIDATES = 128
#: Classes that are added at once: a signal is heard, and progress told, between two blocks.
_BLOCK = 1 << 13


def load_faiss() -> Any:
    """Return the module ``faiss``.

    Raises
    ------
    UserError
        If it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise UserError(
            "an approximate index needs the package faiss-cpu, which is not installed; "
            "pip install 'sstrain[index]'"
        ) from error
    return faiss


class Index:
    """The classes of one model, to be searched for those of the highest scores.

    Parameters
    ----------
    graph : faiss.IndexHNSWFlat
        Of the changed vectors; see the module.
    vectors : float32 array of shape [V, r]
        The class factors C.
    bias : float32 array of shape [V]
    """

    def __init__(self, graph: "faiss.IndexHNSWFlat", vectors: Float32, bias: Float32) -> None:
        self._graph = graph
        self._vectors = vectors
        self._bias = bias
        self._bias_divisor = _bias_divisor(vectors, bias)

    @property
    def num_classes(self) -> int:
        """V."""
        return len(self._bias)

    def search(self, queries: Float32, k: int) -> tuple[NDArray[np.int32], Float32]:
        """Return the classes of the highest scores that are found, and these scores.

        The scores are those of the model; which classes are found does not depend on the number
        of threads.

        Parameters
        ----------
        queries : float32 array of shape [B, r]
            The pooled features h of each example.
        k : int
            How many classes; V if there are fewer.

        Returns
        -------
        classes : int32 array of shape [B, k]
            Best first; of equal scores the smaller class id comes first.
        scores : float32 array of shape [B, k]
        """
        k = min(k, self.num_classes)
        parameters = load_faiss().SearchParametersHNSW()
        parameters.efSearch = max(_CANDIDATES, 2 * k)
        divisors = np.full(len(queries), self._bias_divisor, np.float32)
        found = self._graph.search(np.column_stack([queries, divisors]), k, params=parameters)[1]
        # Fewer than k are found where the graph leads no further; other ids no whole index holds.
        complete = np.all((found >= 0) & (found < self.num_classes), axis=1)
        for row in np.flatnonzero(~complete):
            found[row] = self._exact(queries[row], k)
        return self._in_order(queries, found.astype(np.int32))

    def _exact(self, query: Float32, k: int) -> NDArray[np.intp]:
        scores = self._vectors @ query + self._bias
        return np.argsort(-scores, kind="stable")[:k]

    def _in_order(
        self, queries: Float32, classes: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], Float32]:
        scores = np.empty(classes.shape, np.float32)
        for row, ids in enumerate(classes):
            scores[row] = self._vectors[ids] @ queries[row] + self._bias[ids]
        order = np.lexsort((classes, -scores), axis=1)
        return np.take_along_axis(classes, order, 1), np.take_along_axis(scores, order, 1)

    def write(self, path: Path) -> None:
        """Write the graph as faiss's own file.

        Raises
        ------
        OSError
            If it cannot be written; a part of it may be left.
        """
        faiss = load_faiss()
        # Not by its name: faiss would not tell when the last bytes find no room.
        with path.open("wb") as file:
            faiss.write_index(self._graph, faiss.PyCallbackIOWriter(file.write))


def build(vectors: Float32, bias: Float32, advance: Callable[[int], object]) -> Index:
    """Join all classes to a graph, which depends on nothing but the arrays.

    One thread does it: with several, the graph would depend on which came first.

    Parameters
    ----------
    vectors : float32 array of shape [V, r]
    bias : float32 array of shape [V]
    advance : callable
        Told the number of classes of each block that is done.

    Raises
    ------
    UserError
        If faiss is not installed.
    """
    faiss = load_faiss()
    graph = faiss.IndexHNSWFlat(
        vectors.shape[1] + 1, PARAMETERS["neighbours"], faiss.METRIC_INNER_PRODUCT
    )
    graph.hnsw.efConstruction = PARAMETERS["build_candidates"]
    centre, mean_bias = _column_means(vectors), bias.mean(dtype=np.float64)
    divisor = _bias_divisor(vectors, bias)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        for start in range(0, len(vectors), _BLOCK):
            rows = slice(start, start + _BLOCK)
            block = np.column_stack([vectors[rows] - centre, (bias[rows] - mean_bias) / divisor])
            graph.add(block.astype(np.float32))
            advance(len(block))
    finally:
        faiss.omp_set_num_threads(threads)
    return Index(graph, vectors, bias)


def _column_means(vectors: Float32) -> Float32:
    means: Float32 = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return means


def _bias_divisor(vectors: Float32, bias: Float32) -> float:
    """Return how many times as far as a coordinate of the vectors the biases spread; 1 for none."""
    # Without a copy of all vectors.
    second_moments = np.einsum("cj,cj->j", vectors, vectors) / len(vectors)
    variances = second_moments - _column_means(vectors).astype(np.float64) ** 2
    spread, bias_spread = np.sqrt(max(float(variances.mean()), 0)), float(bias.std())
    return bias_spread / spread if spread > 0 and bias_spread > 0 else 1.0


def graph_bytes(num_classes: int, rank: int) -> int:
    """Return the bytes that a graph takes in memory and, nearly, in its file."""
    # The vector; neighbours, in the lowest layer twice as many; where they begin; the layer.
    return num_classes * (4 * (rank + 1) + 4 * (2 * PARAMETERS["neighbours"] + 1) + 8 + 4)


def read(path: Path, vectors: Float32, bias: Float32) -> Index:
    """Read the graph of a model's classes.

    Parameters
    ----------
    path : Path
        What `Index.write` wrote.
    vectors : float32 array of shape [V, r]
    bias : float32 array of shape [V]

    Raises
    ------
    UserError
        If faiss is not installed, or the file is damaged or of other vectors.
    """
    faiss = load_faiss()
    try:
        graph = faiss.read_index(str(path))
    except RuntimeError as error:
        raise UserError(f"{path}: damaged: it is no index of faiss's") from error
    found = (type(graph).__name__, graph.metric_type, graph.ntotal, graph.d)
    num_classes, rank = vectors.shape
    if found != ("IndexHNSWFlat", faiss.METRIC_INNER_PRODUCT, num_classes, rank + 1):
        raise UserError(
            f"{path}: damaged: found {found[0]} of {graph.ntotal:,} vectors in {graph.d} "
            f"dimensions; expected IndexHNSWFlat of {num_classes:,} in {rank + 1}"
        )
    return Index(graph, vectors, bias)
