"""When a run has diverged, and the error that says so."""

from typing import TYPE_CHECKING

from sstrain.errors import FailureError

if TYPE_CHECKING:
    from sstrain.training.engine import Engine

__all__ = ["DivergedError", "LossWatch", "bad_loss", "bad_proposal", "bad_weights"]

#: Steps over which the loss is averaged.
_WINDOW = 20
#: How many times the loss of a uniform guess, log V, that average may be ...
_FACTOR = 20.0
#: ... and before there are so many steps: a bad start is often made good.
_EARLY_FACTOR = 1000.0


class DivergedError(FailureError):
    """Training cannot go on: its losses or weights are beyond use."""


class LossWatch:
    """Notices a loss that is finite and yet beyond anything from which training recovers.

    A linear softmax has bounded gradients: too high a rate seldom makes its weights infinite, it
    makes its losses thousands of nats.

    Parameters
    ----------
    uniform : float
        The loss of equal scores, in nats.
    """

    def __init__(self, uniform: float) -> None:
        self.uniform = max(uniform, 1.0)
        self.recent: list[float] = []

    def take(self, engine: "Engine", rate: float, loss: float) -> None:
        """Take in a step's loss, the mean by the weights of its examples.

        Raises
        ------
        DivergedError
            If the recent mean is above the limit.
        """
        self.recent = [*self.recent[-_WINDOW + 1 :], loss]
        mean = sum(self.recent) / len(self.recent)
        factor = _FACTOR if len(self.recent) == _WINDOW else _EARLY_FACTOR
        if mean > factor * self.uniform:
            raise _diverged(
                engine,
                rate,
                f"the loss is {mean:.4g} nats, the mean of the last steps, where a "
                f"uniform guess has {self.uniform:.4g}",
            )


def bad_loss(engine: "Engine", rate: float, place: str) -> DivergedError:
    """Return the error for a loss that is not finite."""
    return _diverged(engine, rate, f"the loss of the example in {place} is not finite")


def bad_proposal(engine: "Engine", class_id: int) -> DivergedError:
    """Return the error for a class whose log q is not finite."""
    assert engine.sampler is not None
    label = engine.vocabulary.classes[class_id]
    kind = engine.sampler.section.type
    # One that follows the weights has no q where they have none.
    advice = "lower optimizer.learning_rate, or " if engine.sampler.section.changes else ""
    return DivergedError(
        f"step {engine.done + 1}: sampler {kind}: log q of class {label!r} is not finite; "
        f"expected a probability above 0; {advice}use another sampler, as unigram"
    )


def bad_weights(engine: "Engine", rate: float) -> DivergedError:
    """Return the error for weights that are not finite."""
    return _diverged(engine, rate, "a weight is no longer finite")


def _diverged(engine: "Engine", rate: float, what: str) -> DivergedError:
    epoch = engine.done // engine.steps_per_epoch + 1
    return DivergedError(
        f"diverged at step {engine.done + 1} (epoch {epoch}), learning rate {rate:.4g}: {what}; "
        "lower optimizer.learning_rate, or scale the features"
    )
