"""What the tests of every sampled objective need: its keys, its plain loss, and calls of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from reference.objectives import SAMPLED_LOSSES
from small import make_candidates, make_examples

from sstrain import kernels
from sstrain.objectives import OBJECTIVES
from sstrain.objectives.base import SampledObjective

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """How one objective is tried.

    Attributes
    ----------
    type : str
        Its name in the registry.
    keys : dict
        Keys that differ from its defaults.
    plain : dict
        What its loss in `reference.objectives` is given beside scores and draws.
    state : dict
        A number for each array of the state, the same for all examples.
    """

    type: str
    keys: dict[str, Any] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    state: dict[str, float] = field(default_factory=dict)

    @property
    def objective(self) -> SampledObjective:
        """The objective with its keys."""
        made = OBJECTIVES[self.type](**self.keys)
        assert isinstance(made, SampledObjective)
        return made

    def loss(self, scores: Floats, target: int, times: Floats, log_counts: Floats) -> float:
        """Return the plain loss of one example."""
        plain: Callable[..., float] = SAMPLED_LOSSES[self.type]
        return plain(scores, target, times, log_counts, **self.plain)

    def made_state(self, size: int) -> dict[str, Any]:
        """Return a state with this case's numbers."""
        state = self.objective.state(size)
        for name, number in self.state.items():
            state[name][:] = number
        return state

    def __str__(self) -> str:
        """Return its name for the table of tests."""
        return "-".join([self.type, *(f"{key}={value}" for key, value in self.keys.items())])


#: Each objective that needs more than its defaults, or is tried with several.
_CASES: dict[str, list[Case]] = {
    "importance": [
        Case("importance"),
        Case("importance", {"accidental_hits": "keep"}, {"keep": True}),
    ],
    "sampled_softmax": [
        Case("sampled_softmax"),
        Case("sampled_softmax", {"accidental_hits": "keep"}, {"keep": True}),
    ],
    # With u high enough that no draw raises it, the loss is a function of the scores alone.
    "umax": [Case("umax", {"delta": None}, {"u": 1.3}, {"u": 1.3})],
}

#: Every sampled objective of the registry; one with no loss in `reference.objectives` fails.
CASES = [
    case
    for name, kind in OBJECTIVES.items()
    if kind.sampled
    for case in _CASES.get(name, [Case(name)])
]


class Found(NamedTuple):
    """What one call wrote, the gradients summed by class."""

    losses: Floats  # [B]
    d_scores: Floats  # [B, V]
    bad: int


def call(
    case: Case,
    scores: NDArray[np.float32],
    targets: NDArray[np.int32],
    times: NDArray[np.int64],
    log_counts: NDArray[np.float32],
    weights: NDArray[np.float32] | None = None,
) -> Found:
    """Call an objective with draws given by how often each class came.

    ``scores`` [B, V] are of all classes; ``times`` and ``log_counts`` [G, V] of one group for the
    batch, or of each example's.
    """
    size, num_classes = scores.shape
    groups, most = len(times), int((times > 0).sum(axis=1).max())
    classes, multiplicity = np.zeros((groups, most), np.int32), np.zeros((groups, most), np.float32)
    expected = np.full((groups, most), np.nan, np.float32)
    counts = (times > 0).sum(axis=1).astype(np.int32)
    for g, count in enumerate(counts):
        drawn = np.flatnonzero(times[g])
        classes[g, :count], multiplicity[g, :count] = drawn, times[g, drawn]
        expected[g, :count] = log_counts[g, drawn]
    each = np.arange(size) if groups == size else np.zeros(size, int)
    places = np.arange(size)
    candidates = make_candidates(
        classes, multiplicity, expected, counts, log_counts[each, targets].astype(np.float32)
    )
    hits = np.empty(size, np.int32)
    kernels.find_hits(candidates, targets, hits)
    losses, d_targets = np.empty(size), np.empty(size, np.float32)
    d_candidates = np.full((size, most), np.nan, np.float32)
    bad = case.objective.gradient(
        scores[places, targets],
        np.take_along_axis(scores, classes[each], axis=1),
        candidates,
        hits,
        make_examples(np.ones(size, np.float32) if weights is None else weights),
        case.made_state(size),
        losses,
        d_targets,
        d_candidates,
    )
    d_scores = np.zeros((size, num_classes))
    d_scores[places, targets] += d_targets
    for i in range(size):
        count = counts[each[i]]
        d_scores[i, classes[each[i], :count]] += d_candidates[i, :count]
    return Found(losses, d_scores, bad)


def all_draws(q: Floats, num_samples: int) -> list[tuple[float, NDArray[np.int64]]]:
    """Return every outcome of independent draws: its chance, and how often each class came."""
    return [
        (float(np.prod(q[list(draw)])), np.bincount(draw, minlength=len(q)))
        for draw in product(range(len(q)), repeat=num_samples)
    ]
