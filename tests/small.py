"""Small problems that many tests share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.config.sections import Config
from sstrain.data.batches import Batch, BatchReader
from sstrain.data.dataset import Dataset
from sstrain.data.vocabulary import Vocabulary
from sstrain.objectives import OBJECTIVES
from sstrain.objectives.base import Examples
from sstrain.optim import OPTIMIZERS
from sstrain.samplers import PROPOSALS, build_sampler
from sstrain.training.gradient import sampler_setting


def make_vocabulary(num_classes: int, num_features: int) -> Vocabulary:
    """Return classes c0, c1, ... with falling Zipf counts, and features f0, f1, ..."""
    counts = np.maximum(1000 // np.arange(1, num_classes + 1), 1)
    return Vocabulary(
        classes=[f"c{j}" for j in range(num_classes)],
        class_counts=counts.astype(np.int64),
        features=[f"f{j}" for j in range(num_features)],
        feature_counts=np.full(num_features, 9, np.int64),
    )


def make_dataset(
    num_examples: int, num_classes: int, num_features: int, seed: int = 0, weighted: bool = False
) -> Dataset:
    """Return random sparse rows, some of them empty, with skewed targets."""
    rng = np.random.default_rng(seed)
    rows = rng.random((num_examples, num_features)) < min(1.0, 4 / num_features)
    rows[0] = False
    values = rng.normal(size=rows.shape).astype(np.float32)
    weights = rng.uniform(0.5, 2, num_examples) if weighted else np.ones(num_examples)
    return Dataset(
        indptr=np.concatenate([[0], np.cumsum(rows.sum(axis=1))]).astype(np.int64),
        indices=np.nonzero(rows)[1].astype(np.int32),
        values=values[rows],
        targets=(num_classes * rng.random(num_examples) ** 2).astype(np.int32),
        weights=weights.astype(np.float32),
        lines=np.arange(1, num_examples + 1),
        files=(("none.svm", 0),),
    )


def dense_matrix(dataset: Dataset, num_features: int) -> NDArray[np.float64]:
    """Return the examples as a dense array."""
    dense = np.zeros((dataset.num_examples, num_features))
    for i in range(dataset.num_examples):
        part = slice(dataset.indptr[i], dataset.indptr[i + 1])
        dense[i, dataset.indices[part]] = dataset.values[part]
    return dense


def whole_batch(dataset: Dataset, num_features: int) -> Batch:
    """Return all examples as one batch."""
    return BatchReader(dataset, num_features).take(np.arange(dataset.num_examples))


def make_model(config: Config, vocabulary: Vocabulary) -> Any:
    """Return a config's model before the first step."""
    model = config.model.allocate(vocabulary.num_features, vocabulary.num_classes, config.optimizer)
    model.initialise(vocabulary, config.seed)
    return model


def make_sampler(
    config: Config,
    vocabulary: Vocabulary,
    dataset: Any = None,
    model: Any = None,
    state: Any = None,
) -> Any:
    """Return a config's sampler before the first step; what few proposals need may be left out."""
    assert config.sampler is not None
    setting = sampler_setting(config, vocabulary, dataset, model)
    return build_sampler(config.sampler, setting, state)


def make_candidates(
    classes: NDArray[np.int32],
    multiplicity: NDArray[np.float32],
    log_expected_count: NDArray[np.float32],
    counts: NDArray[np.int32],
    target_log_expected_count: NDArray[np.float32] | None = None,
) -> "kernels.Candidates":
    """Return candidates; those of a test that asks for no target's count may leave it out."""
    if target_log_expected_count is None:
        target_log_expected_count = np.full(64, np.nan, np.float32)
    return kernels.Candidates(
        classes, multiplicity, log_expected_count, counts, target_log_expected_count
    )


def make_examples(weights: NDArray[np.float32], rate: float = 0.1) -> Examples:
    """Return what an objective is told of a batch with the given weights."""
    size = len(weights)
    return Examples(weights, np.arange(size), np.ones(size, np.float32), rate)


def make_config(**sections: Any) -> Config:
    """Return a resolved config; the data sections are not read."""
    optimizer = {"type": "sgd", "learning_rate": 0.5, **sections.pop("optimizer", {})}
    training = {"batch_size": 8, **sections.pop("training", {})}
    if OPTIMIZERS[optimizer["type"]].adaptive:
        optimizer.setdefault("initial_accumulator", 1 / training["batch_size"] ** 2)
    if optimizer.get("l2"):
        optimizer.setdefault("l2_interval", 3)
    objective = sections.setdefault("objective", {"type": "importance"})
    if objective["type"] != "exact":
        sampler = {"type": "unigram", "num_samples": 6, **sections.get("sampler", {})}
        if "replacement" in PROPOSALS[sampler["type"]].sharing.model_fields:
            kind = OBJECTIVES[objective["type"]]
            sampler.setdefault("replacement", getattr(kind, "replacement", True))
        sections["sampler"] = sampler
    return Config.model_validate(
        {
            "data": {"train": {"path": "none.svm", "format": "svmlight"}},
            "optimizer": optimizer,
            "training": training,
            **sections,
        }
    )
