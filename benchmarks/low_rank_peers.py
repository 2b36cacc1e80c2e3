"""Low-rank peers on a pair of svmlight files: sampled softmax in PyTorch, and fastText.

    python3.11 -m venv PEERS
    PEERS/bin/pip install numpy scipy scikit-learn torch fasttext-wheel
    PEERS/bin/python benchmarks/low_rank_peers.py TRAIN TEST [--tool torch] --rank 128 ...
    PEERS/bin/python benchmarks/low_rank_peers.py TRAIN TEST --tool fasttext --loss hs ...

Runs in an environment of its own, so it imports nothing of sstrain. Files are zero-based. A test
row whose label training lacks has no part in the log-loss and is a miss in every top-k; features
that training lacks are left out. Prints one JSON line. Seconds are those of training alone, though
fastText reads its file again in each epoch; the peak is that from the end of parsing to the end of
training, with the data in memory.

PyTorch: the features' factors are summed by EmbeddingBag; the candidates, K draws with replacement,
are shared by the batch; log q is taken off the scores of target and candidates alike, hits are left
out, gradients are sparse, biases start at the log unigram. fastText: features are words, without
their values, and their factors are averaged.
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from fasttext_peer import train_fasttext
from numpy.typing import NDArray
from peer_figures import Figures, Ids, Pair, Stopwatch, Trained, figures, read, size_of


def log_proposal(name: str, counts: Ids) -> NDArray[np.float64]:
    """Return log q of each class, the most frequent one first."""
    if name == "log_uniform":
        weights = np.log1p(1 / np.arange(1.0, len(counts) + 1))
    else:
        weights = counts**0.75
    log_q: NDArray[np.float64] = np.log(weights / weights.sum())
    return log_q


def make_optimizer(args: argparse.Namespace, parameters: list[Any]) -> Any:
    """Return an optimizer of sparse gradients."""
    import torch  # type: ignore[import-not-found]

    if args.optimizer == "adam":
        return torch.optim.SparseAdam(parameters, lr=args.rate)
    return torch.optim.Adagrad(
        parameters, lr=args.rate, initial_accumulator_value=args.initial_accumulator
    )


def pooled(features: Any, matrix: Any) -> Any:
    """Return the weighted sums of the rows' feature factors, [B, r]."""
    import torch

    return torch.nn.functional.embedding_bag(
        torch.from_numpy(matrix.indices.astype(np.int64)),
        features,
        torch.from_numpy(matrix.indptr[:-1].astype(np.int64)),
        mode="sum",
        sparse=True,
        per_sample_weights=torch.from_numpy(matrix.data),
    )


def sampled_loss(
    hidden: Any, factors: Any, bias: Any, targets: Any, drawn: Any, log_count: Any
) -> Any:
    """Return the mean sampled softmax loss; log expected counts are [B + K], targets first."""
    import torch

    size = len(targets)
    ids = torch.cat([targets, drawn])
    rows = torch.nn.functional.embedding(ids, factors, sparse=True)
    biases = torch.nn.functional.embedding(ids, bias, sparse=True)[:, 0] - log_count
    positive = (hidden * rows[:size]).sum(dim=1) + biases[:size]
    negative = hidden @ rows[size:].T + biases[size:]
    negative = negative.masked_fill(targets[:, None] == drawn, -math.inf)
    scores = torch.cat([positive[:, None], negative], dim=1)
    return (torch.logsumexp(scores, dim=1) - positive).mean()


def batches(args: argparse.Namespace, pair: Pair) -> Iterator[tuple[float, Any, Ids]]:
    """Yield the share of the run that is done, and the rows and targets of a batch."""
    rng = np.random.default_rng(args.seed)
    total = len(pair.train_targets)
    examples, done = round(args.epochs * total), 0
    while done < examples:
        order = rng.permutation(total)[: examples - done]
        for start in range(0, len(order), args.batch_size):
            rows = order[start : start + args.batch_size]
            yield done / examples, pair.train[rows], pair.train_targets[rows]
            done += len(rows)


