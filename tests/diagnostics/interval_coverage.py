"""How often the intervals of a measurement cover what a full enumeration of draws gives."""

import sys
from collections import Counter
from typing import Any

import numpy as np
from enumeration import Key, Problem, true_figures
from small import dense_matrix, make_config, make_dataset, make_model, make_sampler, make_vocabulary

from sstrain.diagnostics.figures import Figure
from sstrain.diagnostics.measure import Measurement
from sstrain.models.dense import DenseModel
from sstrain.objectives.base import SampledObjective

__all__ = ["CASES", "SAMPLERS", "Case", "coverage", "main"]

V, K, D = 4, 2, 5
SAMPLERS = ("uniform", "log_uniform", "unigram", "mixture")
CASES = [
    ("drop", "example"),
    ("drop", "batch"),
    ("keep", "example"),
    ("keep", "batch"),
    ("resample", "example"),
]


class Case:
    """One batch of a few examples with random weights, at which everything can be enumerated."""

    def __init__(
        self,
        kind: str,
        hits: str,
        share: str,
        *,
        examples: int = 12,
        num_classes: int = V,
        num_samples: int = K,
        **drawing: Any,
    ) -> None:
        config = make_config(
            sampler={"type": kind, "num_samples": num_samples, "share": share, **drawing},
            objective={"type": "importance", "accidental_hits": hits},
        )
        assert isinstance(config.objective, SampledObjective)
        vocabulary = make_vocabulary(num_classes, D)
        self.objective = config.objective
        self.sampler: Any = make_sampler(config, vocabulary)
        self.dataset = make_dataset(examples, num_classes, D, seed=3, weighted=True)
        model = make_model(config, vocabulary)
        assert isinstance(model, DenseModel)
        rng = np.random.default_rng(4)
        model.weight[:] = rng.normal(size=model.weight.shape)
        model.bias[:] += rng.normal(size=num_classes)
        self.model = model
        self.num_samples, self.hits, self.share = num_samples, hits, share

    def measurement(self, draws: int, seed: int = 0, batch_size: int = 1000) -> Measurement:
        """Return a measurement of all examples."""
        size = self.dataset.num_examples
        return Measurement(
            self.objective, self.sampler, self.dataset, D, batch_size, size, draws, seed
        )

    def problem(self) -> Problem:
        """Return the same for an enumeration."""
        rows = dense_matrix(self.dataset, D)
        return Problem(
            scores=rows @ self.model.weight.astype(np.float64) + self.model.bias,
            rows=rows,
            targets=self.dataset.targets.astype(np.int64),
            weights=self.dataset.weights.astype(np.float64),
            q=np.exp(self.sampler.table.log_q),
            num_samples=self.num_samples,
            hits=self.hits,
            share=self.share,
        )


def key(figure: Figure) -> Key:
    """Return what a figure is of."""
    return figure.quantity, figure.level, figure.space, figure.part


def coverage(case: Case, repetitions: int, draws: int) -> dict[Key, float]:
    """Return for each figure the share of measurements whose interval holds the truth."""
    truth = true_figures(case.problem())
    covered: Counter[Key] = Counter()
    for seed in range(repetitions):
        for figure in case.measurement(draws, seed).figures(case.model):
            if figure.quantity == "nanoseconds_a_draw":
                continue
            assert figure.low is not None
            assert figure.high is not None
            true = truth[key(figure)]
            # An exact figure's interval is a point, computed from scores in float32.
            slack = 1e-5 * abs(true) + 1e-12
            covered[key(figure)] += figure.low - slack <= true <= figure.high + slack
    assert covered.keys() <= truth.keys()
    return {name: covered[name] / repetitions for name in truth}


def main(repetitions: int = 200, draws: int = 512) -> None:
    """Print the table of coverages, worst and best over the samplers and cases."""
    shares: dict[Key, list[tuple[float, str]]] = {}
    for kind in SAMPLERS:
        for hits, share in CASES:
            found = coverage(Case(kind, hits, share), repetitions, draws)
            for name, value in found.items():
                shares.setdefault(name, []).append((value, f"{kind}, {hits}, {share}"))
    print(f"{repetitions} repetitions of {draws} draws; mean, lowest, highest coverage")
    for name, values in shares.items():
        mean = np.mean([value for value, _ in values])
        low, where = min(values)
        print(f"{' '.join(name):60}{mean:7.3f}{low:7.3f}{max(values)[0]:7.3f}  {where}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
