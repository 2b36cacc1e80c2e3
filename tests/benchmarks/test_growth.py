"""Growth: sizes that fit, slopes, what is kept of points measured before."""

from pathlib import Path

import growth
import numpy as np
import pytest
from growth_picture import draw
from synthetic import make_data


def line(kind: str, power: float, axis: str = "V") -> list[growth.Point]:
    sizes = (1e3, 1e4, 1e5, 1e6)
    return [growth.Point(axis, kind, size, 1e-9 * size**power) for size in sizes]


def test_a_slope_is_the_power_of_the_growth() -> None:
    points = line("exact dense", 1.5)
    assert growth.slope(points) == pytest.approx(1.5)
    bent = [growth.Point("V", "exact dense", 1e2, 1.0), *points]
    assert growth.slope(bent, 1e3) == pytest.approx(1.5)
    assert growth.slope(bent, 1e6) is None


@pytest.mark.parametrize(
    ("kind", "power", "said"),
    [
        ("exact dense", 1.05, "met"),
        ("exact hashed", 0.8, "missed"),
        ("exact low-rank", 1.2, "missed"),
        ("sampled hashed", 0.05, "met"),
        ("sampled low-rank", 0.2, "missed"),
        ("sampled dense", 0.2, ""),
    ],
)
def test_slopes_in_the_classes_have_goals(kind: str, power: float, said: str) -> None:
    assert growth.verdict("V", kind, growth.slope(line(kind, power))) == said
    assert growth.verdict("n", kind, power) == ""


def test_the_table_has_a_row_for_each_line_of_the_picture() -> None:
    points = (
        line("exact dense", 1.0) + line("sampled hashed", 0.01) + line("sampled hashed", 1, "n")
    )
    lines = list(growth.rows(points))
    assert len(lines) == 2 + 3
    assert lines[2].endswith("| 1.00 | met |")
    assert draw(points, list(growth.AXES), growth.KINDS).startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", growth.KINDS)
@pytest.mark.parametrize("axis", growth.AXES)
def test_points_vary_one_size_and_fit_into_memory(axis: str, kind: str) -> None:
    found = list(growth.sizes_of(axis, kind))
    assert len({(sizes.V, sizes.n, sizes.K, sizes.D, sizes.batch) for sizes in found}) <= len(found)
    if axis == "K" and kind.startswith("exact"):
        assert not found
    elif axis == "D" and kind.endswith("dense"):
        assert [sizes.D for sizes in found] == [1_000, 10_000, 100_000]
    else:
        assert [getattr(sizes, axis) for sizes in found] == list(growth.AXES[axis])


def test_points_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "growth.csv"
    assert growth.read_points(path) == []
    growth.write_points(path, line("sampled hashed", 0.3))
    assert growth.read_points(path) == line("sampled hashed", 0.3)


@pytest.mark.parametrize("kind", growth.KINDS)
def test_a_small_point_is_measured(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "EXAMPLES", 512)
    sizes = growth.Sizes(V=200, n=4, K=8, D=300, batch=16)
    point = growth.measure("n", kind, sizes, seconds=0.0)
    assert (point.axis, point.kind) == ("n", kind)
    assert 3 < point.size <= 4
    assert point.seconds > 0


def test_features_and_classes_follow_the_law_of_zipf() -> None:
    dataset, vocabulary = make_data(np.random.default_rng(1), 1000, 500, 6, 20_000)
    assert dataset.num_examples == 20_000
    assert (vocabulary.num_classes, vocabulary.num_features) == (1000, 500)
    rows = np.diff(dataset.indptr)
    assert rows.max() == 6
    assert all(
        np.all(np.diff(dataset.indices[dataset.indptr[i] : dataset.indptr[i + 1]]) > 0)
        for i in range(100)
    )
    shares = np.bincount(dataset.targets, minlength=1000) / 20_000
    assert shares[0] == pytest.approx(1 / np.log2(1001), abs=0.02)
    assert shares[:10].sum() == pytest.approx(np.log(11) / np.log(1001), abs=0.02)
