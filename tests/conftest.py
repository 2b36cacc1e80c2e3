"""Lets every test import the references as ``reference.name``, by standing in this folder.

The benchmarks' package is on the path too, behind all else so that it hides nothing. The runs that
many tests read are trained once; a test that changes one copies it first.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import DATA_CACHE, sequence_text, sstrain, svmlight_text

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

#: Trained too long, so that the best checkpoint, of step 26, is not the last, of step 39.
SVMLIGHT_CONFIG = """\
seed: 3
output: run
data:
  train: {path: train.svm, format: svmlight}
  validation: {path: valid.svm}
  test: {path: test.svm}
objective: {type: importance}
sampler: {type: unigram, num_samples: 6}
optimizer: {learning_rate: 1.0}
training: {epochs: 3, batch_size: 16, log_every: 5 steps}
checkpoint: {keep: 2}
"""

SEQUENCE_CONFIG = """\
output: run
data:
  train: {path: train.txt, format: sequence, context: 4, positions: 2, min_count: 3}
  test: 0.2
training: {epochs: 1, batch_size: 32}
evaluation: {top_k: [1, 3]}
"""

#: What the test file has and training has not: two labels, three occurrences of two features.
UNKNOWN = "777 1:1 2:0.5\n7 3:1\n10 1:1 500:2\n20 500:1 600:1\n30\n"


@pytest.fixture(scope="session", autouse=True)
def data_cache() -> Iterator[Path]:
    """The cache of data that the tests use, also within their own process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSTRAIN_DATA_CACHE", DATA_CACHE.name)
        yield Path(DATA_CACHE.name)


@pytest.fixture(scope="session")
def svmlight_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on svmlight files, with a validation and a test file.

    Beside it stand its config, ``config.yaml``, its data, and ``stdout`` and ``stderr`` of train.
    """
    folder = tmp_path_factory.mktemp("svmlight")
    (folder / "train.svm").write_text(svmlight_text(200, 12, 20, seed=1))
    (folder / "valid.svm").write_text(svmlight_text(70, 12, 20, seed=2))
    (folder / "test.svm").write_text(svmlight_text(83, 12, 20, seed=3) + UNKNOWN)
    return trained(folder, SVMLIGHT_CONFIG)


@pytest.fixture(scope="session")
def sequence_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on a text, without validation; the rest is as in `svmlight_run`."""
    folder = tmp_path_factory.mktemp("sequence")
    (folder / "train.txt").write_text(sequence_text(150, 30, seed=1) + "once upon a time\n" * 2)
    return trained(folder, SEQUENCE_CONFIG)


def trained(folder: Path, config: str) -> Path:
    """Train in a process of its own."""
    (folder / "config.yaml").write_text(config)
    done = sstrain("train", "--config", "config.yaml", folder=folder)
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    (folder / "stderr").write_text(done.stderr)
    return folder / "run"
