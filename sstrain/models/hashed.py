"""One table of weights for all pairs of a feature and a class, found by their hash."""

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from sstrain import kernels
from sstrain.errors import UserError
from sstrain.models.base import Model, StepShape
from sstrain.models.hashed_table import HashedModel
from sstrain.models.linear import LINEAR_RATES, linear_memory, linear_step_bytes
from sstrain.models.parameters import item_bytes
from sstrain.optim.base import Optimizer

__all__ = ["Hashed"]

_LEAST_BITS, _MOST_BITS, _DEFAULT_BITS = 10, 32, 24
#: Bytes of a listed cell, in the order of slots and in that of regions.
_LISTED_BYTES = 8 + 12
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = r"[0-9]+(\.[0-9]+)? (KiB|MiB|GiB|TiB)"


def _parse_size(value: Any) -> int:
    if not isinstance(value, str) or not re.fullmatch(_SIZE, value):
        raise ValueError('expected a size, as "512 MiB" or "2 GiB"')
    number, unit = value.split()
    return int(float(number) * _UNITS[unit])


def _size_text(size: int) -> str:
    unit = next((u for u in reversed(_UNITS) if size % _UNITS[u] == 0), "KiB")
    return f"{size / _UNITS[unit]:.17g} {unit}"


if TYPE_CHECKING:
    Size = int
else:
    #: A number of bytes, as text with a unit in the file.
    Size = Annotated[
        int,
        BeforeValidator(_parse_size),
        PlainSerializer(_size_text),
        WithJsonSchema({"type": "string", "pattern": f"^{_SIZE}$"}),
    ]


class Hashed(Model):
    """``z = W^T x + b`` with the weights of all pairs in a table of 2^bits cells.

    The table's size does not depend on how many features and classes there are. Pairs whose hash
    is the same share a weight (Weinberger and others 2009, "Feature hashing for large scale
    multitask learning").
    """

    type: Literal["hashed"] = "hashed"
    #: The table has 2^bits weights. None: as many as ``memory`` has room for, or 2^24.
    bits: int | None = Field(None, ge=_LEAST_BITS, le=_MOST_BITS)
    #: What the table's weights, optimizer state and average may take, in the place of ``bits``; of
    #: room for more than 2^32 weights the rest is not used.
    memory: Size | None = None
    #: Whether the hash also gives each pair a sign, by which its weight counts.
    signed: bool = True

    grows_with_data: ClassVar[bool] = False
    default_learning_rates: ClassVar[dict[str, float]] = LINEAR_RATES
    sizes: ClassVar[dict[str, tuple[int, ...]]] = {
        "bits": tuple(range(_MOST_BITS, _LEAST_BITS - 1, -1))
    }

    @field_validator("memory")
    @classmethod
    def _instead_of_bits(cls, budget: int | None, values: ValidationInfo) -> int | None:
        if budget is not None and values.data.get("bits") is not None:
            raise ValueError("bits says how large the table is; give one of the two")
        return budget

    def resolved(self, optimizer: Optimizer) -> "Hashed":
        """Return the section with ``bits`` in the place of ``memory`` or of neither.

        Raises
        ------
        UserError
            If the budget has no room for the smallest table.
        """
        if self.bits is not None:
            return self
        bits, budget = _DEFAULT_BITS, self.memory
        if budget is not None:
            bits = min((budget // self._cell_bytes(optimizer)).bit_length() - 1, _MOST_BITS)
        if bits < _LEAST_BITS:
            least = self._cell_bytes(optimizer) << _LEAST_BITS
            raise UserError(
                f"model.memory: out of range; got {_size_text(budget or 0)}; expected from "
                f"{_size_text(least)}, for 2^{_LEAST_BITS} weights by {optimizer.type}"
            )
        return self.model_copy(update={"bits": bits, "memory": None})

    def _cell_bytes(self, optimizer: Optimizer) -> int:
        """Return what one weight takes with its optimizer state and average."""
        average = 0 if optimizer.average_from is None else 4
        return item_bytes(self.dtype) + optimizer.state_bytes(0, 1) + average

    def num_cells(self, optimizer: Optimizer) -> int:
        """Return how many weights the table has."""
        bits = self.resolved(optimizer).bits
        assert bits is not None
        return int(1 << bits)

    def allocate(self, num_features: int, num_classes: int, optimizer: Optimizer) -> HashedModel:
        """Return the model with all weights 0."""
        cells = self.num_cells(optimizer)
        return HashedModel(self, cells, num_features, num_classes, optimizer)

    def memory_bytes(
        self, num_features: int, num_classes: int, optimizer: Optimizer
    ) -> dict[str, int]:
        """Return the bytes of each part that training holds; keys count as weights."""
        cells = self.num_cells(optimizer)
        parts = linear_memory(self, num_features, cells, num_classes, optimizer)
        parts["weights"] += 8 * (num_features + num_classes + 2)
        return parts

    def step_bytes(self, num_features: int, num_classes: int, shape: StepShape) -> int:
        """Return the bytes of a step's scratch arrays: those of scores, and the listed cells."""
        size = linear_step_bytes(num_classes, shape)
        width = shape.num_samples
        if width is None:
            part = 4 * kernels.PART * shape.entries
            return size + part * kernels.TILES + 4 * (num_classes + shape.entries)
        return size + _LISTED_BYTES * shape.entries * (width + 1)
