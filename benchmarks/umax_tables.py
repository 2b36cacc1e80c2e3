"""Fagan and Iyengar's table 3: the training log-loss of each method over that of implicit SGD.

    python benchmarks/umax_tables.py FOLDER [--dataset bibtex ...] [--method U-max ...]

FOLDER holds bibtex.train.xc.gz and delicious.train.xc.gz. The protocol is that of section 4.1 of
"Unbiased scalable softmax optimization" (2018): 50 epochs; the rate falls by a tenth each epoch,
and its start is the best of 10^-3, ..., 10^3 on a tenth of the rows; uniform draws, 5 for each of
100 examples a step for the biased methods, 5 for each example alone for vanilla SGD and U-max, 1
for implicit SGD. Here classes also have a bias; draws are with replacement and hits are dropped
(kept by NCE), where theirs leave the target out; u moves by `u_rate`, not by the learning rate.
"""

import math
import time
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from sstrain import kernels
from sstrain.config import Config, load
from sstrain.data.cache import load as load_data
from sstrain.data.loading import Splits
from sstrain.evaluation.exact import predict_all
from sstrain.training.divergence import DivergedError
from sstrain.training.engine import Engine

CONFIG = Path(__file__).parent / "configs" / "xc.yaml"


class Method(NamedTuple):
    """How a method is trained, and the ratio published for each set."""

    objective: str
    batch_size: int
    num_samples: int
    published: dict[str, float]


METHODS = {
    "implicit": Method("{type: umax, implicit: true}", 1, 1, {"bibtex": 1.0, "delicious": 1.0}),
    "U-max": Method("{type: umax}", 1, 5, {"bibtex": 4.25, "delicious": 1.03}),
    "vanilla": Method("{type: umax, delta: null}", 1, 5, {"bibtex": 6.61, "delicious": 1.16}),
    "importance": Method("{type: importance}", 100, 5, {"bibtex": 12.48, "delicious": 1.76}),
    "one-vs-each": Method("{type: one_vs_each}", 100, 5, {"bibtex": 12.65, "delicious": 1.77}),
    "NCE": Method("{type: nce}", 100, 5, {"bibtex": 12.65, "delicious": 1.78}),
}


class Decaying(Engine):
    """An engine whose rate falls by a tenth each epoch."""

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return super().rate * 0.9 ** (self.done // self.steps_per_epoch)


def train(config: Config, splits: Splits) -> float:
    """Return the log-loss of the training rows after a run; infinity if it diverges."""
    engine = Decaying(config, splits.train, splits.vocabulary)
    try:
        while engine.done < engine.total_steps:
            engine.step()
    except DivergedError:
        return math.inf
    return float(np.mean(predict_all(engine.model, splits.train, splits.vocabulary).losses))


def run(
    name: str, folder: Path, method: Method, epochs: int, per_decade: int
) -> tuple[float, float]:
    """Return the best rate on a tenth of the rows, and the log-loss that it gives on all."""
    changes = [
        f"data.train.path={folder / name}.train.xc.gz",
        f"objective={method.objective}",
        f"sampler.num_samples={method.num_samples}",
        f"training.batch_size={method.batch_size}",
        f"training.epochs={epochs}",
    ]
    tenth = load(CONFIG, [*changes, "data.validation=0.9"])
    splits = load_data(tenth.data, lambda line: None)
    tried = {}
    for power in range(-3 * per_decade, 3 * per_decade + 1):
        rate = 10 ** (power / per_decade)
        optimizer = tenth.optimizer.model_copy(update={"learning_rate": rate})
        tried[rate] = train(tenth.model_copy(update={"optimizer": optimizer}), splits)
    best = min(tried, key=lambda rate: tried[rate])
    whole = load(CONFIG, [*changes, f"optimizer.learning_rate={best}"])
    return best, train(whole, load_data(whole.data, lambda line: None))


@click.command()
@click.argument("folder", type=Path)
@click.option(
    "--dataset", "sets", multiple=True, default=["bibtex", "delicious"], show_default=True
)
@click.option("--method", "methods", multiple=True, help="By default all.")
@click.option("--epochs", default=50, show_default=True)
@click.option("--per-decade", default=1, show_default=True, help="Rates that are tried.")
def main(
    folder: Path, sets: tuple[str, ...], methods: tuple[str, ...], epochs: int, per_decade: int
) -> None:
    """Print a row for each method and set; ratios are to implicit SGD, which runs first."""
    kernels.use_threads(1)
    print("| set | method | epochs | best rate | log-loss | ratio | published | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    for name in sets:
        implicit = math.nan
        for label, method in METHODS.items():
            if methods and label not in ("implicit", *methods):
                continue
            start = time.process_time()
            best, loss = run(name, folder.resolve(), method, epochs, per_decade)
            implicit = loss if label == "implicit" else implicit
            seconds = time.process_time() - start
            print(
                f"| {name} | {label} | {epochs} | {best:g} | {loss:.3f} | {loss / implicit:.2f} "
                f"| {method.published[name]:.2f} | {seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
