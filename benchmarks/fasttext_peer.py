"""fastText as a peer of low-rank models; `low_rank_peers.py --tool fasttext` runs it.

Its ``hs`` and ``softmax`` give probabilities over all classes, computed here from the saved
matrices; ``ns`` gives none, only an order.
"""

import argparse
import os
import tempfile
from collections.abc import Callable

import numpy as np
from peer_figures import Figures, Floats, Ids, Pair, Stopwatch, Trained, figures, size_of


def write_words(pair: Pair, path: str) -> None:
    """Write the training examples as fastText reads them."""
    words = np.array([f"f{i}" for i in range(pair.train.shape[1])], dtype=object)
    indptr, indices = pair.train.indptr, pair.train.indices
    with open(path, "w") as file:
        for row, target in enumerate(pair.train_targets):
            line = " ".join(words[indices[indptr[row] : indptr[row + 1]]])
            file.write(f"__label__{target} {line}\n")


def huffman(counts: Ids) -> tuple[Ids, Ids]:
    """Return each node's parent and whether it is a right child; classes first, the root last.

    fastText's ``HierarchicalSoftmaxLoss::buildTree``: counts fall, inner nodes' counts rise, so
    the two smallest are at the ends of two queues.
    """
    size = len(counts)
    weights = np.concatenate([counts, np.full(size, 10**15)])
    parent, right = np.full(2 * size - 1, -1), np.zeros(2 * size - 1, np.int64)
    leaf, inner = size - 1, size
    for node in range(size, 2 * size - 1):
        total = 0
        for side in (0, 1):
            if leaf >= 0 and weights[leaf] < weights[inner]:
                child, leaf = leaf, leaf - 1
            else:
                child, inner = inner, inner + 1
            parent[child], right[child] = node, side
            total += int(weights[child])
        weights[node] = total
    return parent, right


def tree_scores(output: Floats, parent: Ids, right: Ids) -> Callable[[Floats], Floats]:
    """Return the function from rows [B, r] to each class's log-probability, [B, V]."""
    size = (len(parent) + 1) // 2
    depth = np.zeros(len(parent), np.int64)
    for node in range(len(parent) - 2, -1, -1):
        depth[node] = depth[parent[node]] + 1
    order = np.argsort(depth, kind="stable")
    levels = np.split(order, np.cumsum(np.bincount(depth))[:-1])
    signs = np.where(right, -1, 1).astype(np.float32)[:, None]

    def score(hidden: Floats) -> Floats:
        margins = output[: size - 1] @ hidden.T
        scores = np.zeros((len(parent), len(hidden)), np.float32)
        for nodes in levels[1:]:
            above = parent[nodes]
            step = np.logaddexp(0, signs[nodes] * margins[above - size])
            scores[nodes] = scores[above] - step
        return scores[:size].T

    return score


def train_fasttext(args: argparse.Namespace, pair: Pair) -> Trained:
    """Train fastText; ten threads, for it leaves a part of its input matrix unset with fewer."""
    import fasttext  # type: ignore[import-not-found]
    from scipy.sparse import csr_matrix, hstack

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "train.txt")
        write_words(pair, path)
        watch = Stopwatch()
        model = fasttext.train_supervised(
            path, dim=args.rank, epoch=round(args.epochs), lr=args.rate, loss=args.loss,
            neg=args.negatives, minCount=1, bucket=0, wordNgrams=1, minn=0, maxn=0,
            thread=10, seed=args.seed, verbose=0,
        )  # fmt: skip
        seconds = watch.stop()

    def evaluate() -> Figures:
        # The columns of fastText's words, and the end of the line, which it counts as one.
        words = model.get_words()
        columns = np.array([int(word[1:]) for word in words if word != "</s>"])
        rows = np.array([i for i, word in enumerate(words) if word != "</s>"])
        known = csr_matrix(pair.test[:, columns] != 0, dtype=np.float32)
        ends = csr_matrix(np.ones((known.shape[0], 1), np.float32))
        rows = np.append(rows, words.index("</s>"))
        sums = hstack([known, ends]).tocsr() @ model.get_input_matrix()[rows]
        hidden = sums / (np.diff(known.indptr)[:, None] + 1).astype(np.float32)
        labels, counts = model.get_labels(include_freq=True)
        ours = np.argsort([int(label.removeprefix("__label__")) for label in labels])
        output = model.get_output_matrix()
        if args.loss != "hs":
            output = output[ours]
            return figures(pair, hidden, lambda x: x @ output.T, args.loss == "softmax")
        score = tree_scores(output, *huffman(np.asarray(counts)))
        return figures(pair, hidden, lambda x: score(x)[:, ours], True)

    return Trained(*seconds, size_of(model.save_model), evaluate)
