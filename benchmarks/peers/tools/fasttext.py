"""fastText: low-rank vectors of words, averaged; full, hierarchical or negative-sampling softmax.

Its `hs` and `softmax` give probabilities over all classes, computed here from the saved matrices;
`ns` gives none, only an order.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from peers.evaluation import Figures, Floats, figures_of_scores
from peers.examples import Examples, Ids
from peers.tools.base import Context, Setting, Trained

TITLE = "fastText"
DISTRIBUTION = "fasttext"
NOTE = (
    "reads its text file again in each epoch, inside its training call, so that this is part of "
    "its seconds, and so are its dictionary, matrices and tree, .35 s on KJV; features are words "
    "without values. Ten threads, for it leaves a part of its input matrix unset with fewer"
)

_TUTORIAL = "fasttext.cc/docs/en/supervised-tutorial.html"
_OPTIONS = "fasttext.cc/docs/en/options.html"


def _hs(
    dim: int, epochs: int, rate: float, reason: str, quick: bool = False, **changes: Any
) -> Setting:
    """Return a setting of the hierarchical softmax."""
    options = {"loss": "hs", "dim": dim, "epoch": epochs, "lr": rate} | changes
    name = f"hs {dim}, {epochs} epochs, lr {f'{rate:g}'.lstrip('0')}"
    name += "".join(f", {key} {value}" for key, value in changes.items())
    return Setting(name, reason, options, quick=quick)


SETTINGS = (
    _hs(
        100, 5, 0.1,
        f"the defaults of {_OPTIONS}, and the loss that {_TUTORIAL} advises for many classes",
    ),
    _hs(
        100, 5, 0.1,
        f"{_OPTIONS}: rare words left out, as sstrain's settings leave rare features out",
        minCount=5,
    ),
    _hs(
        50, 5, 0.2,
        f"{_OPTIONS}: -dim, half as many numbers, cheaper; {_TUTORIAL}: a larger rate",
    ),
    _hs(24, 5, 0.2, f"{_OPTIONS}: -dim, as few numbers as in sstrain's cheapest settings"),
    _hs(
        100, 10, 0.2, f"{_TUTORIAL}: more epochs (5 to 50) and a larger rate (.1 to 1)", quick=True
    ),
    _hs(100, 25, 0.5, f"{_TUTORIAL}: 25 epochs and a rate of .5 to 1"),
    Setting(
        "ns 100, 20 negatives, 10 epochs, lr .2",
        f"{_OPTIONS}: -loss ns; the papers' 20 negatives and the epochs of hs",
        {"loss": "ns", "dim": 100, "epoch": 10, "lr": 0.2, "neg": 20},
    ),
    Setting(
        "softmax 50, 1 epoch, lr .5",
        f"{_OPTIONS}: the default loss; one epoch, at a rate for it, for its cost grows with V",
        {"loss": "softmax", "dim": 50, "epoch": 1, "lr": 0.5},
        limits={"novels": 120, "placenames": 120},
    ),
)  # fmt: skip


def write_words(examples: Examples, path: Path) -> None:
    """Write the training examples as fastText reads them."""
    words = np.array([f"f{i}" for i in range(examples.train.shape[1])], dtype=object)
    indptr, indices = examples.train.indptr, examples.train.indices
    with path.open("w") as file:
        for row, target in enumerate(examples.train_targets):
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
    """Return the function from rows [B, r] to each class's log-probability, [V, B]."""
    size = (len(parent) + 1) // 2
    depth = np.zeros(len(parent), np.int64)
    for node in range(len(parent) - 2, -1, -1):
        depth[node] = depth[parent[node]] + 1
    order = np.argsort(depth, kind="stable")
    levels = np.split(order, np.cumsum(np.bincount(depth))[:-1])
    rights = right.astype(np.float32)[:, np.newaxis]

    def score(hidden: Floats) -> Floats:
        margins = output[: size - 1] @ hidden.T
        # Of each inner node -log(1 - p), with p that of its right child; -log p is less by m.
        left = np.exp(-np.abs(margins))
        left += 1
        np.log(left, out=left)
        left += np.maximum(margins, 0)
        scores = np.zeros((len(parent), hidden.shape[0]), np.float32)
        for nodes in levels[1:]:
            inner = parent[nodes] - size
            steps = rights[nodes] * margins[inner] - left[inner]
            scores[nodes] = scores[parent[nodes]] + steps
        return scores[:size]

    return score


def prepare(
    examples: Examples, options: Mapping[str, Any], context: Context
) -> tuple[Examples, Path]:
    """Write the text file."""
    path = context.folder / "train.txt"
    write_words(examples, path)
    return examples, path


def train(prepared: tuple[Examples, Path], options: Mapping[str, Any], context: Context) -> Trained:
    """Train; the figures come from the matrices, in blocks."""
    import fasttext  # type: ignore[import-not-found]

    examples, path = prepared
    model = fasttext.train_supervised(
        str(path), bucket=0, wordNgrams=1, minn=0, maxn=0, thread=10, seed=context.seed,
        verbose=2, **{"minCount": 1, **options},
    )  # fmt: skip
    return Trained(lambda: _figures(model, examples, options["loss"]))


def _figures(model: Any, examples: Examples, loss: str) -> Figures:
    hidden = _hidden(model, examples.test)
    labels, counts = model.get_labels(include_freq=True)
    ours = np.argsort([int(label.removeprefix("__label__")) for label in labels])
    output = model.get_output_matrix()
    if loss == "hs":
        tree = tree_scores(output, *huffman(np.asarray(counts)))

        def score(rows: slice) -> Floats:
            return np.ascontiguousarray(tree(hidden[rows])[ours].T)
    else:
        output = np.ascontiguousarray(output[ours].T)

        def score(rows: slice) -> Floats:
            product: Floats = hidden[rows] @ output
            return product

    targets = examples.test_targets
    return figures_of_scores(score, targets, len(ours), probabilities=loss != "ns")


def _hidden(model: Any, test: Any) -> Floats:
    """Return the mean of the vectors of each row's words and of the end of the line."""
    from scipy.sparse import csr_matrix, hstack

    # The end of the line is a word too, but no column.
    words = model.get_words()
    columns = np.array([int(word[1:]) for word in words if word != "</s>"])
    rows = np.array([i for i, word in enumerate(words) if word != "</s>"])
    known = csr_matrix(test[:, columns] != 0, dtype=np.float32)
    ends = csr_matrix(np.ones((known.shape[0], 1), np.float32))
    rows = np.append(rows, words.index("</s>"))
    sums = hstack([known, ends]).tocsr() @ model.get_input_matrix()[rows]
    hidden: Floats = sums / (np.diff(known.indptr)[:, None] + 1).astype(np.float32)
    return hidden
