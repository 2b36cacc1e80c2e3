"""A run's checkpoints: written beside and moved into place, so that a kill loses none."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sstrain.disk import disk_reason, sync
from sstrain.errors import FailureError, UserError
from sstrain.training.checkpoint import (
    Checkpoint,
    can_resume,
    load_checkpoint,
    strip,
    verify,
    write_checkpoint,
)
from sstrain.training.step_folders import StepFolders
from sstrain.training.tensors import TensorSource

__all__ = ["Checkpoints"]


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    folder : Path
        The run's folder ``checkpoints``; made when the first checkpoint is saved.
    keep : int
        How many of the most recent ones are kept; the best is kept besides.
    """

    def __init__(self, folder: Path, keep: int = 1) -> None:
        self.folder = folder
        self.keep = keep
        self._folders = StepFolders(folder)

    def steps(self) -> list[int]:
        """Return the steps of the checkpoints that exist, whole or not, rising."""
        return list(self._folders.paths())

    def linked(self, link: str) -> int | None:
        """Return the step that ``"best"`` or ``"last"`` stands for; None where there is none."""
        return self._folders.linked(link)

    def find(self, which: str | int) -> Path:
        """Return the folder of a checkpoint.

        Parameters
        ----------
        which : "best", "last" or int
            A link's name, or a step.

        Raises
        ------
        UserError
            If there is none; the message lists those that exist.
        """
        return self._folders.paths()[self._step(which)]

    def open_for_reading(
        self,
        which: str | int,
        report: Callable[[str], None],
        parts: Iterable[str] | None = ("model",),
    ) -> Checkpoint:
        """Return a checkpoint, or the whole one before it if some of its parts are damaged.

        Parameters
        ----------
        which : "best", "last" or int
            As in `find`.
        report : callable
            Told, in one line each, what is damaged and what is used instead.
        parts : iterable of str, optional
            The parts that will be read; damage to others does not matter. None: every part.

        Raises
        ------
        UserError
            If there is no such checkpoint, or it is of another format version.
        FailureError
            If neither it nor any before it is whole.
        """
        needed = None if parts is None else tuple(parts)
        named = self._step(which)
        before = [step for step in self.steps() if step <= named]
        for step, path in self._whole(before, report, lambda path: verify(path, needed)):
            return self._loaded(path, step, named, report)
        raise FailureError(
            f"{self.folder}: neither checkpoint {named} nor one before it is whole; name another "
            f"one (there are {_listed(self.steps())}), or train again"
        )

    def latest_whole(self, report: Callable[[str], None]) -> Checkpoint | None:
        """Return the newest checkpoint that a run can go on from; None where there is none at all.

        What a kill left is cleared away, and the links ``last`` and ``best`` are set to what they
        were when the checkpoint was written.

        Parameters
        ----------
        report : callable
            Told, in one line each, what is damaged and what is used instead.

        Raises
        ------
        UserError
            If a checkpoint is of another format version.
        FailureError
            If there are checkpoints and a run can go on from none of them.
        """
        if self.folder.is_dir():
            self._folders.clear()
        steps = self.steps()
        for step, path in self._whole(steps, report, verify):
            if can_resume(path):
                found = self._loaded(path, step, steps[-1], report)
                self._folders.link("last", step)
                self._folders.link("best", found.best)
                return found
        if steps:
            raise FailureError(
                f"{self.folder}: no checkpoint is whole enough to go on from; start again with "
                f"--overwrite"
            )
        return None

    def save(
        self,
        step: int,
        parts: Mapping[str, Mapping[str, TensorSource]],
        state: Mapping[str, Any],
        *,
        best: bool,
    ) -> Path:
        """Write a checkpoint, move it into place, set the links, and remove what is not kept.

        Parameters
        ----------
        step : int
            Steps that the run has done; a checkpoint of the same step is replaced.
        parts : mapping of str to mapping of str to array or Blocks
            The tensors of each ``<part>.safetensors``; ``optimizer`` is among them.
        state : mapping
            Finite JSON values; kept as ``state.json``, with ``step`` before them.
        best : bool
            Whether it is the run's best so far.

        Returns
        -------
        Path
            Its folder.

        Raises
        ------
        FailureError
            If it cannot be written; the ones before it stay.
        """
        with self._failures(step):
            if not self.folder.is_dir():
                self.folder.mkdir()
                sync(self.folder.parent)
            self._folders.clear()
            best_step = step if best else self.linked("best")
            content = {"step": step, **state}
            write_checkpoint(self._folders.partial(step), parts, content, best_step)
            path = self._folders.put_in_place(step)
            self._folders.link("last", step)
            self._folders.link("best", best_step)
            self._rotate(step)
        return path

    def remove_all(self) -> None:
        """Remove every checkpoint and link, and the folder if nothing else is in it."""
        self._folders.remove_all()

    def _step(self, which: str | int) -> int:
        steps = self.steps()
        step = self.linked(which) if isinstance(which, str) else which
        if step is None and which == "last" and steps:
            return steps[-1]  # killed before the first link was set
        if step not in steps:
            there_are = f"there are {_listed(steps)}" if steps else "there is none yet"
            raise UserError(f"{self.folder}: no checkpoint {which}; {there_are}")
        return step

    def _whole(
        self,
        steps: Iterable[int],
        report: Callable[[str], None],
        damaged_files: Callable[[Path], list[str]],
    ) -> Iterator[tuple[int, Path]]:
        """Yield the whole ones among some checkpoints, the newest first, and report the others."""
        paths = self._folders.paths()
        for step in sorted(steps, reverse=True):
            damaged = damaged_files(paths[step])
            if damaged:
                names = ", ".join(damaged)
                report(f"{paths[step]}: damaged: missing, or not as its SHA-256 says: {names}")
            else:
                yield step, paths[step]

    def _loaded(
        self, path: Path, step: int, wanted: int, report: Callable[[str], None]
    ) -> Checkpoint:
        if step != wanted:
            report(f"{path}: used instead of the checkpoint of step {wanted}")
        return load_checkpoint(path, step)

    def _rotate(self, step: int) -> None:
        # Checkpoints of later steps are left from before a resume that could not use them.
        kept = [other for other in self.steps() if other <= step][-self.keep :]
        best = self.linked("best")
        for other, path in self._folders.paths().items():
            if other in kept:
                continue
            if other == best:
                strip(path)
            else:
                self._folders.remove(path)

    @contextmanager
    def _failures(self, step: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            whole = [other for other in self.steps() if other != step]
            stays = f"the one of step {whole[-1]} stays" if whole else "there is none before it"
            raise FailureError(
                f"{self.folder}: the checkpoint of step {step} could not be written: "
                f"{disk_reason(error)}; {stays}"
            ) from error
        finally:
            shutil.rmtree(self._folders.partial(step), ignore_errors=True)


def _listed(steps: Iterable[int]) -> str:
    return ", ".join(map(str, steps))
