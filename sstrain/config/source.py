"""A data source that stands in no config but on the command line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from sstrain.config.assembly import Assembler
from sstrain.config.hints import closest
from sstrain.config.overrides import override
from sstrain.config.problems import Problem, got
from sstrain.config.shapes import any_of, sections, tags
from sstrain.config.tree import Node, Place
from sstrain.data import TrainSource
from sstrain.errors import UserError

if TYPE_CHECKING:
    from sstrain.section import Section

__all__ = ["source_of"]


def source_of(path: str, format: str, settings: Sequence[str]) -> TrainSource:
    """Return the section that ``data.train`` would be for a file.

    Parameters
    ----------
    path : str
        The file, as the user named it.
    format : str
    settings : sequence of str
        ``key=value`` for the format's own keys, the value in YAML.

    Raises
    ------
    UserError
        With one message for each mistake.
    """
    kinds = {tag: kind for kind in sections(cast(Any, TrainSource)) for tag in tags(kind)}
    if format not in kinds:
        parts = ["unknown format", got(format), f"expected {any_of(list(kinds))}"]
        hint = closest(format, list(kinds))
        raise UserError("--format: " + "; ".join([*parts, hint] if hint else parts))
    place, option = Place(0, 1, 1, path, ""), Place(1, 1, 1, "--set", "")
    # A key that is missing is one for --set to give.
    root = Node({"path": Node(path, place), "format": Node(format, place)}, option)
    problems: list[Problem] = []
    override(root, settings, None, problems)
    kind: type[Section] = kinds[format]
    assembler = Assembler(problems)
    section = assembler.build(kind, assembler.values(kind, root, (), list(kinds.values())), root)
    if problems:
        raise UserError(*dict.fromkeys(map(str, problems)))
    return cast(TrainSource, section)
