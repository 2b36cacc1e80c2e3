"""What the tests of every proposal need: keys, a model, and a sampler made of both."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from small import (
    make_config,
    make_dataset,
    make_model,
    make_sampler,
    make_vocabulary,
    whole_batch,
)

from sstrain import kernels
from sstrain.data.batches import Batch
from sstrain.samplers import PROPOSALS, Sampler

#: Classes and features of the problem that every proposal is tried on.
V, D = 40, 12


@dataclass(frozen=True)
class Case:
    """How one proposal is tried.

    Attributes
    ----------
    keys : dict
        Keys that differ from its defaults, where it has any.
    model : dict
        A model that it can draw for.
    draws_by_seed : bool
        Whether draws for one batch differ with the seed; else the sampler that diagnostics take in
        its place is tried.
    """

    keys: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=lambda: {"type": "dense"})
    draws_by_seed: bool = True


#: Each proposal that the default case does not serve; `FILE` is a path that tests give.
CASES: dict[str, Case] = {
    "unigram": Case({"power": 0.5, "smoothing": 2.0}),
    "mixture": Case(
        {
            "parts": [
                {"weight": 3.0, "type": "log_uniform"},
                {"weight": 1, "type": "unigram", "power": 1.0},
            ]
        }
    ),
    "file": Case({"path": "FILE"}),
    "cooccurrence": Case({"discount": 0, "shrinkage": 1.0, "base_share": 0.3}),
    "in_batch": Case(draws_by_seed=False),
    "midx": Case({"codewords": 5}, {"type": "low_rank", "rank": 5}),
    "quadratic": Case({"bucket": 4}, {"type": "low_rank", "rank": 3}),
    "rff": Case({"bucket": 4, "features": 32}, {"type": "low_rank", "rank": 3}),
}


def case_of(kind: str) -> Case:
    """Return how a proposal is tried; a new one needs no entry if its defaults serve."""
    return CASES.get(kind, Case())


def shares(kind: str) -> list[str]:
    """Return the values of ``share`` that a proposal allows."""
    annotation = PROPOSALS[kind].sharing.model_fields["share"].annotation
    return [value for value in ("batch", "example") if value in str(annotation)]


def replacements(kind: str) -> list[bool]:
    """Return the values of ``replacement`` that a proposal allows."""
    return [True, False] if "replacement" in PROPOSALS[kind].sharing.model_fields else [True]


def write_probabilities(path: Path) -> str:
    """Write a file of probabilities for the classes of `make_vocabulary`, in no order."""
    lines = [f"c{j}\t{1 + j % 5}" for j in reversed(range(V))]
    path.write_text("\n".join(["not a class\t3", "", *lines]) + "\n", encoding="utf-8")
    return str(path)


class Tried:
    """A proposal's sampler with the data and the model that it is made for.

    Parameters
    ----------
    kind : str
    file : str
        A path for the proposals that read one.
    hits : str
        ``accidental_hits`` of the objective.
    examples : int
    **drawing
        Keys of the sampler section.
    """

    def __init__(
        self, kind: str, file: str = "", hits: str = "drop", examples: int = 300, **drawing: Any
    ) -> None:
        case = case_of(kind)
        keys = {name: file if value == "FILE" else value for name, value in case.keys.items()}
        if "share" not in drawing:
            drawing["share"] = shares(kind)[-1]
        self.config = make_config(
            sampler={"type": kind, **keys, **drawing},
            objective={"type": "importance", "accidental_hits": hits},
            model=case.model,
            training={"batch_size": 16},
        )
        self.vocabulary = make_vocabulary(V, D)
        self.dataset = make_dataset(examples, V, D)
        self.model = make_model(self.config, self.vocabulary)
        rng = np.random.default_rng(8)
        for arrays in self.model.live_arrays(0).values():
            for name, array in arrays.items():
                if array.dtype == np.float32 and "accumulator" not in name:
                    array += rng.normal(scale=0.5, size=array.shape).astype(np.float32)
        self.sampler: Sampler = self.made()

    def made(self, state: Any = None) -> Sampler:
        """Return the sampler, fitted anew or made of a state; as diagnostics take it."""
        if state is None:
            sampler = make_sampler(self.config, self.vocabulary, self.dataset, self.model)
        else:
            sampler = make_sampler(self.config, self.vocabulary, None, self.model, state)
        assert isinstance(sampler, Sampler)
        if state is None:  # what learns from training has seen some of it
            sampler.observe(self.batch(self.dataset.num_examples))
        sampler.refresh(0)
        case = case_of(self.config.sampler.type)  # type: ignore[union-attr]
        return sampler if case.draws_by_seed else sampler.for_replicates()

    def batch(self, size: int) -> Batch:
        """Return the first examples, the very first of which has no features."""
        return whole_batch(self.dataset.head(size), D)


def drawn(candidates: "kernels.Candidates", group: int) -> np.ndarray:
    """Return a group's draws with their repetitions."""
    count = candidates.counts[group]
    times = candidates.multiplicity[group, :count].astype(int)
    return np.repeat(candidates.classes[group, :count], times)
