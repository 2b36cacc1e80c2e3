"""Every layout with a few settings, small problems for it, and what tests compare it with.

A new layout is tested by being in the table of layouts; what it needs beside its defaults, and
settings that are worth a test, stand in `SETTINGS`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from reference.gradients import batch_scores
from reference.importance import importance
from small import dense_matrix, make_config, make_dataset, make_vocabulary

from sstrain import kernels
from sstrain.data.batches import Batch, BatchReader
from sstrain.data.dataset import Dataset
from sstrain.data.vocabulary import Vocabulary
from sstrain.models import MODELS
from sstrain.models.base import Layout, Matching, StepContext
from sstrain.optim.sgd import Sgd
from sstrain.training.engine import _STEP, Engine

__all__ = [
    "CASES",
    "OBJECTIVES",
    "SETTINGS",
    "Case",
    "NextStep",
    "Problem",
    "View",
    "central_differences",
    "default_problem",
    "flat_parameters",
    "gradient",
    "load",
    "pair_weights",
    "parameters",
    "reference_scores",
    "start_from",
    "with_rows",
    "without_empty_rows",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: What is looked at of a model: arrays by name.
View = Callable[[Layout], dict[str, Floats]]
N, V, D, B = 45, 37, 12, 8
#: A rate so high that a step leaves nothing of the weights but the gradient.
HIGH_RATE = 2.0**20

#: The settings that are tested of each layout, by the names of the tests; the first of a layout
#: goes through every update rule.
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "dense": {"dense": {}, "dense-bfloat16": {"dtype": "bfloat16"}},
    "low_rank": {
        "low_rank": {"rank": 3},
        "low_rank-dropout": {"rank": 4, "pooling": "mean", "dropout": 0.5},
        "low_rank-bfloat16": {"rank": 3, "dtype": "bfloat16"},
    },
    "hashed": {
        "hashed": {"bits": 10},
        "hashed-unsigned": {"bits": 10, "signed": False},
        "hashed-bfloat16": {"bits": 10, "dtype": "bfloat16"},
    },
    "sparse": {"sparse": {"from": "run", "keep": 0.3}},
}

SAMPLED: dict[str, dict[str, Any]] = {
    "shared": {"share": "batch"},
    "each": {"share": "example"},
    "distinct": {"share": "example", "replacement": False},
}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "exact": {"objective": {"type": "exact"}},
    **{name: {"sampler": {**keys, "num_samples": 7}} for name, keys in SAMPLED.items()},
}


class Case(NamedTuple):
    """One layout with some settings."""

    name: str
    model: dict[str, Any]
    first: bool  # of its layout

    def __str__(self) -> str:
        return self.name

    @property
    def half(self) -> bool:
        """Whether weights are stored in bfloat16."""
        return self.model.get("dtype") == "bfloat16"

    def but(self, **keys: Any) -> "Case":
        """Return the case with other settings."""
        return self._replace(model={**self.model, **keys})


CASES = [
    Case(name, {"type": kind, **settings}, first=place == 0)
    for kind in MODELS
    for place, (name, settings) in enumerate(SETTINGS.get(kind, {kind: {}}).items())
]


class Problem(NamedTuple):
    """Data, and what of them a test needs."""

    dataset: Dataset
    num_classes: int = V
    num_features: int = D
    batch_size: int = B

    @property
    def vocabulary(self) -> Vocabulary:
        """The classes and features."""
        return make_vocabulary(self.num_classes, self.num_features)

    def engine(self, case: Case, **sections: Any) -> Engine:
        """Return what trains a case from random weights; the optimiser is SGD unless told."""
        training = {"batch_size": self.batch_size, **sections.pop("training", {})}
        config = make_config(model=case.model, training=training, **sections)
        engine = Engine(config, self.dataset, self.vocabulary)
        start_from(engine.model, self.num_features, self.num_classes)
        return engine


def default_problem() -> Problem:
    """Return random rows of random weights, the first of them empty."""
    return Problem(make_dataset(N, V, D, seed=4, weighted=True))


def with_rows(dataset: Dataset, change: Callable[[Ints], Ints]) -> Dataset:
    """Return a data set whose rows hold other entries: what ``change`` makes of their places."""
    entries = [
        change(np.arange(dataset.indptr[row], dataset.indptr[row + 1]))
        for row in range(dataset.num_examples)
    ]
    places = np.concatenate(entries).astype(int)
    return replace(
        dataset,
        indptr=np.cumsum([0, *map(len, entries)]).astype(np.int64),
        indices=dataset.indices[places],
        values=dataset.values[places],
    )


def without_empty_rows(dataset: Dataset) -> Dataset:
    """Return a data set whose empty rows hold the first entry of all."""
    return with_rows(dataset, lambda ids: ids if len(ids) else np.array([0]))


def start_from(model: Any, num_features: int, num_classes: int, seed: int = 0) -> None:
    """Give a model random weights; one that goes on from another takes a random one over."""
    rng = np.random.default_rng(seed)
    if model.section.source_run is not None:
        dense = MODELS["dense"]().allocate(num_features, num_classes, Sgd())
        start_from(dense, num_features, num_classes, seed)
        model.take_over(dense, Matching(np.arange(num_features), np.arange(num_classes)))
    for array in parameters(model).values():
        array[...] = rng.normal(scale=0.5, size=array.shape).astype(array.dtype)


def parameters(model: Layout) -> dict[str, NDArray[Any]]:
    """Return the arrays that training changes, by name, in the model's own memory."""
    arrays = model.live_arrays(0)["model"]
    return {name: array for name, array in arrays.items() if array.dtype.kind != "i"}


