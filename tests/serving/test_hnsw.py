"""The graph of classes against float64 scores of all of them."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sstrain.errors import UserError
from sstrain.serving import hnsw

Float32 = NDArray[np.float32]


def clustered(num_classes: int, rank: int, seed: int) -> tuple[Float32, Float32, Float32]:
    """Return vectors in clusters of ten with log-normal norms, Zipf biases, queries near them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(num_classes // 10, rank))
    cluster = rng.integers(len(centres), size=num_classes)
    vectors = centres[cluster] + 0.7 * rng.normal(size=(num_classes, rank))
    vectors *= rng.lognormal(0, 0.4, (num_classes, 1)) * 3 / np.sqrt(rank)
    queries = centres[rng.integers(len(centres), size=200)] + 0.5 * rng.normal(size=(200, rank))
    counts = 1 / np.arange(1, num_classes + 1)
    arrays = vectors, np.log(counts / counts.sum()), queries
    return tuple(array.astype(np.float32) for array in arrays)  # type: ignore[return-value]


def build(vectors: Float32, bias: Float32) -> hnsw.Index:
    return hnsw.build(vectors, bias, lambda count: None)


def exact_scores(vectors: Float32, bias: Float32, queries: Float32) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = queries.astype(float) @ vectors.astype(float).T + bias
    return scores


def recall(vectors: Float32, bias: Float32, queries: Float32, k: int) -> float:
    found, _ = build(vectors, bias).search(queries, k)
    best = np.argsort(-exact_scores(vectors, bias, queries), axis=1)[:, :k]
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(found, best, strict=True)]))


@pytest.mark.parametrize("k", [1, 10])
def test_the_best_classes_are_found(k: int) -> None:
    assert recall(*clustered(3000, 24, seed=0), k) > 0.97


def test_what_all_vectors_share_does_not_matter() -> None:
    vectors, bias, queries = clustered(3000, 24, seed=1)
    far = (10 * np.random.default_rng(2).normal(size=24)).astype(np.float32)
    # 0.62 without the mean taken off.
    assert recall(vectors + far, bias - 40, queries, 10) > 0.97


def test_biases_may_spread_more_than_factors() -> None:
    # 0.54 without the division of biases.
    vectors, bias, queries = clustered(3000, 24, seed=1)
    thirty = np.float32(30)
    assert recall(vectors / thirty, bias, thirty * queries, 10) > 0.97


@pytest.mark.parametrize("seed", [3, 4])
def test_scores_are_those_of_the_classes_in_falling_order(seed: int) -> None:
    vectors, bias, queries = clustered(500, 8, seed)
    classes, scores = build(vectors, bias).search(queries, 20)
    assert classes.dtype == np.int32
    assert scores.dtype == np.float32
    assert classes.shape == scores.shape == (200, 20)
    assert all(len(set(row)) == 20 for row in classes)
    assert np.all(scores[:, 1:] <= scores[:, :-1])
    expected = np.take_along_axis(exact_scores(vectors, bias, queries), classes, 1)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)


def test_of_equal_scores_the_smaller_class_comes_first() -> None:
    vectors, bias, queries = clustered(60, 8, seed=5)
    twice = np.concatenate([vectors, vectors]), np.concatenate([bias, bias])
    classes, scores = build(*twice).search(queries, 120)
    assert np.all((scores[:, 1:] < scores[:, :-1]) | (classes[:, 1:] > classes[:, :-1]))
    assert np.any(scores[:, 1:] == scores[:, :-1])


