"""Every figure of the sampled gradient by going through all V^K draws; float64, numpy alone."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from reference.importance import (
    importance,
    log_counts_resample,
    log_counts_with_replacement,
)
from reference.softmax import exact_d_scores, log_partition

__all__ = ["Key", "Problem", "true_figures"]

Floats = NDArray[np.float64]
Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Problem:
    """One batch at given scores, and how its candidates are drawn."""

    scores: Floats  # [B, V]
    rows: Floats  # [B, D], the features
    targets: NDArray[np.int64]  # [B]
    weights: Floats  # [B]
    q: Floats  # [V]
    num_samples: int
    hits: str
    share: str


@dataclass(frozen=True)
class Outcomes:
    """All draws of one example: its gradient [O, V] and other figures [O], by probability [O]."""

    probability: Floats
    gradient: Floats
    log_partition: Floats
    others: dict[str, Floats]


def outcomes(problem: Problem, example: int) -> Outcomes:
    """Return every draw for an example, in the order of ``itertools.product``."""
    scores, target = problem.scores[example], int(problem.targets[example])
    q = problem.q.copy()
    if problem.hits == "resample":
        q[target] = 0
        q /= q.sum()
    probability, gradient, logs = [], [], []
    others: dict[str, list[float]] = {
        "effective_sample_size": [],
        "accidental_hit_rate": [],
        "distinct_classes": [],
    }
    for draw in product(range(len(q)), repeat=problem.num_samples):
        drawn = np.array(draw)
        probability.append(float(np.prod(q[drawn])))
        if probability[-1] == 0:
            gradient.append(np.zeros_like(scores))
            logs.append(0.0)
            for values in others.values():
                values.append(0.0)
            continue
        if problem.hits == "resample":
            log_counts = log_counts_resample(problem.q, drawn, target)
        else:
            log_counts = log_counts_with_replacement(problem.q, drawn)
        found = importance(scores, target, drawn, log_counts, problem.hits)
        gradient.append(found.d_scores)
        logs.append(found.loss + scores[target])
        kept = np.exp(scores[drawn] - log_counts)[drawn != target]
        size = kept.sum() ** 2 / (kept**2).sum() if len(kept) else 0.0
        others["effective_sample_size"].append(float(size))
        others["accidental_hit_rate"].append(float(np.mean(drawn == target)))
        others["distinct_classes"].append(float(len(set(draw))))
    return Outcomes(
        np.array(probability),
        np.array(gradient),
        np.array(logs),
        {name: np.array(values) for name, values in others.items()},
    )


def true_figures(problem: Problem) -> dict[Key, float]:
    """Return the expectation of every figure but the time of a draw."""
    every = [outcomes(problem, i) for i in range(len(problem.targets))]
    exact = np.array(
        [
            exact_d_scores(scores, int(target))
            for scores, target in zip(problem.scores, problem.targets, strict=True)
        ]
    )
    figures = example_figures(problem, every, exact)
    figures |= batch_figures(problem, every, exact)
    logs = [log_partition(scores) for scores in problem.scores]
    pairs = list(zip(every, logs, strict=True))
    figures["log_partition_bias", "example", "", ""] = float(
        np.mean([o.probability @ (o.log_partition - log) for o, log in pairs])
    )
    figures["log_partition_variance", "example", "", ""] = float(
        np.mean([variance(o.probability, o.log_partition) for o in every])
    )
    figures["partition_relative_variance", "example", "", ""] = float(
        np.mean([variance(o.probability, np.exp(o.log_partition - log)) for o, log in pairs])
    )
    for name in every[0].others:
        mean = float(np.mean([o.probability @ o.others[name] for o in every]))
        figures[name, "draws", "", ""] = mean
    p = np.exp(problem.scores - np.array(logs)[:, np.newaxis])
    divergence = np.sum(p * np.log(p / problem.q), axis=1)
    figures["kl_divergence", "draws", "", ""] = float(divergence.mean())
    chi_square = np.sum((p - problem.q) ** 2 / problem.q, axis=1)
    figures["chi_square", "draws", "", ""] = float(chi_square.mean())
    return figures


def variance(probability: Floats, values: Floats) -> float:
    """Return the sum over columns of the variance of values [O] or [O, M]."""
    mean = probability @ values
    return float(np.sum(probability @ (values - mean) ** 2))


def example_figures(problem: Problem, every: list[Outcomes], exact: Floats) -> dict[Key, float]:
    """Return what is a mean over examples."""
    figures: dict[Key, float] = {}
    is_target = np.arange(exact.shape[1]) == problem.targets[:, np.newaxis]
    masks = {"all": np.ones_like(is_target), "target": is_target, "negatives": ~is_target}
    factors = {"score": np.ones(len(exact)), "weight": np.sum(problem.rows**2, axis=1)}
    for part, mask in masks.items():
        for space, factor in factors.items():
            means = [o.probability @ o.gradient for o in every]
            spread = [
                variance(o.probability, o.gradient * m) for o, m in zip(every, mask, strict=True)
            ]
            scale = np.sqrt(factor)[:, np.newaxis] * mask / np.sqrt(len(exact))
            figures |= assembled(
                ("example", space, part),
                np.array(means) * scale,
                exact * scale,
                float(np.mean(factor * spread)),
            )
    return figures


def batch_figures(problem: Problem, every: list[Outcomes], exact: Floats) -> dict[Key, float]:
    """Return what is of the batch's weighted mean gradient."""
    figures: dict[Key, float] = {}
    size = len(exact)
    shares = problem.weights / size
    maps = {"score": shares[np.newaxis], "weight": problem.rows.T * shares}
    means = np.array([o.probability @ o.gradient for o in every])
    for space, matrix in maps.items():
        if problem.share == "batch":
            together = np.einsum("de,eov->odv", matrix, np.array([o.gradient for o in every]))
            spread = variance(every[0].probability, together.reshape(len(together), -1))
        else:
            factors = np.sum(matrix**2, axis=0)
            each = [variance(o.probability, o.gradient) for o in every]
            spread = float(np.dot(factors, each))
        place = ("batch", space, "all")
        figures |= assembled(place, matrix @ means, matrix @ exact, spread)
    return figures


def assembled(
    place: tuple[str, str, str], mean: Floats, exact: Floats, spread: float
) -> dict[Key, float]:
    """Return the six figures of a mean gradient, the exact one and a variance, unless it is 0."""
    norm, bias = float(np.sum(exact**2)), float(np.sum((mean - exact) ** 2))
    if norm == 0:
        return {}
    figures = {
        "bias_norm": np.sqrt(bias),
        "relative_bias": np.sqrt(bias / norm),
        "bias_cosine": np.sum(mean * exact) / np.sqrt(norm * np.sum(mean**2)),
        "variance": spread,
        "relative_variance": spread / norm,
        "mean_squared_error": spread + bias,
    }
    return {(name, *place): float(value) for name, value in figures.items()}
