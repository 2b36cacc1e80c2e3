"""What each part of a step must do at least: bytes by level of the memory, operations.

Every model here leaves out what a cleverer program might not need, so that its time is a bound
from below: weights are counted once for each batch, whatever the order of the loops; scores that
could be kept or computed again are not counted at all; what the caches may still hold from batches
before (`limits.recency`) is read from the last-level cache and not from memory. Numbers are
float32, the rule AdaGrad with an accumulator for each weight. V and r are classes and rank.
"""

from limits.caches import LINE_BYTES
from limits.machine import Machine
from limits.shapes import Shape
from limits.work import Work, moved

__all__ = [
    "RULE_FLOPS",
    "dense_forward",
    "dense_step",
    "dense_update",
    "draw",
    "evaluate_dense",
    "evaluate_low_rank",
    "low_rank_backward",
    "low_rank_forward",
    "low_rank_pool",
    "low_rank_score",
    "low_rank_step",
    "low_rank_update_all",
    "low_rank_update_classes",
    "low_rank_update_features",
    "objective",
    "sampled_low_rank_step",
    "sampled_score",
    "sampled_step",
    "sampled_update",
    "take_batch",
]

#: AdaGrad: square, add, add the start, root, divide, times the rate, add. Roots and divisions are
#: far slower than that, which is left out.
RULE_FLOPS = 7
#: A weight that is changed in place with its accumulator: both are read and written.
_UPDATED = 16


def dense_forward(shape: Shape, machine: Machine) -> Work:
    """Scores, exponentials and their sums of an exact step of the dense model.

    Each distinct feature's row of V weights is read once: 4 V bytes. A multiply-add for each
    entry and class; an exponential and a sum for each score.
    """
    pairs = shape.batch * shape.classes
    return (
        moved("memory", read=4 * shape.classes * shape.new_rows)
        + moved("L3", read=4 * shape.classes * (shape.rows - shape.new_rows))
        + Work(2 * shape.entries * shape.classes + pairs, pairs)
    )


def dense_update(shape: Shape, machine: Machine) -> Work:
    """The gradient and the update of an exact step of the dense model, after its scores.

    Accumulators of each distinct feature's row are read and written, weights written: 12 V bytes,
    for rows that the caches cannot have kept from batches before to and from memory. The weights
    are read again, 4 V bytes, from the last-level cache, and from memory what of the batch's rows
    it cannot hold. A multiply-add for each entry and class, a multiplication for each score, the
    rule for each weight.
    """
    row = 4 * shape.classes
    whole = row * shape.rows
    overflow = max(0.0, whole - machine.caches.whole(machine.threads))
    return (
        moved("memory", read=overflow, update=3 * row * shape.new_rows)
        + moved("L3", read=whole - overflow, update=3 * row * (shape.rows - shape.new_rows))
        + Work(
            2 * shape.entries * shape.classes
            + shape.batch * shape.classes
            + RULE_FLOPS * shape.rows * shape.classes
        )
    )


def dense_step(shape: Shape, machine: Machine) -> Work:
    """Both halves: 16 V bytes for each distinct feature, 4 V for weights that are read twice."""
    return dense_forward(shape, machine) + dense_update(shape, machine)


def _feature_vectors(shape: Shape, bytes_of_number: int, kind: str) -> Work:
    """Vectors of the batch's features, r numbers each, from where the caches may have them."""
    size = bytes_of_number * shape.rank
    return moved("memory", **{kind: size * shape.new_rows}) + moved(
        "L3", **{kind: size * (shape.rows - shape.new_rows)}
    )


def low_rank_pool(shape: Shape, machine: Machine) -> Work:
    """Sums of feature vectors: 4 r bytes for each feature, r multiply-adds for each entry."""
    return _feature_vectors(shape, 4, "read") + Work(2 * shape.entries * shape.rank)


def low_rank_update_features(shape: Shape, machine: Machine) -> Work:
    """The gradient and the update of feature vectors: 16 r bytes for each, but 4 r read before."""
    return _feature_vectors(shape, _UPDATED - 4, "update") + Work(
        2 * shape.entries * shape.rank + RULE_FLOPS * shape.rows * shape.rank
    )


def low_rank_forward(shape: Shape, machine: Machine) -> Work:
    """Pooled vectors, scores, exponentials and their sums of an exact step of the low-rank model.

    The class vectors are read once, 4 r V bytes, from the first level that holds them with their
    accumulators; r multiply-adds and an exponential for each score.
    """
    level = machine.level_of(8 * shape.classes * shape.rank)
    pairs = shape.batch * shape.classes
    return (
        low_rank_pool(shape, machine)
        + moved(level, read=4 * shape.classes * shape.rank)
        + Work(2 * pairs * shape.rank + pairs, pairs)
    )


