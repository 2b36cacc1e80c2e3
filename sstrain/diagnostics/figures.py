"""One measured figure and what it is a figure of."""

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Figure"]


@dataclass(frozen=True)
class Figure:
    """One number about the sampled gradient or the draws, with its uncertainty.

    Attributes
    ----------
    quantity : str
        ``bias_norm``, ``relative_bias``, ``bias_cosine``, ``variance``, ``relative_variance``,
        ``mean_squared_error``, ``log_partition_bias``, ``log_partition_variance``,
        ``partition_relative_variance``, ``effective_sample_size``, ``kl_divergence``,
        ``chi_square``, ``accidental_hit_rate``, ``distinct_classes`` or ``nanoseconds_a_draw``.
        ``relative_`` is relative to the exact gradient's norm (bias) or its square (variance).
    level : str
        ``example``: each example's own gradient; ``batch``: the gradient of the weighted mean
        loss of a batch, as a step takes it; ``draws``: the candidates.
    space : str
        ``score``: derivatives by the scores (of a batch: by the bias); ``weight``: by the weights
        of features; empty for what is no gradient.
    part : str
        ``all``, ``target`` or ``negatives``; empty for what is no gradient.
    aggregate : str
        What is made one number of, and how, in words.
    value : float
    low, high : float or None
        95% interval for the error of finitely many draws, at these weights and examples; both
        equal to ``value`` if it is exact.
    examples_error : float or None
        Standard error from the choice of examples; None where it has no meaning.
    closed_form : float or None
        The exact expectation where there is one.
    """

    quantity: str
    level: str
    space: str
    part: str
    aggregate: str
    value: float
    low: float | None = None
    high: float | None = None
    examples_error: float | None = None
    closed_form: float | None = None

    def as_row(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)
