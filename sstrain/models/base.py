"""What every weight layout has in common."""

from typing import ClassVar, Literal

from sstrain.section import Section

__all__ = ["Model"]


class Model(Section):
    """A weight layout, by its name and its own keys."""

    type: str
    bias_init: Literal["log_prior", "zeros"] = "log_prior"

    #: The learning rate for each update rule where the config names none, as tried on KJV.
    default_learning_rates: ClassVar[dict[str, float]]
