"""What is known of each cell of a comparison once it has been run."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arm", "CellRecord"]


@dataclass(frozen=True, order=True)
class Arm:
    """What cells with different seeds have in common.

    Attributes
    ----------
    objective : str
        The type; ``exact`` for the reference.
    sampler : str
        The proposal's type and what differs from its defaults, as ``unigram(power=0.5)``; empty
        for the reference.
    num_samples : int or None
        K; None for the reference.
    """

    objective: str
    sampler: str = ""
    num_samples: int | None = None

    @property
    def is_reference(self) -> bool:
        """Whether it is the exact gradient."""
        return self.num_samples is None

    def __str__(self) -> str:
        if self.is_reference:
            return self.objective
        objective = "" if self.objective == "importance" else f"{self.objective}, "
        return f"{objective}{self.sampler}, K = {self.num_samples}"


@dataclass(frozen=True)
class CellRecord:
    """One cell that was run.

    Attributes
    ----------
    arm : Arm
    seed : int
    status : str
        ``finished`` or ``diverged``.
    reason : str
        Why it diverged; empty if it did not.
    results : dict
        The figures of its row in results.csv by column: ``log_loss`` and ``top_1`` (validation, at
        the end), ``examples``, ``step``, ``cpu_seconds``, ``wall_seconds`` (both of training
        alone), ``candidates_scored``, ``weights_sha256``, ...; empty if it diverged.
    curve : list of dict
        Its rows of curves.csv, one an evaluation: ``step``, ``examples``, ``cpu_seconds``,
        ``wall_seconds``, ``candidates_scored``, ``log_loss``, ``top_1``, ...
    diagnostics : list of dict
        Its rows of diagnostics.csv; see `sstrain.diagnostics.figures.Figure`.
    line_losses : float64 array of shape [L] or None
        The summed validation loss of each validation line that has an example with a known label,
        at the end; None if it diverged.
    """

    arm: Arm
    seed: int
    status: Literal["finished", "diverged"]
    reason: str = ""
    results: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)
    diagnostics: list[dict[str, Any]] = field(default_factory=list)
    line_losses: NDArray[np.float64] | None = None