def low_rank_update_all(shape: Shape, machine: Machine) -> Work:
    """The gradients of class vectors and of pooled ones, and all updates, of an exact step.

    Two matrix products, each r multiply-adds a score; the class vectors and their accumulators
    are read and written, 16 r V bytes; the feature vectors' update.
    """
    level = machine.level_of(8 * shape.classes * shape.rank)
    cells = shape.classes * shape.rank
    return (
        moved(level, update=_UPDATED * cells)
        + Work(4 * shape.batch * cells + shape.batch * shape.classes + RULE_FLOPS * cells)
        + low_rank_update_features(shape, machine)
    )


def low_rank_step(shape: Shape, machine: Machine) -> Work:
    """Both halves."""
    return low_rank_forward(shape, machine) + low_rank_update_all(shape, machine)


def take_batch(shape: Shape, machine: Machine) -> Work:
    """The batch's rows and their transpose.

    A line of indices and one of values at a random place of the data for each example; a line of
    the table of slots in the second-level cache for each entry, 8 bytes read and 16 written.
    """
    return moved("memory", read_lines=2 * shape.batch) + moved(
        "L2", read_lines=shape.entries, update=24 * shape.entries
    )


def draw(shape: Shape, machine: Machine) -> Work:
    """Shared draws from an alias table in the second-level cache: two lines for each."""
    return moved("L2", read_lines=2 * shape.candidates + shape.batch)


def sampled_score(shape: Shape, machine: Machine) -> Work:
    """Scores of targets and shared candidates in the dense model.

    Each line of the table in which a touched weight lies is read once; a multiply-add for each
    entry and candidate, and one for each entry and its target.
    """
    return (
        moved("memory", read_lines=shape.new_lines)
        + moved("L3", read_lines=shape.lines - shape.new_lines)
        + Work(2 * shape.entries * (shape.candidates + 1))
    )


def objective(shape: Shape, machine: Machine) -> Work:
    """The importance objective: an exponential for each score; scores read, gradients written.

    Three operations a score besides: less the target's, added up, times the factor.
    """
    pairs = shape.batch * shape.candidates
    return moved(machine.level_of(8 * pairs), read=4 * pairs, update=4 * pairs) + Work(
        3 * pairs, pairs + shape.batch
    )


def sampled_update(shape: Shape, machine: Machine) -> Work:
    """The gradient and the update of the touched weights in the dense model.

    Each touched line of accumulators is read and written; each of weights was read before, and is
    read again from the second-level cache at best, and written. A multiply-add for each entry and
    candidate and for each entry and its target; the rule for each touched weight.
    """
    kept = shape.lines - shape.new_lines
    return (
        moved("memory", update_lines=shape.new_lines, update=LINE_BYTES * shape.new_lines)
        + moved("L3", update_lines=kept, update=LINE_BYTES * kept)
        + Work(2 * shape.entries * (shape.candidates + 1) + RULE_FLOPS * shape.cells)
    )


def sampled_step(shape: Shape, machine: Machine) -> Work:
    """The parts of a sampled step of the dense model."""
    parts = (take_batch, draw, sampled_score, objective, sampled_update)
    return sum((part(shape, machine) for part in parts), Work())


def low_rank_score(shape: Shape, machine: Machine) -> Work:
    """Scores of targets and shared candidates: 4 r bytes for each touched class.

    r multiply-adds for each example and candidate, and for its target.
    """
    level = machine.level_of(8 * shape.classes * shape.rank)
    return moved(level, read=4 * shape.touched * shape.rank) + Work(
        2 * shape.batch * (shape.candidates + 1) * shape.rank
    )


def low_rank_backward(shape: Shape, machine: Machine) -> Work:
    """The gradients of pooled vectors and of candidates: two matrix products."""
    return Work(4 * shape.batch * (shape.candidates + 1) * shape.rank)


def low_rank_update_classes(shape: Shape, machine: Machine) -> Work:
    """The update of the touched classes' vectors: 16 r bytes for each, the rule for each number."""
    level = machine.level_of(8 * shape.classes * shape.rank)
    cells = shape.touched * shape.rank
    return moved(level, update=(_UPDATED - 4) * cells) + Work(RULE_FLOPS * cells)


def sampled_low_rank_step(shape: Shape, machine: Machine) -> Work:
    """The parts of a sampled step of the low-rank model."""
    parts = (
        take_batch,
        draw,
        low_rank_pool,
        low_rank_score,
        objective,
        low_rank_backward,
        low_rank_update_classes,
        low_rank_update_features,
    )
    return sum((part(shape, machine) for part in parts), Work())


def evaluate_dense(shape: Shape, machine: Machine) -> Work:
    """Scores of all classes, their log-partition and the target's rank, in the dense model.

    As `dense_forward`, and a comparison for each score.
    """
    return dense_forward(shape, machine) + Work(shape.batch * shape.classes)


def evaluate_low_rank(shape: Shape, machine: Machine) -> Work:
    """The same in the low-rank model, as `low_rank_forward`; accumulators take no room."""
    level = machine.level_of(4 * shape.classes * shape.rank)
    pairs = shape.batch * shape.classes
    return (
        low_rank_pool(shape, machine)
        + moved(level, read=4 * shape.classes * shape.rank)
        + Work(2 * pairs * shape.rank + 2 * pairs, pairs)
    )
