"""The steps that are held against their bounds, and the parts that they are made of."""

from collections.abc import Callable
from dataclasses import dataclass

from limits import bounds
from limits.machine import Machine
from limits.shapes import Shape
from limits.work import Work

__all__ = ["CASES", "Case", "Part"]

Model = Callable[[Shape, Machine], Work]


@dataclass(frozen=True)
class Part:
    """A part of a step.

    Attributes
    ----------
    name : str
    clocks : tuple of str
        The names under which its time is taken: of kernels (``kernels.take_batch``) or of the
        methods of a step's model, sampler and objective (``model.forward``).
    work : callable
        What it must do at least.
    """

    name: str
    clocks: tuple[str, ...]
    work: Model


@dataclass(frozen=True)
class Case:
    """A step of the quickstart's run, with some keys of its config set otherwise."""

    name: str
    overrides: tuple[str, ...]
    work: Model
    parts: tuple[Part, ...]
    evaluates: bool = False


_EXACT = ("objective={type: exact}", "sampler=null")
_LOW_RANK = ("model={type: low_rank, rank: 100}", "optimizer.learning_rate=0.1")
#: Evaluation takes so many examples at once at this number of classes.
_EVALUATION = (*_EXACT, "training.batch_size=256")

_DENSE_PARTS = (
    Part("scores, exponentials", ("model.forward",), bounds.dense_forward),
    Part("gradient, update", ("model.update_all",), bounds.dense_update),
)
_LOW_RANK_PARTS = (
    Part("scores, exponentials", ("model.forward",), bounds.low_rank_forward),
    Part("gradients, update", ("model.update_all",), bounds.low_rank_update_all),
)
_SAMPLED_START = (
    Part("batch and its transpose", ("kernels.take_batch",), bounds.take_batch),
    Part("draw", ("sampler.draw",), bounds.draw),
)
_OBJECTIVE = Part("objective", ("kernels.importance_gradient",), bounds.objective)

CASES = {
    "dense": Case(
        "exact dense, batch 128",
        (*_EXACT, "training.batch_size=128"),
        bounds.dense_step,
        _DENSE_PARTS,
    ),
    "dense-512": Case(
        "exact dense, batch 512",
        (*_EXACT, "training.batch_size=512"),
        bounds.dense_step,
        _DENSE_PARTS,
    ),
    "low-rank": Case(
        "exact low-rank, r = 100, batch 128",
        (*_EXACT, *_LOW_RANK),
        bounds.low_rank_step,
        _LOW_RANK_PARTS,
    ),
    "sampled": Case(
        "sampled dense, K = 64, batch 128",
        (),
        bounds.sampled_step,
        (
            *_SAMPLED_START,
            Part("scores", ("model.score",), bounds.sampled_score),
            _OBJECTIVE,
            Part("update", ("model.update",), bounds.sampled_update),
        ),
    ),
    "sampled-low-rank": Case(
        "sampled low-rank, r = 100, K = 64, batch 128",
        _LOW_RANK,
        bounds.sampled_low_rank_step,
        (
            *_SAMPLED_START,
            Part("pooled vectors", ("kernels.low_rank_pool",), bounds.low_rank_pool),
            Part(
                "scores",
                ("kernels.low_rank_score_shared",),
                bounds.low_rank_score,
            ),
            _OBJECTIVE,
            Part("gradients", ("kernels.low_rank_backward_shared",), bounds.low_rank_backward),
            Part(
                "update of classes",
                ("kernels.low_rank_update_classes",),
                bounds.low_rank_update_classes,
            ),
            Part(
                "update of features",
                ("kernels.low_rank_update_features",),
                bounds.low_rank_update_features,
            ),
        ),
    ),
    "evaluation": Case("evaluation, dense", _EVALUATION, bounds.evaluate_dense, (), evaluates=True),
    "evaluation-low-rank": Case(
        "evaluation, low-rank, r = 100",
        (*_EVALUATION, *_LOW_RANK),
        bounds.evaluate_low_rank,
        (),
        evaluates=True,
    ),
}
