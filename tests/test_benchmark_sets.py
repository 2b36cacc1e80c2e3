"""What the benchmarks draw: sessions, the large set."""

import importlib
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(params=[1, 2])
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module(name)


def draw(module: ModuleType, folder: Path, *options: str) -> str:
    result = CliRunner().invoke(module.main, [str(folder), *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_sessions_are_a_function_of_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = load("sessions", monkeypatch)
    texts = {}
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        draw(sessions, tmp_path / name, "--items=900", "--sessions=1000", f"--seed={seed}")
        texts[name] = [(tmp_path / name / f"{x}.txt").read_text() for x in ("train", "test")]
    assert texts["a"] == texts["b"] != texts["c"]
    train, test = (text.splitlines() for text in texts["a"])
    assert (len(train), len(test)) == (900, 100)
    lengths = [len(line.split()) for line in train]
    assert min(lengths) == 2
    # Five standard errors of a geometric mean with p = 1/4 over 900 sessions.
    assert np.mean(lengths) == pytest.approx(5, abs=5 * np.sqrt(12 / 900))
    ids = {int(word) for line in train for word in line.split()}
    assert min(ids) >= 1
    assert max(ids) <= 900


def test_neighbours_stay_in_their_category(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    catalogue = load("sessions", monkeypatch).make_catalogue(np.random.default_rng(seed), 2000)
    assert (catalogue.neighbours >= catalogue.first[:, np.newaxis]).all()
    assert (catalogue.neighbours < catalogue.last[:, np.newaxis]).all()


def test_neighbour_hit_rate_of_three_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = load("sessions", monkeypatch)
    train = (np.array([[0, 1, 0], [1, 2, 9]]), np.array([3, 2]))
    # 0 -> 1 and 1 -> 2 have stood together, 0 -> 2 has not; 0 -> 0 is no neighbour.
    test = (np.array([[0, 1, 2], [0, 2, 9], [0, 0, 9]]), np.array([3, 2, 2]))
    assert sessions.neighbour_hit_rate(train, test, 10) == pytest.approx(2 / 4)


def test_large_set_holds_every_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    large = load("large", monkeypatch)
    sizes = ("--classes=500", "--features=5000", "--examples=2000", "--test=300")
    draw(large, tmp_path, *sizes, f"--seed={seed}")
    rows = [line.split() for line in (tmp_path / "train.svm").read_text().splitlines()]
    assert len(rows) == 2000
    assert len((tmp_path / "test.svm").read_text().splitlines()) == 300
    labels = Counter(int(row[0]) for row in rows)
    assert set(labels) == set(range(500))
    assert labels.most_common(1)[0][0] == 0
    own = 0
    for row in rows:
        features = [int(pair.removesuffix(":1")) for pair in row[1:]]
        assert features == sorted(set(features))
        assert len(features) == 10
        assert features[0] >= 0
        assert features[-1] < 5000
        slots = large.own_features(np.full(20, int(row[0])), np.arange(20), 5000)
        own += len(set(features) & set(slots.tolist()))
    # Drawing repetitions anew takes more from an example's own set of 20 than from the noise.
    assert 0.65 < own / 20_000 < 0.76


def test_more_classes_than_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = load("large", monkeypatch)
    result = CliRunner().invoke(large.main, [str(tmp_path), "--classes=10", "--examples=9"])
    assert result.exit_code == 2
    assert "9 cannot hold each of 10 classes" in result.output
