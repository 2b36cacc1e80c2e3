"""An auxiliary model: a balanced tree of cheap logistic nodes, drawn from in logarithmic time."""

from typing import TYPE_CHECKING, ClassVar, Literal, cast

import numpy as np
from pydantic import Field

from sstrain import kernels
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
from sstrain.samplers.fixed import alias_state
from sstrain.samplers.tree_fitting import fit_bytes, fit_tree
from sstrain.samplers.unigram import Unigram

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.kernels import DenseTable
    from sstrain.samplers.base import SamplerSection

_NODES, _LEAVES, _PROJECTION = "node_weights", "class_of_leaf", "projection"


class TreeSampler(DrawnSampler):
    """Draws candidates by walks down a fitted tree, some of them from the base.

    Parameters
    ----------
    section : Tree section of a config
    state : dict
        ``node_weights`` float32 [V, k + 1], ``class_of_leaf`` int32 [V], ``projection`` float32
        [D, k + 1].
    setting : Setting
    """

    def __init__(self, section: "Tree", state: State, setting: Setting) -> None:
        super().__init__(cast("SamplerSection", section), setting)
        self._state = state
        projection = state[_PROJECTION]
        self._table: DenseTable = kernels.DenseTable(
            projection.reshape(-1), projection.shape[1], np.uint64(0)
        )
        base = alias_state(Unigram(power=section.power).log_q(setting.vocabulary))
        scratch = (kernels.TILES, kernels.TREE_CACHE)
        self._tree = kernels.Tree(
            weights=state[_NODES],
            class_of_leaf=state[_LEAVES],
            leaf_of_class=np.argsort(state[_LEAVES]).astype(np.int32),
            points=np.empty((0, projection.shape[1]), np.float32),
            known_nodes=np.zeros(scratch, np.int32),
            known_shares=np.zeros(scratch),
            base_weight=section.base_weight,
            base=np.exp(base["log_q"]),
            threshold=base["threshold"],
            alias=base["alias"],
        )

    def proposal(self, batch: "Batch") -> "kernels.Tree":
        """Return the tree with the batch's examples as points of its space."""
        points = np.empty((batch.size, self._table.width), np.float32)
        pooling = kernels.Pooling(False, np.float32(0), np.uint64(0))
        kernels.low_rank_pool(
            self._table, kernels.NotAveraged(), pooling, batch.arrays, batch.example_ids, points
        )
        points[:, -1] = 1
        return self._tree._replace(points=points)

    def tensors(self) -> State:
        """Return the tree and the projection; the base follows from the classes' counts."""
        return self._state


class Tree(Proposal):
    """A tree of logistic nodes over a few coordinates of x, mixed with a power of the unigram.

    Bamler and Mandt (2020, ICLR), "Extreme classification via adversarial softmax approximation",
    section 3, but for the coordinates: see `sstrain.samplers.tree_fitting.fit_projection`.
    """

    type: Literal["tree"] = "tree"
    #: Coordinates of x that the nodes look at.
    dimensions: int = Field(31, ge=1, le=1000)
    #: Ridge of a node's weights: half of it, times the sum of their squares, off the likelihood.
    l2: float = Field(10.0, gt=0, le=1e9)
    #: The share of draws from count^power, which no example makes small.
    base_weight: float = Field(0.1, ge=0, lt=1)
    #: Of the classes' counts, in the base.
    power: float = Field(0.75, ge=0, le=100)

    sharing: ClassVar[SectionType] = EachSharing
    depends_on_example: ClassVar[bool] = True

    def memory_bytes(self, size: DataSize) -> int:
        """Return the bytes of the tree, the projection and the base, and of what fitting takes."""
        width = self.dimensions + 1
        held = 4 * width * (size.num_classes + size.num_features) + 36 * size.num_classes
        scratch = 12 * kernels.TILES * kernels.TREE_CACHE
        return held + scratch + fit_bytes(size, self.dimensions)

    def fit(self, setting: Setting) -> State:
        """Return a tree fitted to the training rows."""
        assert setting.dataset is not None
        weights, class_of_leaf, projection = fit_tree(
            setting.dataset, setting.vocabulary, self.dimensions, self.l2
        )
        return {_NODES: weights, _LEAVES: class_of_leaf, _PROJECTION: projection}

    def sampler(self, state: State, setting: Setting) -> Sampler:
        """Return what draws from a tree."""
        return TreeSampler(self, state, setting)
