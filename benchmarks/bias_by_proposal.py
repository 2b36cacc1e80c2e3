"""The bias of the importance-sampled gradient against K, by proposal, on a low-rank model.

    python benchmarks/bias_by_proposal.py

Trains the model of configs/low_rank.yaml for one epoch and measures the norm of the bias of the
score gradient as benchmarks/gradient_bias.py does, at K from 2 to 512, for each proposal: the shape
of figure 3 of Blanc and Rendle (2018), "Adaptive sampled softmax with kernel based sampling". Their
measure is another, the loss that training ends at. A norm of 0 says that the estimate of its square
was below 0, which is to say below the noise of the draws.
"""

from pathlib import Path

import click
import numpy as np
from gradient_bias import squared_biases

from sstrain.config import load
from sstrain.data.cache import load as load_data
from sstrain.training.engine import Engine

CONFIG = Path(__file__).parent.parent / "configs" / "low_rank.yaml"
#: A sampler section for each row; those of the papers leave the classes' counts out.
PROPOSALS = {
    "uniform": "{type: uniform}",
    "unigram^0.75": "{type: unigram}",
    "unigram": "{type: unigram, power: 1}",
    "quadratic, of the paper": "{type: quadratic, power: 0, offset: 0, alpha: 100}",
    "quadratic": "{type: quadratic}",
    "rff, of the paper": "{type: rff, power: 0, nu: 4, features: 1024}",
    "rff": "{type: rff}",
    "softmax": "{type: softmax}",
}
SIZES = (2, 4, 8, 16, 32, 64, 128, 256, 512)


@click.command()
@click.option("--examples", default=40, show_default=True)
@click.option("--draws", default=2000, show_default=True, help="In each half, at each K.")
@click.option("--sizes", multiple=True, type=int, default=SIZES, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(PROPOSALS)))
def main(examples: int, draws: int, sizes: tuple[int, ...], only: tuple[str, ...]) -> None:
    """Print the norm of the bias and a 95% interval over the examples, a row a proposal."""
    config = load(CONFIG, ["training.epochs=1"])
    splits = load_data(config.data, lambda line: None)
    engine = Engine(config, splits.train, splits.vocabulary)
    while engine.done < engine.total_steps:
        engine.step()
    resampled = np.random.default_rng(1).integers(0, examples, (2000, examples))
    print("| proposal | " + " | ".join(f"K = {size}" for size in sizes) + " |")
    print("|---" * (len(sizes) + 1) + "|")
    for name in only or PROPOSALS:
        cells = []
        for size in sizes:
            sampled = load(
                CONFIG,
                [
                    f"sampler={PROPOSALS[name]}",
                    f"sampler.num_samples={size}",
                    "sampler.share=example",
                ],
            )
            squared = squared_biases(sampled, splits, engine.model, examples, draws)
            means = np.sqrt(np.maximum(squared[resampled].mean(axis=1), 0))
            low, high = np.quantile(means, [0.025, 0.975])
            bias = np.sqrt(max(squared.mean(), 0))
            cells.append(f"{bias:.4f} [{low:.4f}, {high:.4f}]")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
