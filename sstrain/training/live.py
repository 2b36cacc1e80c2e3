"""Diagnostics of the sampled gradient while a run trains."""

from typing import TYPE_CHECKING, Any

from sstrain.diagnostics.measure import Measurement
from sstrain.objectives.base import SampledObjective

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.diagnostics.figures import Figure
    from sstrain.training.engine import Engine

__all__ = ["LiveDiagnostics"]

#: What a log shows of a measurement: quantity, level, space and part, and its name there.
_SHOWN = {
    ("relative_bias", "batch", "weight", "all"): "relative bias",
    ("relative_variance", "batch", "weight", "all"): "relative variance",
    ("effective_sample_size", "draws", "", ""): "effective sample size",
}


class LiveDiagnostics:
    """Compares the sampled gradient with the exact one as often as the config says.

    Parameters
    ----------
    config : Config
        Resolved, with a ``diagnostics`` section and a sampled objective.
    engine : Engine
    """

    def __init__(self, config: "Config", engine: "Engine") -> None:
        section, objective = config.diagnostics, config.objective
        assert section is not None
        assert isinstance(objective, SampledObjective)
        assert engine.gradient.sampler is not None
        self._engine = engine
        self._every = section.every.in_steps(engine.steps_per_epoch)
        self._measurement = Measurement(
            objective,
            engine.gradient.sampler,
            engine.dataset,
            engine.vocabulary.num_features,
            config.training.batch_size,
            section.examples,
            section.draws,
        )

    def due(self) -> bool:
        """Tell whether the step that was just done is one to measure after."""
        return self._engine.done % self._every == 0

    def measure(self) -> tuple[list[dict[str, Any]], str]:
        """Return the figures at the present weights, and a line of some of them for a log."""
        figures = self._measurement.figures(self._engine.model, self._engine.gradient.state)
        return [figure.as_row() for figure in figures], _line(figures)


def _line(figures: "list[Figure]") -> str:
    found = {(f.quantity, f.level, f.space, f.part): f.value for f in figures}
    shown = [f"{name} {found[key]:.3g}" for key, name in _SHOWN.items() if key in found]
    return "batch gradient: " + ", ".join(shown)
