"""The bias of the importance-sampled gradient against K, on a trained model.

    python benchmarks/gradient_bias.py

Trains the quickstart's model for one epoch, takes some held-out examples, and compares the mean
of many sampled score gradients with the exact one. The squared norm of the bias is estimated as
the inner product of the errors of two independent halves of the draws, so that their Monte-Carlo
noise cancels; its interval is a bootstrap over the examples. Theory: the slope tends to -1 as K
grows (equation 19 of docs/derivation.md); it is flatter while Var(Z~) is not small beside Z^2.
"""

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.config import Config, load
from sstrain.data.batches import Batch, BatchReader
from sstrain.data.cache import load as load_data
from sstrain.data.loading import Splits
from sstrain.models.base import Layout, Scores, StepContext
from sstrain.objectives.base import Examples, SampledObjective
from sstrain.samplers import Sampler, build_sampler
from sstrain.training.engine import Engine
from sstrain.training.gradient import sampler_setting

CONFIG = Path(__file__).parent.parent / "configs" / "quickstart.yaml"
CHUNK = 500


def mean_gradient(
    model: Layout,
    objective: SampledObjective,
    sampler: Sampler,
    batch: Batch,
    first_draw: int,
    draws: int,
    num_classes: int,
) -> NDArray[np.float64]:
    """Return the mean sampled score gradient [V] of a batch that repeats one example."""
    total = np.zeros(num_classes)
    size = batch.size
    for start in range(first_draw, first_draw + draws, size):
        repeated = replace(batch, example_ids=np.arange(start, start + size))
        candidates = sampler.draw(repeated, seed=1, epoch=0, step=0)
        hits = np.empty(size, np.int32)
        kernels.find_hits(candidates, batch.targets, hits)
        scores = model.score(repeated, candidates, hits, StepContext(0.0, 0))
        losses = np.empty(size)
        gradient = Scores(np.empty(size, np.float32), np.zeros_like(scores.candidates))
        examples = Examples(batch.weights, batch.example_ids, np.empty(0, np.float32), 0.0)
        objective.gradient(*scores, candidates, hits, examples, {}, losses, *gradient)
        filled = np.arange(candidates.classes.shape[1]) < candidates.counts[:, np.newaxis]
        np.add.at(total, candidates.classes[filled], gradient.candidates[filled])
        total[batch.targets[0]] += gradient.targets.sum(dtype=np.float64)
    # Each row's gradient is of the mean over the batch: size / draws makes a mean of all draws.
    return total * size / draws


def squared_biases(
    config: Config, splits: Splits, model: Layout, examples: int, draws: int
) -> NDArray[np.float64]:
    """Return each example's estimate of the squared norm of the bias, [examples]."""
    assert splits.test is not None
    assert config.sampler is not None
    setting = sampler_setting(config, splits.vocabulary, splits.train, model)
    sampler = build_sampler(config.sampler, setting)
    assert isinstance(config.objective, SampledObjective)
    reader = BatchReader(splits.test, splits.vocabulary.num_features)
    num_classes = splits.vocabulary.num_classes
    chosen = np.random.default_rng(0).choice(splits.test.num_examples, examples, replace=False)
    estimates = []
    for example in chosen:
        scores = model.score_all(reader.take(np.array([example])))[0].astype(np.float64)
        exact = np.exp(scores - np.logaddexp.reduce(scores))
        exact[splits.test.targets[example]] -= 1
        batch = reader.take(np.full(CHUNK, example))
        halves = [
            mean_gradient(model, config.objective, sampler, batch, first, draws, num_classes)
            - exact
            for first in (0, draws)
        ]
        estimates.append(float(halves[0] @ halves[1]))
    return np.array(estimates)


def slope(sizes: list[int], squared: NDArray[np.float64]) -> float:
    """Return the slope of log bias against log K, the bias averaged over examples [K, examples]."""
    means = np.maximum(squared.mean(axis=1), 1e-300)
    return float(np.polyfit(np.log(sizes), np.log(means) / 2, 1)[0])


@click.command()
@click.option("--examples", default=60, show_default=True)
@click.option("--draws", default=4000, show_default=True, help="In each half, at each K.")
def main(examples: int, draws: int) -> None:
    """Print the bias at each K and its slope, with 95% intervals over the examples."""
    config = load(CONFIG, ["training.epochs=1"])
    splits = load_data(config.data, lambda line: None)
    engine = Engine(config, splits.train, splits.vocabulary)
    while engine.done < engine.total_steps:
        engine.step()
    sizes = [16, 64, 256, 1024]
    rows = []
    for size in sizes:
        sampled = load(CONFIG, [f"sampler.num_samples={size}", "sampler.share=example"])
        rows.append(squared_biases(sampled, splits, engine.model, examples, draws))
    squared = np.array(rows)
    rng = np.random.default_rng(1)
    resampled = [squared[:, rng.integers(0, examples, examples)] for _ in range(2000)]
    for index, size in enumerate(sizes):
        norms = [np.sqrt(max(part[index].mean(), 0)) for part in resampled]
        low, high = np.quantile(norms, [0.025, 0.975])
        bias = np.sqrt(max(squared[index].mean(), 0))
        print(f"K = {size:5}  bias {bias:.5f}  [{low:.5f}, {high:.5f}]")
    slopes = [slope(sizes, part) for part in resampled]
    low, high = np.quantile(slopes, [0.025, 0.975])
    print(f"slope of log bias against log K: {slope(sizes, squared):.3f}  [{low:.3f}, {high:.3f}]")
    for first in range(len(sizes) - 1):
        pair = slice(first, first + 2)
        parts = [slope(sizes[pair], part[pair]) for part in resampled]
        low, high = np.quantile(parts, [0.025, 0.975])
        print(
            f"from K = {sizes[first]} to {sizes[first + 1]}: "
            f"{slope(sizes[pair], squared[pair]):.3f}  [{low:.3f}, {high:.3f}]"
        )


if __name__ == "__main__":
    main()
