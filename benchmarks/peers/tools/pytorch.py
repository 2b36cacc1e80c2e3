"""PyTorch on the CPU: the same softmax written with its layers, of low and of full rank.

The features' vectors are summed by EmbeddingBag with sparse gradients. Sampled softmax: K draws
with replacement, shared by the batch; log q is taken off the scores of target and candidates
alike, and hits are left out. Biases start at the log unigram.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers.evaluation import Figures, Floats, figures_of_scores
from peers.examples import Examples, Ids
from peers.tools.base import Context, Setting, Trained, no_figures, report_progress

TITLE = "PyTorch (CPU)"
DISTRIBUTION = "torch"
NOTE = "one thread; batches are cut from the CSR arrays by the training loop"

_SAMPLED = {
    "kind": "sampled", "rank": 128, "samples": 1024, "batch_size": 512, "rate": 0.003,
    "schedule": "linear", "scale": 0.05,
}  # fmt: skip
_MANUAL = "docs.pytorch.org: EmbeddingBag(sparse=True) with SparseAdam"


def _sampled(epochs: float, reason: str, quick: bool = False, **changes: Any) -> Setting:
    options: dict[str, Any] = _SAMPLED | {"epochs": epochs} | changes
    name = f"low-rank {options['rank']}, sampled {options['samples']}, epochs {epochs:g}"
    name += "".join(f", {key} {value}" for key, value in changes.items())
    return Setting(name, reason, options, quick=quick)


SETTINGS = (
    _sampled(1, _MANUAL),
    _sampled(2, "a second pass", quick=True),
    _sampled(2, "Adam's default rate", rate=0.001),
    _sampled(2, "a larger rate", rate=0.01),
    _sampled(4, "more passes"),
    _sampled(4, "more passes at the larger rate", rate=0.01),
    _sampled(8, "sets of many classes, a few examples each, need more passes"),
    Setting(
        "low-rank 128, full softmax, epochs 1",
        "torch.nn.Linear and CrossEntropyLoss, as every tutorial has it; Adam, rate .003",
        {"kind": "full", "rank": 128, "batch_size": 512, "rate": 0.003, "schedule": "linear",
         "scale": 0.05, "epochs": 1},
        limits={"novels": 120, "placenames": 120},
    ),
    Setting(
        "full rank (EmbeddingBag D x V), full softmax, epochs 1",
        "a linear softmax classifier as it stands: EmbeddingBag(D, V, sparse=True) and Adagrad; "
        "300 batches of 512 are run",
        {"kind": "full_rank", "batch_size": 512, "rate": 0.03, "epochs": 1, "batches": 300,
         "schedule": "constant"},
    ),
)  # fmt: skip


class _Batches:
    """The rows of each batch, and its input as EmbeddingBag takes it."""

    def __init__(self, examples: Examples, options: Mapping[str, Any], seed: int) -> None:
        self.train, self.targets = examples.train, examples.train_targets
        self.size, self.seed = options["batch_size"], seed
        self.examples = round(options["epochs"] * len(self.targets))

    def __iter__(self) -> Iterator[tuple[float, Any, Any]]:
        """Yield the share of the run that is done, the batch's matrix and its targets."""
        import torch  # type: ignore[import-not-found]

        rng, done = np.random.default_rng(self.seed), 0
        while done < self.examples:
            order = rng.permutation(len(self.targets))[: self.examples - done]
            report_progress(done / self.examples)
            for number, start in enumerate(range(0, len(order), self.size)):
                rows = order[start : start + self.size]
                yield done / self.examples, self.train[rows], torch.from_numpy(self.targets[rows])
                done += len(rows)
                if number % 50 == 0:
                    report_progress(done / self.examples)


def _pooled(features: Any, matrix: Any) -> Any:
    """Return the weighted sums of the rows' feature vectors, [B, r]."""
    import torch

    return torch.nn.functional.embedding_bag(
        torch.from_numpy(matrix.indices.astype(np.int64)),
        features,
        torch.from_numpy(matrix.indptr[:-1].astype(np.int64)),
        mode="sum",
        sparse=True,
        per_sample_weights=torch.from_numpy(matrix.data),
    )


def _log_unigram(counts: Ids) -> NDArray[np.float32]:
    prior: NDArray[np.float32] = np.log(counts / counts.sum()).astype(np.float32)
    return prior


