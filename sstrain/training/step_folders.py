"""Folders of steps, moved into and out of place in single renames, and the links to them.

``step-000001234`` is a folder that is whole. What starts with a dot is on its way in
(``.partial-``), on its way out (``.removed-``), or gives way to another folder of the same step
(``.replaced-``, which counts as the step's as long as the other is not in place).
"""

import os
import re
import shutil
from pathlib import Path

from sstrain.disk import sync

__all__ = ["StepFolders"]

_LINKS = ("best", "last")
_FOLDER = re.compile(r"(?:\.replaced-)?step-(\d{9,})")
_LEFT_OVER = re.compile(r"\.(partial|removed|replaced)-(?:\.replaced-)?(step-\d{9,})")


def _name(step: int) -> str:
    return f"step-{step:09d}"


class StepFolders:
    """The folders of some steps and the links ``best`` and ``last`` to two of them.

    Parameters
    ----------
    folder : Path
        Where they are; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paths(self) -> dict[int, Path]:
        """Return the folder of each step, steps rising."""
        if not self.folder.is_dir():
            return {}
        matches = [(_FOLDER.fullmatch(path.name), path) for path in sorted(self.folder.iterdir())]
        # In this order `.replaced-step-N` stands before `step-N`, which takes its place.
        found = {int(match[1]): path for match, path in matches if match and path.is_dir()}
        return dict(sorted(found.items()))

    def linked(self, link: str) -> int | None:
        """Return the step that a link stands for; None where there is no link, or no such step."""
        try:
            match = _FOLDER.fullmatch(os.readlink(self.folder / link))
        except OSError:
            return None
        return int(match[1]) if match and int(match[1]) in self.paths() else None

    def partial(self, step: int) -> Path:
        """Return where a step's folder is to be written before `put_in_place`."""
        return self.folder / f".partial-{_name(step)}"

    def put_in_place(self, step: int) -> Path:
        """Make the partial folder of a step its folder, in place of one that exists."""
        path = self.folder / _name(step)
        replaced = self.folder / f".replaced-{path.name}"
        if path.exists():
            os.rename(path, replaced)
        os.rename(self.partial(step), path)
        sync(self.folder)
        if replaced.exists():
            shutil.rmtree(replaced)
        return path

    def link(self, link: str, step: int | None) -> None:
        """Let a link stand for a step; None, or a step that has no folder, removes the link."""
        path = self.folder / link
        if step is None or step not in self.paths():
            path.unlink(missing_ok=True)
        elif self.linked(link) != step:
            temporary = self.folder / f".{link}.partial"
            temporary.unlink(missing_ok=True)
            os.symlink(_name(step), temporary)
            os.replace(temporary, path)
            sync(self.folder)

    def remove(self, path: Path) -> None:
        """Remove a step's folder."""
        # Renamed first, so that a kill leaves no half of it under the step's name.
        removed = self.folder / f".removed-{path.name}"
        os.rename(path, removed)
        shutil.rmtree(removed)

    def clear(self) -> None:
        """Remove, or put back, what a kill left under names that start with a dot."""
        for path in sorted(self.folder.iterdir()):
            match = _LEFT_OVER.fullmatch(path.name)
            if match and match[1] == "replaced" and not (self.folder / match[2]).exists():
                os.rename(path, self.folder / match[2])
            elif match:
                shutil.rmtree(path)
            elif path.name in [f".{link}.partial" for link in _LINKS]:
                path.unlink()

    def remove_all(self) -> None:
        """Remove every step and link, and the folder itself if nothing else is in it."""
        if not self.folder.is_dir():
            return
        for link in _LINKS:
            if (self.folder / link).is_symlink():
                (self.folder / link).unlink()
        self.clear()
        for path in self.paths().values():
            self.remove(path)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()
