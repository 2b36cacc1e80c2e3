"""A run's folder: what may be written into it, and how it is opened again."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sstrain.config import Config, differences, read_resolved, resolved_yaml
from sstrain.data.vocabulary import VOCABULARY_FILES
from sstrain.disk import disk_reason, read_json, write_json, write_text
from sstrain.errors import FailureError, UserError
from sstrain.samplers import is_auto
from sstrain.training.checkpoints import Checkpoints
from sstrain.training.format import check_format_version
from sstrain.training.output_folder import OutputFolder

__all__ = ["Run", "RunFolder", "open_run"]


class RunFolder(OutputFolder):
    """The folder of one run, by the names of what is in it."""

    kind = "run"
    verb = "train"
    made_from = "trained on"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.metrics = path / "metrics.jsonl"
        self.picture = path / "loss.png"
        self.checkpoints = path / "checkpoints"
        #: The approximate index of a model, if one was built.
        self.index = path / "index"
        #: Every file of a run's, the checkpoints apart.
        self.files = (
            self.config,
            self.environment,
            self.metrics,
            self.picture,
            *(path / name for name in VOCABULARY_FILES),
        )

    def check(self, config: Config, *, resume: bool = False, overwrite: bool = False) -> bool:
        """Check that a run of a config may be written here; change nothing.

        Parameters
        ----------
        config : Config
            The resolved config of the run.
        resume, overwrite : bool
            What the user allowed to be done with a run that is here.

        Returns
        -------
        bool
            Whether there is a run to go on with: it has a checkpoint, and ``resume`` is given.

        Raises
        ------
        UserError
            If the folder cannot be written, if it holds a run and neither flag is given, if it
            holds files by our names that are not of a run, or if the run to go on with is of
            another config (each difference is named) or format version.
        """
        if (self.path / "cells").exists() and (self.path / "results.csv").exists():
            raise UserError(f"{self.path}: holds a comparison; give another --output")
        self.check_place((*self.files, self.checkpoints), allowed=resume or overwrite)
        if overwrite or not Checkpoints(self.checkpoints).steps():
            return False
        check_format_version(self.environment, read_json(self.environment))
        different = differences(read_resolved(self.config), self.with_choice(config))
        if different:
            raise UserError(*(f"{self.config}: {line}" for line in different))
        return True

    def with_choice(self, config: Config) -> Config:
        """Return a config with the sampler that the run here chose, where it leaves it to be."""
        if config.sampler is None or not is_auto(config.sampler):
            return config
        choice = read_json(self.environment).get("sampler_choice")
        if choice is None or choice.get("asked") != config.sampler.model_dump():
            return config
        return config.model_copy(update={"sampler": read_resolved(self.config).sampler})

    def prepare(self, config: Config, environment: Mapping[str, Any], *, resuming: bool) -> None:
        """Write what describes a run, over what described one that goes on or is trained afresh.

        Parameters
        ----------
        config : Config
            The resolved config.
        environment : mapping
            What `sstrain.training.environment.environment` returned.
        resuming : bool
            What `check` returned. If false, an earlier run's own files are removed, no others.

        Raises
        ------
        FailureError
            If something cannot be written or removed.
        """
        try:
            if not resuming:
                self._remove_run()
            # First, since a folder without it is not taken for a run.
            write_json(self.environment, environment)
            write_text(self.config, resolved_yaml(config))
        except OSError as error:
            raise FailureError(f"{self.path}: cannot be written: {disk_reason(error)}") from error

    def _remove_run(self) -> None:
        Checkpoints(self.checkpoints).remove_all()
        shutil.rmtree(self.index, ignore_errors=True)
        for path in self.files:
            if path != self.environment:
                path.unlink(missing_ok=True)
                path.with_name(f".{path.name}.partial").unlink(missing_ok=True)


@dataclass(frozen=True)
class Run:
    """A run that was trained, or is being trained.

    Attributes
    ----------
    folder : RunFolder
    config : Config
        Its resolved config.
    environment : dict
        What environment.json holds.
    """

    folder: RunFolder
    config: Config
    environment: dict[str, Any]

    @property
    def checkpoints(self) -> Checkpoints:
        """Its checkpoints, to be read."""
        return Checkpoints(self.folder.checkpoints)


def open_run(path: Path) -> Run:
    """Open a run's folder to read it.

    Raises
    ------
    UserError
        If there is no run, or it is of another format version, or its config is damaged.
    """
    folder = RunFolder(path)
    if not path.exists():
        raise UserError(f"{path}: does not exist; expected the folder of a run")
    for file in (folder.config, folder.environment):
        if not file.is_file():
            raise UserError(f"{path}: is not the folder of a run: there is no {file.name} in it")
    environment = read_json(folder.environment)
    check_format_version(folder.environment, environment)
    return Run(folder, read_resolved(folder.config), environment)