def prepare(examples: Examples, options: Mapping[str, Any], context: Context) -> Examples:
    """Import and set up PyTorch; it takes the arrays as they are."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(context.seed)
    return examples


def train(prepared: Examples, options: Mapping[str, Any], context: Context) -> Trained:
    """Train by the kind of loss that the options name."""
    kinds = {"sampled": _train_sampled, "full": _train_full, "full_rank": _train_full_rank}
    return kinds[options["kind"]](prepared, options, _Batches(prepared, options, context.seed))


def _set_rate(optimizers: list[Any], options: Mapping[str, Any], share: float) -> None:
    rate = options["rate"] * (1 - share if options["schedule"] == "linear" else 1)
    for optimizer in optimizers:
        optimizer.param_groups[0]["lr"] = rate


def _step(optimizers: list[Any], loss: Any) -> None:
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()


def _factors(examples: Examples, options: Mapping[str, Any]) -> tuple[Any, Any]:
    import torch

    sizes = (examples.train.shape[1], len(examples.counts))
    drawn = [torch.empty(n, options["rank"]).normal_(std=options["scale"]) for n in sizes]
    return drawn[0].requires_grad_(), drawn[1].requires_grad_()


def _train_sampled(examples: Examples, options: Mapping[str, Any], batches: _Batches) -> Trained:
    import torch

    features, factors = _factors(examples, options)
    bias = torch.from_numpy(_log_unigram(examples.counts)[:, np.newaxis]).requires_grad_()
    optimizers = [torch.optim.SparseAdam([features, factors, bias], lr=options["rate"])]
    q = examples.counts**0.75 / (examples.counts**0.75).sum()
    cumulative = torch.from_numpy(np.cumsum(q))
    log_count = torch.from_numpy(np.log(q * options["samples"]).astype(np.float32))
    for share, matrix, targets in batches:
        uniform = torch.rand(options["samples"], dtype=torch.float64)
        drawn = torch.searchsorted(cumulative, uniform).clamp_(max=len(q) - 1)
        _set_rate(optimizers, options, share)
        hidden = _pooled(features, matrix)
        _step(optimizers, _sampled_loss(hidden, factors, bias, targets, drawn, log_count))
    return _trained(examples, features, factors, bias[:, 0])


def _sampled_loss(
    hidden: Any, factors: Any, bias: Any, targets: Any, drawn: Any, log_count: Any
) -> Any:
    """Return the mean sampled softmax loss; log expected counts are [V]."""
    import torch

    size, ids = len(targets), torch.cat([targets, drawn])
    rows = torch.nn.functional.embedding(ids, factors, sparse=True)
    biases = torch.nn.functional.embedding(ids, bias, sparse=True)[:, 0] - log_count[ids]
    positive = (hidden * rows[:size]).sum(dim=1) + biases[:size]
    negative = hidden @ rows[size:].T + biases[size:]
    negative = negative.masked_fill(targets[:, None] == drawn, -math.inf)
    scores = torch.cat([positive[:, None], negative], dim=1)
    return (torch.logsumexp(scores, dim=1) - positive).mean()


def _train_full(examples: Examples, options: Mapping[str, Any], batches: _Batches) -> Trained:
    import torch

    features, factors = _factors(examples, options)
    bias = torch.from_numpy(_log_unigram(examples.counts)).requires_grad_()
    rate = options["rate"]
    optimizers = [
        torch.optim.SparseAdam([features], lr=rate),
        torch.optim.Adam([factors, bias], lr=rate),
    ]
    for share, matrix, targets in batches:
        _set_rate(optimizers, options, share)
        scores = torch.nn.functional.linear(_pooled(features, matrix), factors, bias)
        _step(optimizers, torch.nn.functional.cross_entropy(scores, targets))
    return _trained(examples, features, factors, bias)


def _train_full_rank(examples: Examples, options: Mapping[str, Any], batches: _Batches) -> Trained:
    """Train a part, for its speed: a D x V matrix of gradients is coalesced in each step."""
    import torch

    shape = (examples.train.shape[1], len(examples.counts))
    weights = torch.zeros(shape).requires_grad_()
    bias = torch.from_numpy(_log_unigram(examples.counts)).requires_grad_()
    optimizers = [torch.optim.Adagrad([x], lr=options["rate"]) for x in (weights, bias)]
    share = 1.0
    for number, (reached, matrix, targets) in enumerate(batches):
        if number == options["batches"]:
            share = reached
            break
        scores = _pooled(weights, matrix) + bias
        _step(optimizers, torch.nn.functional.cross_entropy(scores, targets))
    return Trained(no_figures, share, note="stopped after 300 batches")


def _trained(examples: Examples, features: Any, factors: Any, bias: Any) -> Trained:
    inputs, outputs, offsets = (x.detach().numpy() for x in (features, factors, bias))

    def figures() -> Figures:
        hidden, columns = examples.test @ inputs, np.ascontiguousarray(outputs.T)

        def score(rows: slice) -> Floats:
            scores: Floats = hidden[rows] @ columns
            scores += offsets
            return scores

        return figures_of_scores(score, examples.test_targets, len(offsets), True)

    return Trained(figures)
