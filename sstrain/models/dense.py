"""A table of D x V weights, one row a feature."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.buffers import Buffers
from sstrain.models.averaging import Average, AveragedTensor, Tensor, kernel_average
from sstrain.models.base import ForwardPass, Model, Scores
from sstrain.optim.base import Arrays, Optimizer

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.kernels import Candidates

__all__ = ["Dense", "DenseModel"]


class Dense(Model):
    """``z = W^T x + b`` with every weight kept."""

    type: Literal["dense"] = "dense"
    default_learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 2.0,
        "adagrad": 0.35,
        "rowwise_adagrad": 3.0,
    }

    def build(self, vocabulary: "Vocabulary", optimizer: Optimizer) -> "DenseModel":
        """Return the model before the first step."""
        model = DenseModel(vocabulary.num_features, vocabulary.num_classes, optimizer)
        if self.bias_init == "log_prior":
            model.bias[0] = vocabulary.log_prior()
        return model

    def memory(self, num_features: int, num_classes: int, optimizer: Optimizer) -> dict[str, int]:
        """Return the bytes of each part that training holds."""
        rows = num_features + 1  # the bias is a row of its own
        table = 4 * rows * num_classes
        parts = {"weights": table}
        if state := optimizer.state_bytes(rows, num_classes):
            parts["optimizer"] = state
        if optimizer.average_from is not None:
            parts["averaging"] = table
        return parts


class _Tables(NamedTuple):
    """Weights, rule and average as the update kernels take them, the bias's beside each."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    rule: Any
    bias_rule: Any
    average: Any
    bias_average: Any


