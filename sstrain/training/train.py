"""``sstrain train``: from a resolved config to a finished run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstrain import kernels
from sstrain.config import stage_configs
from sstrain.data.cache import load
from sstrain.data.files import describe_file
from sstrain.disk import read_json
from sstrain.errors import FailureError, UserError
from sstrain.training.building import build_engine
from sstrain.training.checkpoints import Checkpoints
from sstrain.training.choosing import settle
from sstrain.training.environment import ReadFile, environment
from sstrain.training.gradient import caveats
from sstrain.training.loop import Loop
from sstrain.training.metrics import MetricsSink, read_metrics
from sstrain.training.picture import draw_loss_curve
from sstrain.training.run_folder import RunFolder
from sstrain.training.signals import listening
from sstrain.training.warm_start import open_source

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.data.loading import Splits
    from sstrain.training.engine import Engine

__all__ = ["Trained", "train"]


@dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes
    ----------
    folder : RunFolder
    already : bool
        Whether it was finished before.
    """

    folder: RunFolder
    already: bool

    def summary(self) -> str:
        """Return what the run came to, in a few lines for a person."""
        lines = [f"run       {self.folder.path}"]
        metrics = read_metrics(self.folder.metrics)
        evaluations = [line for line in metrics if line["event"] == "eval"]
        scored = [line for line in evaluations if line["log_loss"] is not None]
        if scored:
            best = min(scored, key=lambda line: float(line["log_loss"]))
            figures = ", ".join(
                f"{name} {value:.4f}"
                for name, value in best.items()
                if name == "log_loss" or name.startswith("top_")
            )
            lines.append(f"best      step {best['step']:,}: validation {figures}")
        if metrics:
            end = metrics[-1]
            compiling = end.get("compile_seconds")
            besides = f"; compiling kernels took {compiling:.1f} s besides" if compiling else ""
            lines.append(
                f"trained   {end['examples']:,} examples in {end['wall_seconds']:.1f} s "
                f"({end['cpu_seconds']:.1f} CPU seconds){besides}"
            )
        lines.append(f"metrics   {self.folder.metrics}")
        lines.append(f"picture   {self.folder.picture}")
        return "\n".join(lines)


def train(
    config: "Config",
    *,
    resume: bool,
    overwrite: bool,
    report: Callable[[str], None],
    use_cache: bool = True,
) -> Trained:
    """Train a model and write its run's folder.

    Every mistake of the user's is found before anything is written.

    Parameters
    ----------
    config : Config
        Resolved.
    resume, overwrite : bool
        What may be done with a run that is in the output folder.
    report : callable
        Takes lines for a person to read.
    use_cache : bool
        Whether data are kept on the disk between runs.

    Raises
    ------
    UserError, FailureError, DivergedError, StoppedError
    """
    assert config.output is not None
    folder = RunFolder(Path(config.output))
    goes_on = folder.check(config, resume=resume, overwrite=overwrite)
    if goes_on and _is_finished(folder, report):
        report(f"{folder.path}: the run is finished; nothing to do")
        return Trained(folder, already=True)
    if goes_on:
        config = folder.with_choice(config)
    # A run that goes on has its weights, and no need of the run that it began from.
    source = None if goes_on else open_source(config.model, config.output)
    threads = prepare_kernels(config, report)
    splits = load(config.data, report, use_cache)
    config, chosen = settle(config, splits, source, report)
    engine, started = build_engine(config, splits, source, report)
    described = environment(threads, _data_files(config, splits), started) | chosen
    with folder.locked():
        resuming = folder.check(config, resume=resume, overwrite=overwrite)
        if resuming:
            folder.check_data_files(described)
            described |= _beginning(folder)
        elif goes_on:
            raise UserError(f"{folder.path}: was changed meanwhile; give the command again")
        checkpoints = Checkpoints(folder.checkpoints, config.checkpoint.keep)
        checkpoint = checkpoints.latest_whole(report) if resuming else None
        folder.prepare(config, described, resuming=resuming)
        splits.vocabulary.save(folder.path)
        with MetricsSink(folder.metrics) as metrics:
            loop = Loop(config, engine, splits, checkpoints, metrics, report)
            if checkpoint is not None:
                loop.restore(checkpoint)
                report(f"going on from {checkpoint.path}")
            _tell(config, engine, splits, report)
            try:
                with listening() as request:
                    loop.run(request)
            finally:
                _draw(config, folder, report)
    return Trained(folder, already=False)


def _tell(
    config: "Config", engine: "Engine", splits: "Splits", report: Callable[[str], None]
) -> None:
    """Say what a user must know of the model and the objectives."""
    if told := engine.model.describe(splits.train):
        report(told.text)
    for text in caveats(stage_configs(config)):
        report(text)


def _data_files(config: "Config", splits: "Splits") -> list[ReadFile]:
    """Return the files that the data and the samplers of a run's stages are read from."""
    samplers = [stage.sampler for stage in stage_configs(config) if stage.sampler is not None]
    of_samplers = dict.fromkeys(file for sampler in samplers for file in sampler.files())
    return [*splits.files, *map(describe_file, of_samplers)]


def prepare_kernels(config: "Config", report: Callable[[str], None]) -> int:
    """Set the kernels' threads as the config asks, return their number; say when they compile."""
    wanted = config.training.threads
    threads = kernels.use_threads(None if wanted == "auto" else wanted)
    kernels.tell_compilation(report)
    if wanted != "auto" and threads < wanted:
        report(f"training.threads: {wanted} asked for, {threads} used: one a core at most")
    return threads


def _is_finished(folder: RunFolder, report: Callable[[str], None]) -> bool:
    checkpoint = Checkpoints(folder.checkpoints).open_for_reading("last", report, parts=None)
    return bool(checkpoint.state["standing"]["finished"])


def _beginning(folder: RunFolder) -> dict[str, Any]:
    """Return what environment.json says of a run's beginning, which one that goes on keeps."""
    before = read_json(folder.environment)
    return {key: before[key] for key in ("warm_start", "sampler_choice") if key in before}


def _draw(config: "Config", folder: RunFolder, report: Callable[[str], None]) -> None:
    """Draw the picture; a picture that cannot be drawn is no reason to fail."""
    objectives = [stage.objective for stage in stage_configs(config)]
    label = "training loss"
    if any(objective.sampled for objective in objectives):
        kinds = [f"{one.type}, sampled" if one.sampled else one.type for one in objectives]
        label += f" ({'; then '.join(dict.fromkeys(kinds))})"
    try:
        draw_loss_curve(read_metrics(folder.metrics), folder.picture, label)
    except FailureError as error:
        report(str(error))
