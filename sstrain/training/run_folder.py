"""A run's folder: what may be written into it, and how it is opened again."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sstrain.config import Config, differences, read_resolved, resolved_yaml
from sstrain.data.vocabulary import VOCABULARY_FILES
from sstrain.errors import FailureError, UserError
from sstrain.training.checkpoints import Checkpoints
from sstrain.training.files import disk_reason, read_json, write_json, write_text
from sstrain.training.format import check_format_version
from sstrain.training.lock import locked

__all__ = ["Run", "RunFolder", "data_hashes", "open_run"]


class RunFolder:
    """The folder of one run, by the names of what is in it.

    Nothing is created or changed before `locked` is entered.

    Parameters
    ----------
    path : Path
        Where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.environment = path / "environment.json"
        self.metrics = path / "metrics.jsonl"
        self.picture = path / "loss.png"
        self.checkpoints = path / "checkpoints"
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
        self._check_place()
        present = [path.name for path in (*self.files, self.checkpoints) if os.path.lexists(path)]
        if present:
            self._check_present(", ".join(present), resume or overwrite)
        if overwrite or not Checkpoints(self.checkpoints).steps():
            return False
        check_format_version(self.environment, read_json(self.environment))
        different = differences(read_resolved(self.config), config)
        if different:
            raise UserError(*(f"{self.config}: {line}" for line in different))
        return True

    def check_data_files(self, environment: Mapping[str, Any]) -> None:
        """Check that a run that goes on reads the data that it began with.

        Parameters
        ----------
        environment : mapping
            What `sstrain.training.environment.environment` returned now.

        Raises
        ------
        UserError
            One line for each data file whose SHA-256 is not the one in environment.json.
        """
        then, now = data_hashes(read_json(self.environment)), data_hashes(environment)
        changed = [path for path in now if now[path] != then.get(path)]
        if changed:
            raise UserError(
                *(
                    f"{path}: is not what the run in {self.path} was trained on; found SHA-256 "
                    f"{now[path][:12]}...; expected {(then.get(path) or 'no such file')[:12]}...; "
                    f"restore it, or start again with --overwrite"
                    for path in changed
                )
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder if need be, and keep other processes from training into it.

        What was checked before may have changed meanwhile: check again inside.

        Raises
        ------
        UserError
            If another process holds it (the message says which), or it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be made: {disk_reason(error)}") from error
        with locked(self.path / ".lock"):
            yield

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

    def _check_place(self) -> None:
        place = self.path
        while not os.path.lexists(place) and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise UserError(f"{place}: is not a folder; the output folder cannot be {self.path}")
        if not os.access(place, os.W_OK | os.X_OK):
            raise UserError(f"{place}: cannot be written; give another --output")

    def _check_present(self, present: str, allowed: bool) -> None:
        if not allowed:
            raise UserError(
                f"{self.path}: holds a run already ({present}); give --resume to go on with it, "
                f"--overwrite to train afresh in its place, or another --output"
            )
        if not self.environment.is_file():
            raise UserError(
                f"{self.path}: holds {present}, but no environment.json, so it may be no run of "
                f"sstrain's; nothing was changed; give another --output"
            )

    def _remove_run(self) -> None:
        Checkpoints(self.checkpoints).remove_all()
        for path in self.files:
            if path != self.environment:
                path.unlink(missing_ok=True)
                path.with_name(f".{path.name}.partial").unlink(missing_ok=True)


def data_hashes(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of each data file that an environment.json names, by path."""
    files = environment.get("data_files")
    entries = [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    return {str(entry.get("path")): str(entry.get("sha256")) for entry in entries}


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