class DenseModel:
    """The weights with their optimiser state, and what a step does to them (a `Layout`).

    Attributes
    ----------
    weight : float32 array of shape [D, V]
    bias : float32 array of shape [1, V]
    """

    def __init__(self, num_features: int, num_classes: int, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.weight = np.zeros((num_features, num_classes), np.float32)
        self.bias = np.zeros((1, num_classes), np.float32)
        self._state: Arrays = optimizer.allocate(num_features, num_classes)
        self._bias_state: Arrays = optimizer.allocate(1, num_classes)
        averaging = optimizer.average_from is not None
        self._average = Average(num_features, num_classes) if averaging else None
        self._bias_average = Average(1, num_classes) if averaging else None
        self._place_of_class = np.full(num_classes, -1, np.int32)
        self._buffers = Buffers()

    def score(self, batch: "Batch", candidates: "Candidates", hits: NDArray[np.int32]) -> Scores:
        """Score targets and candidates; ``hits`` are the targets' places among them, or -1."""
        num_samples = candidates.classes.shape[1]
        scores = Scores(
            self._buffers.float32("target_scores", batch.size),
            self._buffers.float32("scores", batch.size, num_samples),
        )
        if len(candidates.counts) == 1:
            block = self._buffers.float32("block", batch.num_features, num_samples)
            kernels.dense_score_shared(
                self.weight,
                self.bias,
                batch.arrays,
                batch.num_features,
                batch.targets,
                hits,
                candidates,
                block,
                *scores,
            )
        else:
            kernels.dense_score_each(
                self.weight, self.bias, batch.arrays, batch.targets, candidates, *scores
            )
        return scores

    def update(
        self,
        batch: "Batch",
        candidates: "Candidates",
        hits: NDArray[np.int32],
        d_scores: Scores,
        rate: float,
    ) -> int:
        """Apply a score gradient of targets and candidates; return the number of bad rows."""
        tables = self._tables(rate)
        if len(candidates.counts) == 1:
            num_candidates = int(candidates.counts[0])
            touched = kernels.Touched(
                self._buffers.int32("touched", num_candidates + batch.size),
                self._buffers.int32("target_places", batch.size),
            )
            num_touched = kernels.touched_classes(
                candidates, batch.targets, hits, self._place_of_class, touched
            )
            return kernels.dense_update_shared(
                *tables,
                batch.arrays,
                batch.num_features,
                touched,
                num_candidates,
                num_touched,
                *d_scores,
            )
        shape = (kernels.TILES, self.weight.shape[1])
        return kernels.dense_update_each(
            *tables,
            batch.arrays,
            batch.num_features,
            batch.targets,
            candidates,
            *d_scores,
            self._buffers.float32("gradient", *shape),
            self._buffers.int32("places", *shape),
            self._buffers.int32("marks", *shape),
        )

    def forward(self, batch: "Batch") -> ForwardPass:
        """Score all classes for an exact step."""
        num_classes = self.weight.shape[1]
        num_blocks = -(-num_classes // kernels.BLOCK)
        result = ForwardPass(
            self._buffers.float32("target_scores", batch.size),
            self._buffers.float32("exponentials", batch.size, num_classes),
            kernels.Partials(
                self._buffers.float32("highest", num_blocks, batch.size),
                self._buffers.float64("total", num_blocks, batch.size),
            ),
        )
        kernels.dense_forward(
            self.weight,
            self.bias,
            batch.arrays,
            batch.targets,
            result.exponentials,
            result.target_scores,
            result.partials,
        )
        return result

    def update_all(
        self,
        batch: "Batch",
        forward: ForwardPass,
        log_partitions: NDArray[np.float64],
        rate: float,
    ) -> int:
        """Apply the exact gradient; the pass's exponentials are used up."""
        kernels.dense_probabilities_to_gradients(
            forward.exponentials, batch.targets, batch.weights, log_partitions, forward.partials
        )
        tables = self._tables(rate)
        rates = self._buffers.float32("rates", batch.num_features + 1)
        kernels.dense_row_rates(
            tables.rule,
            tables.bias_rule,
            batch.arrays,
            batch.num_features,
            forward.exponentials,
            rates,
        )
        return kernels.dense_update_all(
            *tables, batch.arrays, batch.num_features, forward.exponentials, rates
        )

    def score_all(self, batch: "Batch", averaged: bool = True) -> NDArray[np.float32]:
        """Return the scores of all classes, float32 [B, V], by the average if there is one.

        With ``averaged=False`` they are those of the live weights, which steps work on.
        """
        scores = self._buffers.float32("all_scores", batch.size, self.weight.shape[1])
        kernels.dense_score_all(
            self.weight,
            self.bias,
            kernel_average(self._average if averaged else None),
            kernel_average(self._bias_average if averaged else None),
            batch.arrays,
            scores,
        )
        return scores

    def sweep(self, factor: float) -> int:
        """Multiply all weights but the bias by the pending decay; return the bad rows."""
        return kernels.dense_sweep(self.weight, kernel_average(self._average), np.float32(factor))

    def count_averaged_step(self) -> None:
        """Begin a step that the average takes in."""
        for average in (self._average, self._bias_average):
            if average is not None:
                average.steps += 1

    @property
    def averaged_steps(self) -> int:
        """The number of steps that the average has taken in."""
        return 0 if self._average is None else self._average.steps

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Return what a checkpoint keeps, by part: ``model`` and ``optimizer``."""
        model: dict[str, Tensor] = {"weight": self.weight, "bias": self.bias[0]}
        optimizer: dict[str, Tensor] = {f"weight.{name}": a for name, a in self._state.items()}
        optimizer |= {f"bias.{name}": array for name, array in self._bias_state.items()}
        if self._average is not None and self._bias_average is not None and self._average.steps:
            optimizer |= {"weight.live": self.weight, "bias.live": self.bias}
            optimizer |= {"weight.u": self._average.u, "bias.u": self._bias_average.u}
            model["weight"] = AveragedTensor(self.weight, self._average)
            model["bias"] = AveragedTensor(self.bias, self._bias_average).whole()[0]
        return {"model": model, "optimizer": optimizer}

    def live_arrays(self, averaged_steps: int) -> dict[str, dict[str, NDArray[np.float32]]]:
        """Return the arrays that a checkpoint is read into, by part and by the names it uses."""
        optimizer = {f"weight.{name}": array for name, array in self._state.items()}
        optimizer |= {f"bias.{name}": array for name, array in self._bias_state.items()}
        weights = {"weight": self.weight, "bias": self.bias[0]}
        if self._average is None or self._bias_average is None or not averaged_steps:
            return {"model": weights, "optimizer": optimizer}
        self._average.steps = self._bias_average.steps = averaged_steps
        optimizer |= {"weight.live": self.weight, "bias.live": self.bias}
        optimizer |= {"weight.u": self._average.u, "bias.u": self._bias_average.u}
        return {"optimizer": optimizer}

    def _tables(self, rate: float) -> _Tables:
        return _Tables(
            self.weight,
            self.bias,
            self.optimizer.kernel_state(self._state, rate),
            self.optimizer.kernel_state(self._bias_state, rate),
            kernel_average(self._average),
            kernel_average(self._bias_average),
        )
