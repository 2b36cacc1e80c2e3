"""What a run will take in memory, told before any of it is allocated."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sstrain.config import stage_configs
from sstrain.diagnostics.measure import memory as measuring
from sstrain.errors import UserError
from sstrain.models.base import StepShape
from sstrain.objectives.base import SampledObjective
from sstrain.samplers.base import DataSize
from sstrain.training.memory import available_memory

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.data.dataset import Dataset
    from sstrain.data.vocabulary import Vocabulary

__all__ = ["GIB", "check_memory", "data_size", "forecast_memory", "still_needed"]

GIB = 1 << 30
#: The interpreter, numpy, numba and LLVM: 110 MiB from cached kernels, 280 where they compile.
_PROGRAM = 190 << 20
#: The parts that are in memory once the data are read.
_THERE = ("vocabulary", "data", "program")
#: The parts that no page is used of before the first step.
_LATER = ("optimizer", "averaging", "buffers", "diagnostics")


def forecast_memory(
    config: "Config", vocabulary: "Vocabulary", datasets: "list[Dataset]", source_bytes: int = 0
) -> dict[str, int]:
    """Return the bytes of each part of a run: weights, optimizer, averaging, sampler, ...

    Their sum is the forecast of the peak; of stages, each part is that of the largest.

    Parameters
    ----------
    config : Config
        Resolved.
    vocabulary : Vocabulary
    datasets : list of Dataset
        The splits that are held at once.
    source_bytes : int
        What the weights take that a warm start takes over.
    """
    num_features, num_classes = vocabulary.num_features, vocabulary.num_classes
    num_examples = datasets[0].num_examples
    parts = config.model.memory_bytes(num_features, num_classes, config.optimizer)
    stages = stage_configs(config)
    if samplers := [stage.sampler for stage in stages if stage.sampler is not None]:
        size = data_size(config, vocabulary, datasets[0])
        parts["sampler"] = max(sampler.memory_bytes(size) for sampler in samplers)
    objectives = [one for stage in stages if isinstance(one := stage.objective, SampledObjective)]
    if remembered := max((one.memory_bytes(num_examples) for one in objectives), default=0):
        parts["objective"] = remembered
    parts["buffers"] = _buffers(stages, num_features, num_classes, datasets)
    if config.diagnostics is not None:
        batch = min(config.training.batch_size, num_examples)
        parts["diagnostics"] = measuring(batch, num_classes, config.diagnostics.examples)
    if source_bytes:
        # Gone before the first step, by which the rest is not in use yet.
        later = sum(parts.get(name, 0) for name in _LATER)
        parts["warm_start"] = max(0, source_bytes - later)
    parts["vocabulary"] = sum(map(_names_bytes, (vocabulary.classes, vocabulary.features)))
    parts["data"] = sum(dataset.nbytes for dataset in datasets)
    parts["program"] = _PROGRAM
    return parts


def data_size(config: "Config", vocabulary: "Vocabulary", dataset: "Dataset") -> DataSize:
    """Return what the size of a sampler depends on."""
    rows = dataset.rows
    entries = len(dataset.indices) if rows is None else int(np.diff(dataset.indptr)[rows].sum())
    return DataSize(
        vocabulary.num_features,
        vocabulary.num_classes,
        dataset.num_examples,
        entries,
        config.model.class_vector_size,
        min(config.training.batch_size, dataset.num_examples),
    )


def _buffers(
    stages: "Sequence[Config]", num_features: int, num_classes: int, datasets: "list[Dataset]"
) -> int:
    """Return the bytes of the steps' and an evaluation's scratch arrays.

    Those of sampled and of exact steps have other names, and stay from stage to stage.
    """
    from sstrain.evaluation.exact import scoring_batch_size

    model, sizes, found = stages[0].model, (num_features, num_classes), [0, 0]
    for stage in stages:
        kind = stage.objective.sampled
        found[kind] = max(found[kind], model.step_bytes(*sizes, _step_shape(stage, datasets[0])))
    if len(datasets) > 1:
        # An evaluation scores all classes, as an exact step does.
        shape = _shape(stages[0], datasets[1], scoring_batch_size(num_classes))
        found.append(model.step_bytes(*sizes, shape))
    return sum(found)


def _shape(config: "Config", dataset: "Dataset", batch_size: int) -> StepShape:
    """Return the shape of what scores all classes for a batch."""
    batch = min(batch_size, dataset.num_examples)
    entries = batch * len(dataset.indices) // max(dataset.num_rows, 1)
    wanted, cores = config.training.threads, os.cpu_count() or 1
    threads = cores if wanted == "auto" else min(wanted, cores)
    return StepShape(batch, entries, None, False, threads)


def _step_shape(config: "Config", train: "Dataset") -> StepShape:
    """Return the shape of a training step."""
    shape, sampler = _shape(config, train, config.training.batch_size), config.sampler
    if sampler is None:
        return shape
    return shape._replace(num_samples=sampler.num_samples, shared=sampler.share == "batch")


def _names_bytes(names: list[str]) -> int:
    """Return the bytes of a list of names."""
    return sys.getsizeof(names) + sum(map(sys.getsizeof, names))


def still_needed(parts: dict[str, int]) -> dict[str, int]:
    """Return the parts that are not in memory yet once the data are read."""
    return {name: size for name, size in parts.items() if name not in _THERE}


def check_memory(
    config: "Config",
    parts: dict[str, int],
    fitting: Callable[[int], Sequence[str]] | None = None,
) -> None:
    """Refuse a model that does not fit in what is free now.

    Parameters
    ----------
    config : Config
        Resolved.
    parts : dict
        From `forecast_memory`; some are in memory already.
    fitting : callable, optional
        Given the free bytes, returns models that would fit.

    Raises
    ------
    UserError
        With the forecast in GiB, and ways out.
    """
    parts = still_needed(parts)
    needed = sum(parts.values())
    free = available_memory()
    if needed <= free:
        return
    listed = ", ".join(
        f"{name} {size / GIB:.2f}"
        for name, size in parts.items()
        if name in ("weights", "optimizer", "averaging") or size > GIB / 100
    )
    raise UserError(
        f"model: does not fit in memory; needs {needed / GIB:.2f} GiB ({listed}); "
        f"{free / GIB:.2f} GiB are free; "
        + _ways_out(config, parts, () if fitting is None else fitting(free))
    )


def _ways_out(config: "Config", parts: dict[str, int], fitting: Sequence[str]) -> str:
    if "buffers" not in parts:
        return "free some, or use a machine with more"
    if parts["buffers"] > sum(parts.values()) / 2:
        samples = "" if config.sampler is None else "sampler.num_samples or "
        return f"lower {samples}training.batch_size"
    ways = []
    if config.model.grows_with_data:
        ways.append("raise data.train.min_feature_count")
        if "min_count" in type(config.data.train).model_fields:
            ways.append("raise data.train.min_count")
    if config.optimizer.type in ("adagrad", "adam"):
        share = "half" if config.optimizer.type == "adagrad" else "a third of"
        ways.append(f"optimizer.type rowwise_adagrad ({share} the memory)")
    if config.optimizer.average_from is not None:
        ways.append("no optimizer.average_from")
    if config.model.dtype == "float32":
        ways.append("model.dtype bfloat16 (half the weights' memory)")
    ways += [f"model {model} (fits)" for model in fitting]
    return ", or ".join(ways)
