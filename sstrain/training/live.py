"""Diagnostics of the sampled gradient while a run trains."""

from typing import TYPE_CHECKING, Any

from sstrain.diagnostics.measure import Measurement
from sstrain.objectives.base import SampledObjective

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.diagnostics.figures import Figure
    from sstrain.training.engine import Engine
    from sstrain.training.gradient import Gradient

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
        Resolved, with a ``diagnostics`` section and a sampled objective in some stage.
    engine : Engine
    """

    def __init__(self, config: "Config", engine: "Engine") -> None:
        assert config.diagnostics is not None
        self._section = config.diagnostics
        self._batch_size = config.training.batch_size
        self._engine = engine
        self._every = self._section.every.in_steps(engine.steps_per_epoch)

    def due(self) -> bool:
        """Tell whether the step that was just done is one to measure after; none exact is."""
        return self._engine.sampler is not None and self._engine.done % self._every == 0

    def measure(self) -> tuple[list[dict[str, Any]], str]:
        """Return the figures at the present weights, and a line of some of them for a log."""
        gradient = self._engine.gradient
        # Not kept: the next stage has another sampler, and this one is to be freed then.
        measurement = self._measurement(gradient)
        figures = measurement.figures(self._engine.scorer, gradient.state)
        return [figure.as_row() for figure in figures], _line(figures)

    def _measurement(self, gradient: "Gradient") -> Measurement:
        objective, engine = gradient.objective, self._engine
        assert isinstance(objective, SampledObjective)
        assert gradient.sampler is not None
        return Measurement(
            objective,
            gradient.sampler,
            engine.dataset,
            engine.vocabulary.num_features,
            self._batch_size,
            self._section.examples,
            self._section.draws,
        )


def _line(figures: "list[Figure]") -> str:
    found = {(f.quantity, f.level, f.space, f.part): f.value for f in figures}
    shown = [f"{name} {found[key]:.3g}" for key, name in _SHOWN.items() if key in found]
    return "batch gradient: " + ", ".join(shown)
