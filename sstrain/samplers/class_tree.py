"""What proposals share that draw by a tree of kernels over the vectors of the classes."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain import kernels
from sstrain.buffers import Buffers
from sstrain.samplers.base import (
    DataSize,
    EachSharing,
    Proposal,
    Sampler,
    SectionType,
    Setting,
    State,
)
from sstrain.samplers.drawn import DrawnSampler
from sstrain.section import Interval, Span

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.kernels import ClassTree
    from sstrain.samplers.base import SamplerSection

__all__ = ["ClassTreeProposal"]

Float32 = NDArray[np.float32]
#: The purpose of the random stream that frequencies come of.
_PURPOSE = 20
_VECTORS, _FREQUENCIES = "class_vectors", "frequencies"


class ClassTreeProposal(Proposal):
    """``q(j | x) ~ count_j^power k(h, v_j)``, with a kernel k that is a product of features.

    The tree is that of a snapshot of the class vectors. The power of the classes' counts stands for
    the model's bias, which is nearly their logarithm and which such kernels serve badly.
    """

    #: Of the classes' counts, by which the kernel is multiplied; 0 leaves them out.
    power: float = Field(0.75, ge=0, le=1)
    #: The most classes of a leaf of the tree; a leaf's are scored one by one.
    bucket: int = Field(256, ge=2)
    #: How often the tree follows the weights.
    refresh: Interval = Span(100, "steps")

    sharing: ClassVar[SectionType] = EachSharing
    depends_on_example: ClassVar[bool] = True
    changes: ClassVar[bool] = True
    needs_class_vectors: ClassVar[bool] = True

    #: The least mass of a node for each unit of its classes' weight.
    floor: ClassVar[float]

    @property
    @abstractmethod
    def scale(self) -> float:
        """What the kernel makes of a product of vectors."""

    @property
    def num_frequencies(self) -> int:
        """The number of random features' frequencies; 0 for a kernel that has none."""
        return 0

    @abstractmethod
    def of_classes(self, vectors: Float32) -> Float32:
        """Return the vectors that the kernel takes of the classes, a copy: float32 [V, m]."""

    @abstractmethod
    def of_examples(self, pooled: Float32) -> Float32:
        """Return the vectors that the kernel takes of a batch's examples, float32 [B, m]."""

    def num_leaves(self, num_classes: int) -> int:
        """Return the least power of two that leaves at most ``bucket`` classes to a leaf."""
        return 1 << max(0, -(-num_classes // self.bucket) - 1).bit_length()

    def memory_bytes(self, size: DataSize) -> int:
        """Return the bytes of the tree, of what summing it takes, and of a batch's draws."""
        width, leaves = size.vector_size + 1, self.num_leaves(size.num_classes)
        features = kernels.num_features_of(width, self.num_frequencies)
        tree = 8 * leaves * (features + 2) + 4 * width * (size.num_classes + self.num_frequencies)
        scratch = kernels.TILES * (4 * size.num_classes + 4 * features + 40 * leaves)
        return tree + scratch + 4 * size.num_classes + 8 * width * size.batch_size

    def fit(self, setting: Setting) -> State:
        """Return the class vectors as they are, and the frequencies of random features."""
        vectors = self.of_classes(setting.class_vectors.class_vectors(averaged=False)[0])
        if not self.num_frequencies:
            return {_VECTORS: vectors}
        key = kernels.stream_key(setting.seed, _PURPOSE, 0, 0) % 2**64
        normal = np.random.Generator(np.random.Philox(key=key)).standard_normal
        frequencies = normal((self.num_frequencies, vectors.shape[1])) * np.sqrt(self.scale)
        return {_VECTORS: vectors, _FREQUENCIES: frequencies.astype(np.float32)}

    def sampler(self, state: State, setting: Setting) -> Sampler:
        """Return what draws by the tree of a snapshot."""
        return ClassTreeSampler(self, state, setting)


class ClassTreeSampler(DrawnSampler):
    """Draws candidates by walks down a tree of a snapshot of the class vectors.

    Parameters
    ----------
    section : section of a `ClassTreeProposal`
    state : dict
        ``class_vectors`` float32 [V, m]; where features are random, ``frequencies`` float32 [F, m].
    setting : Setting
    """

    def __init__(self, section: ClassTreeProposal, state: State, setting: Setting) -> None:
        super().__init__(cast("SamplerSection", section), setting)
        self._proposal = section
        self._state = state
        self._scratch = Buffers()
        self._interval = setting.in_steps(section.refresh)
        self._tree = self._empty_tree()
        self._sum()

    def _empty_tree(self) -> "ClassTree":
        """Return the tree before its sums are taken."""
        vectors = self._state[_VECTORS]
        num_classes, width = vectors.shape
        frequencies = self._state.get(_FREQUENCIES, np.empty((0, width), np.float32))
        leaves, tiles = self._proposal.num_leaves(num_classes), kernels.TILES
        features = kernels.num_features_of(width, len(frequencies))
        counts = np.asarray(self.setting.vocabulary.class_counts, np.float64)
        weights = ((counts / counts.max()) ** self._proposal.power).astype(np.float32)
        return kernels.ClassTree(
            vectors=vectors,
            weights=weights,
            frequencies=frequencies,
            scale=np.float32(self._proposal.scale),
            floor=self._proposal.floor,
            left_sums=np.empty((leaves, features), np.float32),
            node_weights=_node_weights(weights, leaves),
            examples=np.empty((0, width), np.float32),
            stamp=np.zeros(tiles, np.int64),
            query=np.empty((tiles, features), np.float32),
            left_stamp=np.zeros((tiles, leaves), np.int64),
            left_mass=np.empty((tiles, leaves)),
            leaf_stamp=np.zeros((tiles, leaves), np.int64),
            leaf_mass=np.empty((tiles, leaves)),
            leaf_factor=np.empty((tiles, leaves)),
            class_mass=np.empty((tiles, num_classes), np.float32),
        )

    def _sum(self) -> None:
        tree = self._tree
        totals = np.empty_like(tree.left_sums)
        kernels.sum_class_features(
            tree.vectors, tree.weights, tree.frequencies, totals, tree.left_sums
        )

    def refresh(self, step: int) -> None:
        """Follow the weights every so many steps; the first tree is that of `fit`."""
        if step and step % self._interval == 0:
            vectors, _ = self.setting.class_vectors.class_vectors(averaged=False)
            self._state[_VECTORS][:] = self._proposal.of_classes(vectors)
            self._sum()

    def proposal(self, batch: "Batch") -> "ClassTree":
        """Return the tree with the vectors of a batch's examples, without dropout or averaging."""
        pooled = self.setting.class_vectors.pooled(batch, averaged=False)
        return self._tree._replace(examples=self._proposal.of_examples(pooled))

    def tensors(self) -> State:
        """Return the snapshot and the frequencies; the sums follow from them."""
        return self._state


def _node_weights(weights: Float32, leaves: int) -> NDArray[np.float64]:
    """Return the sum of the weights below each node, float64 [2 L]; place 0 is no node."""
    starts = np.arange(leaves) * len(weights) // leaves
    found = np.zeros(2 * leaves)
    found[leaves:] = np.add.reduceat(weights.astype(np.float64), starts)
    for node in range(leaves - 1, 0, -1):
        found[node] = found[2 * node] + found[2 * node + 1]
    return found
