"""A folder that a command writes into: a config, what it was made with, results."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from sstrain.disk import disk_reason, read_json
from sstrain.errors import UserError
from sstrain.lock import locked

__all__ = ["OutputFolder", "data_hashes"]


class OutputFolder:
    """What the folders of runs and of comparisons have in common.

    Nothing is created or changed before `locked` is entered.

    Parameters
    ----------
    path : Path
        Where it is, or will be.
    """

    #: What such a folder holds, what one does to make it, and its relation to data, in words.
    kind: ClassVar[str]
    verb: ClassVar[str]
    made_from: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.environment = path / "environment.json"

    def check_place(self, names: Iterable[Path], *, allowed: bool) -> bool:
        """Check that the folder can be written, and what it holds; return whether it holds ours.

        Parameters
        ----------
        names : iterable of Path
            What the command writes into it.
        allowed : bool
            Whether the user allowed something to be done with what is there.

        Raises
        ------
        UserError
            If it cannot be written, or holds results that the user did not speak of, or files by
            our names that are not ours.
        """
        place = self.path
        while not os.path.lexists(place) and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise UserError(f"{place}: is not a folder; the output folder cannot be {self.path}")
        if not os.access(place, os.W_OK | os.X_OK):
            raise UserError(f"{place}: cannot be written; give another --output")
        present = ", ".join(path.name for path in names if os.path.lexists(path))
        if present and not allowed:
            raise UserError(
                f"{self.path}: holds a {self.kind} already ({present}); give --resume to go on "
                f"with it, --overwrite to {self.verb} afresh in its place, or another --output"
            )
        if present and not self.environment.is_file():
            raise UserError(
                f"{self.path}: holds {present}, but no environment.json, so it may be no "
                f"{self.kind} of sstrain's; nothing was changed; give another --output"
            )
        return bool(present)

    def check_data_files(self, environment: Mapping[str, Any]) -> None:
        """Check that what goes on reads the data that it began with.

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
                    f"{path}: is not what the {self.kind} in {self.path} was {self.made_from}; "
                    f"found SHA-256 {now[path][:12]}...; expected "
                    f"{(then.get(path) or 'no such file')[:12]}...; restore it, or start again "
                    f"with --overwrite"
                    for path in changed
                )
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder if need be, and keep other processes from writing into it.

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


def data_hashes(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of each data file that an environment.json names, by path."""
    files = environment.get("data_files")
    entries = [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    return {str(entry.get("path")): str(entry.get("sha256")) for entry in entries}
