"""How a run finds the gradients of its steps: objective, sampler, and what they remember."""

from typing import TYPE_CHECKING

import numpy as np

from sstrain.objectives.base import SampledObjective
from sstrain.objectives.exact import Exact
from sstrain.samplers import Setting, build_sampler, own_keys
from sstrain.training.step import ExactStep, SampledStep, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sstrain.config import Config
    from sstrain.data.dataset import Dataset
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.models.base import Layout
    from sstrain.objectives import Objective
    from sstrain.objectives.base import State
    from sstrain.samplers import Sampler
    from sstrain.samplers.base import State as SamplerState
    from sstrain.training.checkpoint import Checkpoint
    from sstrain.training.tensors import TensorSource

__all__ = ["Gradient", "caveats", "sampler_setting"]

_SAMPLER, _OBJECTIVE = "sampler", "objective"


def sampler_setting(
    config: "Config",
    vocabulary: "Vocabulary",
    dataset: "Dataset | None",
    model: "Layout | None",
) -> Setting:
    """Return what the sampler of a config is made for."""
    return Setting(
        vocabulary=vocabulary,
        dataset=dataset,
        model=model,
        batch_size=config.training.batch_size,
        seed=config.seed,
        excludes_targets=config.objective.excludes_targets,
    )


def caveats(configs: "Iterable[Config]") -> list[str]:
    """Return what is to be said of the objectives of resolved configs, each thing once."""
    found = []
    for config in configs:
        objective, sampler = config.objective, config.sampler
        if isinstance(objective, SampledObjective) and sampler is not None:
            found.append(objective.caveat(bool(sampler.replacement)))
    return [text for text in dict.fromkeys(found) if text is not None]


class Gradient:
    """An objective with its sampler, if it has one, at work on a model.

    Parameters
    ----------
    config : Config
        Resolved.
    dataset : Dataset
        The training split.
    vocabulary : Vocabulary
    model : Layout
    checkpoint : Checkpoint, optional
        Has what sampler and objective remember; by default they begin anew.
    sampler_state : dict, optional
        What another sampler of the proposal was fitted to.
    state : dict, optional
        What the objective remembers.

    Attributes
    ----------
    objective : Objective
    sampler : Sampler or None
    state : dict
        What the objective remembers of each training example.
    take_step : Step

    Raises
    ------
    UserError
        If the proposal cannot serve the data.
    """

    def __init__(
        self,
        config: "Config",
        dataset: "Dataset",
        vocabulary: "Vocabulary",
        model: "Layout",
        checkpoint: "Checkpoint | None" = None,
        sampler_state: "SamplerState | None" = None,
        state: "State | None" = None,
    ) -> None:
        self.objective: Objective = config.objective
        self.sampler: Sampler | None = None
        self.state: State = {}
        self.take_step: Step
        if isinstance(config.objective, Exact):
            self.take_step = ExactStep(model, config.objective, vocabulary.num_classes)
            return
        objective, section = config.objective, config.sampler
        assert isinstance(objective, SampledObjective)
        assert section is not None
        self.state = objective.state(dataset.num_examples) if state is None else state
        kept = sampler_state
        if checkpoint is not None:
            kept = {name: np.array(kept) for name, kept in checkpoint.open(_SAMPLER).items()}
            if self.state:
                checkpoint.read_into(_OBJECTIVE, self.state)
        setting = sampler_setting(config, vocabulary, dataset, model)
        self.sampler = build_sampler(section, setting, kept)
        self.take_step = SampledStep(model, objective, self.state, self.sampler, config.seed)

    def kept_for(self, config: "Config") -> "tuple[SamplerState | None, State | None]":
        """Return what sampler and objective of another config may go on with, or None of each.

        It is what they remember, where the proposal is the same however it is drawn from, and
        where the objective is the same.
        """
        section, same = config.sampler, config.objective == self.objective
        sampler_state = None
        sampler = self.sampler
        if sampler and section and own_keys(sampler.section) == own_keys(section):
            sampler_state = sampler.tensors()
        return sampler_state, self.state if same and self.state else None

    def tensors(self) -> "dict[str, Mapping[str, TensorSource]]":
        """Return what a checkpoint keeps, by part."""
        parts: dict[str, Mapping[str, TensorSource]] = {}
        if self.sampler is not None:
            parts[_SAMPLER] = self.sampler.tensors()
        if self.state:
            parts[_OBJECTIVE] = self.state
        return parts