@pytest.mark.parametrize("k", [700, 1000])
def test_all_classes_are_ranked_where_as_many_are_asked_for(k: int) -> None:
    vectors, bias, queries = clustered(700, 8, seed=6)
    classes, scores = build(vectors, bias).search(queries[:20], k)
    np.testing.assert_array_equal(np.sort(classes, axis=1), np.tile(np.arange(700), (20, 1)))
    best = -np.sort(-exact_scores(vectors, bias, queries[:20]), axis=1)
    np.testing.assert_allclose(scores, best, rtol=1e-5, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    num_classes=st.integers(1, 80),
    rank=st.integers(1, 5),
    k=st.integers(1, 100),
    spread=st.sampled_from([0.0, 1e-20, 1.0, 1e4]),
    seed=st.integers(0, 99),
)
def test_any_shape_gives_distinct_classes_with_their_scores(
    num_classes: int, rank: int, k: int, spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = (spread * rng.normal(size=(num_classes, rank))).astype(np.float32)
    bias = rng.normal(size=num_classes).astype(np.float32) * np.float32(rng.integers(2))
    queries = rng.normal(size=(3, rank)).astype(np.float32)
    classes, scores = build(vectors, bias).search(queries, k)
    assert classes.shape == (3, min(k, num_classes))
    assert all(len(set(row)) == len(row) for row in classes)
    expected = np.take_along_axis(exact_scores(vectors, bias, queries), classes, 1)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4 * max(1, spread))


def test_the_graph_depends_on_the_arrays_alone(tmp_path: Path) -> None:
    faiss = hnsw.load_faiss()
    vectors, bias, queries = clustered(2000, 8, seed=7)
    before = faiss.omp_get_max_threads()
    try:
        found = []
        for threads in (1, 2):
            faiss.omp_set_num_threads(threads)
            index = build(vectors, bias)
            assert faiss.omp_get_max_threads() == threads
            index.write(tmp_path / str(threads))
            found.append(index.search(queries, 5)[0])
    finally:
        faiss.omp_set_num_threads(before)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    np.testing.assert_array_equal(found[0], found[1])


def test_progress_counts_every_class() -> None:
    vectors, bias, _ = clustered(9000, 4, seed=8)
    done: list[int] = []
    hnsw.build(vectors, bias, done.append)
    assert len(done) > 1
    assert sum(done) == 9000


def test_a_graph_is_read_as_it_was_written(tmp_path: Path) -> None:
    vectors, bias, queries = clustered(1000, 8, seed=9)
    index = build(vectors, bias)
    index.write(tmp_path / "graph")
    again = hnsw.read(tmp_path / "graph", vectors, bias)
    for old, new in zip(index.search(queries, 10), again.search(queries, 10), strict=True):
        np.testing.assert_array_equal(old, new)
    size = (tmp_path / "graph").stat().st_size
    assert size == pytest.approx(hnsw.graph_bytes(1000, 8), rel=0.02)


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_a_damaged_file_is_told(content: bytes | None, tmp_path: Path) -> None:
    vectors, bias, _ = clustered(300, 8, seed=10)
    path = tmp_path / "graph"
    build(vectors, bias).write(path)
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    with pytest.raises(UserError, match=f"^{path}: damaged: it is no index of faiss's$"):
        hnsw.read(path, vectors, bias)


def test_a_graph_of_other_vectors_is_refused(tmp_path: Path) -> None:
    vectors, bias, _ = clustered(300, 8, seed=11)
    build(vectors, bias).write(tmp_path / "graph")
    found = "found IndexHNSWFlat of 300 vectors in 9 dimensions; expected IndexHNSWFlat of"
    with pytest.raises(UserError, match=f"damaged: {found} 299 in 9"):
        hnsw.read(tmp_path / "graph", vectors[1:], bias[1:])
    with pytest.raises(UserError, match=f"damaged: {found} 300 in 8"):
        hnsw.read(tmp_path / "graph", vectors[:, 1:], bias)


def test_a_graph_of_another_kind_is_refused(tmp_path: Path) -> None:
    faiss = hnsw.load_faiss()
    vectors, bias, _ = clustered(300, 8, seed=12)
    flat = faiss.IndexFlatIP(9)
    flat.add(np.column_stack([vectors, bias]))
    faiss.write_index(flat, str(tmp_path / "graph"))
    with pytest.raises(UserError, match="damaged: found IndexFlatIP of 300 vectors"):
        hnsw.read(tmp_path / "graph", vectors, bias)


def test_a_full_disk_is_an_error_of_the_system() -> None:
    index = build(*clustered(300, 8, seed=13)[:2])
    with pytest.raises(OSError, match="No space left on device"):
        index.write(Path("/dev/full"))


def test_without_faiss_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UserError, match=r"not installed; pip install 'sstrain\[index\]'$"):
        hnsw.load_faiss()