def train_torch(args: argparse.Namespace, pair: Pair) -> Trained:
    """Train by sampled softmax."""
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    watch = Stopwatch()
    features = torch.empty(pair.train.shape[1], args.rank).normal_(std=args.initial_scale)
    factors = torch.empty(len(pair.counts), args.rank).normal_(std=args.initial_scale)
    prior = np.log(pair.counts / pair.counts.sum())[:, None].astype(np.float32)
    parameters = [x.requires_grad_() for x in (features, factors, torch.from_numpy(prior))]
    features, factors, bias = parameters
    optimizer = make_optimizer(args, parameters)
    log_q = log_proposal(args.proposal, pair.counts)
    cumulative = torch.from_numpy(np.cumsum(np.exp(log_q)))
    log_count = torch.from_numpy((log_q + math.log(args.samples)).astype(np.float32))
    for share, matrix, labels in batches(args, pair):
        targets = torch.from_numpy(labels)
        drawn = torch.searchsorted(cumulative, torch.rand(args.samples, dtype=torch.float64))
        drawn.clamp_(max=len(log_q) - 1)
        hidden = torch.nn.functional.dropout(pooled(features, matrix), args.dropout)
        counts = log_count[torch.cat([targets, drawn])]
        loss = sampled_loss(hidden, factors, bias, targets, drawn, counts)
        loss.backward()
        decay = 1 - share if args.schedule == "linear" else 1
        optimizer.param_groups[0]["lr"] = args.rate * decay
        optimizer.step()
        optimizer.zero_grad()
    seconds = watch.stop()
    size = size_of(lambda path: torch.save([x.detach() for x in parameters], path))

    def evaluate() -> Figures:
        inputs, outputs, offsets = (x.detach().numpy() for x in parameters)
        return figures(
            pair, pair.test @ inputs, lambda rows: rows @ outputs.T + offsets[:, 0], True
        )

    return Trained(*seconds, size, evaluate)


def arguments() -> argparse.Namespace:
    """Return the command line's settings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--tool", choices=["torch", "fasttext"], default="torch")
    parser.add_argument("--rank", type=int, default=128)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--rate", type=float, default=0.003)
    parser.add_argument("--seed", type=int, default=1)
    torch = parser.add_argument_group("PyTorch")
    torch.add_argument("--samples", type=int, default=1024)
    torch.add_argument("--batch-size", type=int, default=512)
    torch.add_argument("--proposal", choices=["log_uniform", "unigram_075"], default="unigram_075")
    torch.add_argument("--optimizer", choices=["adam", "adagrad"], default="adam")
    torch.add_argument("--initial-accumulator", type=float, default=1e-5)
    torch.add_argument("--initial-scale", type=float, default=0.05, help="Of both factors.")
    torch.add_argument("--schedule", choices=["constant", "linear"], default="constant")
    torch.add_argument("--dropout", type=float, default=0.0)
    torch.add_argument("--threads", type=int, default=1)
    fasttext = parser.add_argument_group("fastText")
    fasttext.add_argument("--loss", choices=["softmax", "hs", "ns"], default="softmax")
    fasttext.add_argument("--negatives", type=int, default=20)
    return parser.parse_args()


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that the tool reads."""
    theirs = {"loss", "negatives"}
    both = {"tool", "rank", "epochs", "rate", "seed"}
    every = {key: value for key, value in vars(args).items() if key not in {"train", "test"}}
    if args.tool == "fasttext":
        return {key: value for key, value in every.items() if key in both | theirs}
    return {key: value for key, value in every.items() if key not in theirs}


def main() -> None:
    """Print the JSON line."""
    args = arguments()
    pair = read(args.train, args.test)
    trained = (train_torch if args.tool == "torch" else train_fasttext)(args, pair)
    line = settings(args) | {
        "data": args.train.name,
        "cpu_seconds": round(trained.cpu_seconds, 2),
        "wall_seconds": round(trained.wall_seconds, 2),
        "peak_mib": round(trained.peak_mib),
        "model_bytes": trained.model_bytes,
    }
    found = trained.evaluate()
    print(json.dumps(line | {k: None if v is None else round(v, 4) for k, v in found.items()}))


if __name__ == "__main__":
    main()