def flat_parameters(model: Layout) -> dict[str, Floats]:
    """Return copies of the parameters in float64, each in a row."""
    return {name: array.astype(float).ravel() for name, array in parameters(model).items()}


def load(model: Layout, values: "dict[str, NDArray[Any]]") -> None:
    """Set a model's parameters."""
    for name, array in parameters(model).items():
        array[...] = values[name].reshape(array.shape).astype(array.dtype)


def pair_weights(model: Layout, num_features: int, num_classes: int) -> Floats:
    """Return the weight of each feature and class, float64 [D, V]."""
    features, classes = np.divmod(np.arange(num_features * num_classes), num_classes)
    found = model.weights(features, classes).astype(float)
    return found.reshape(num_features, num_classes)


def reference_scores(model: Any, problem: Problem, ids: Ints) -> Floats:
    """Return the scores [B, V] of examples, from the weight of each pair and the bias."""
    rows = dense_matrix(problem.dataset, problem.num_features)[ids]
    if getattr(model.section, "pooling", "sum") == "mean":
        entries = np.diff(problem.dataset.indptr)[ids]
        rows /= np.maximum(entries, 1)[:, np.newaxis]
    weight = pair_weights(model, problem.num_features, problem.num_classes)
    return batch_scores(rows, weight, parameters(model)["bias"].astype(float))


class NextStep:
    """The next step of an engine, which is not taken: its batch, its candidates and its loss."""

    def __init__(self, engine: Engine) -> None:
        epoch, position = divmod(engine.done, engine.steps_per_epoch)
        seed = engine.config.seed
        self.engine = engine
        self.batch: Batch = BatchReader(engine.dataset, engine.vocabulary.num_features).take(
            engine._next_batch()[0].example_ids
        )
        key = kernels.stream_key(seed, _STEP, epoch, position)
        self.context = StepContext(engine.rate, key)
        self.hits = np.empty(self.batch.size, np.int32)
        if engine.sampler is not None:
            self.candidates = engine.sampler.draw(self.batch, seed, epoch, position)
            kernels.find_hits(self.candidates, self.batch.targets, self.hits)

    def log_partitions(self, model: Layout) -> tuple[Floats, Any]:
        """Return log Z of each example [B], and the pass that it is of."""
        found = np.empty(self.batch.size)
        forward = model.forward(self.batch, self.context)
        self.engine.config.objective.log_partition(forward.partials, found)  # type: ignore[attr-defined]
        return found, forward

    def loss(self, model: Layout) -> float:
        """Return the step's loss by a model's own scores, the rest in float64."""
        if self.engine.sampler is None:
            log_partitions, forward = self.log_partitions(model)
            losses = log_partitions - forward.target_scores
        else:
            losses = self._sampled_losses(model)
        return float(np.mean(self.batch.weights * losses))

    def _sampled_losses(self, model: Layout) -> Floats:
        found = model.score(self.batch, self.candidates, self.hits, self.context)
        losses = np.empty(self.batch.size)
        for i, target in enumerate(self.batch.targets.tolist()):
            g = 0 if len(self.candidates.counts) == 1 else i
            drawn = slice(int(self.candidates.counts[g]))
            classes = self.candidates.classes[g, drawn].astype(np.int64)
            scores = np.zeros(int(max(target, *classes)) + 1)
            scores[classes] = found.candidates[i, drawn]
            scores[target] = found.targets[i]
            times = self.candidates.multiplicity[g, drawn].astype(int)
            logs = self.candidates.log_expected_count[g, drawn].astype(float)
            repeated = np.repeat(classes, times), np.repeat(logs, times)
            hits = getattr(self.engine.config.objective, "accidental_hits", "drop")
            losses[i] = importance(scores, target, *repeated, hits).loss
        return losses


def gradient(
    problem: Problem,
    case: Case,
    done: int,
    at: Layout,
    view: View = flat_parameters,
    **sections: Any,
) -> dict[str, Floats]:
    """Return the gradient that a step of SGD applies to what ``view`` sees, by default parameters.

    The step is the one after ``done``, of a model of the case with the weights ``at``.
    """
    engine = problem.engine(case, **sections, optimizer={"learning_rate": HIGH_RATE})
    load(engine.model, parameters(at))
    engine.done = done
    before = view(engine.model)
    engine.step()
    after = view(engine.model)
    return {name: (before[name] - after[name]) / HIGH_RATE for name in before}


def central_differences(
    loss: Callable[[Layout], float], model: Layout, name: str, places: Ints, step: float = 0.0625
) -> Floats:
    """Return the derivatives of a loss by some numbers of one parameter, in float32, of a model.

    With an error of the fourth order in the step, as in `reference.numeric`.
    """
    flat = parameters(model)[name].reshape(-1)
    found = np.empty(len(places))
    for i, place in enumerate(places):
        kept = flat[place]
        values = []
        for times in (1, -1, 2, -2):
            flat[place] = kept + np.float32(times * step)
            values.append(loss(model))
        flat[place] = kept
        found[i] = (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * step)
    return found
