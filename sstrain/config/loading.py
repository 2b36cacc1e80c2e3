"""From a file and what the command line adds to it to a valid, resolved config."""

import os
from collections.abc import Sequence
from pathlib import Path

from sstrain.config.assembly import Assembler
from sstrain.config.checks import conflicts
from sstrain.config.completion import complete
from sstrain.config.overrides import override
from sstrain.config.problems import Problem, got
from sstrain.config.resolution import resolve
from sstrain.config.sections import Config
from sstrain.config.tree import Key, Node, Place
from sstrain.config.yaml import parse
from sstrain.errors import UserError
from sstrain.section import Section

__all__ = ["assemble", "is_comparison", "load", "messages", "read"]

#: A larger file is no config, and would take long to read as one.
_MOST_BYTES = 256 * 1024


def load(path: Path | str, overrides: Sequence[str] = (), output: str | None = None) -> Config:
    """Return the resolved config of a YAML file.

    Parameters
    ----------
    path : Path or str
    overrides : sequence of str
        ``key.path=value``, the value in YAML; applied in their order, before validation.
    output : str or None
        The run's folder, which stands above that of the file and of the overrides.

    Returns
    -------
    Config
        Valid, with every default that depends on other keys written out and all paths absolute.

    Raises
    ------
    UserError
        With one message for each mistake, in the order of the file.
    """
    problems: list[Problem] = []
    root = read(path, problems)
    config = None
    if root is not None and is_comparison(root):
        found = "found base, the key of a comparison"
        advice = "expected a train config; a comparison is run by sstrain compare-samplers"
        problems.append(Problem(root.value["base"].place, ("base",), f"{found}; {advice}"))
    elif root is not None:
        override(root, overrides, output, problems)
        complete(root, problems)
        config = assemble(root, problems)
    if problems or config is None:
        raise UserError(*messages(problems))
    return resolve(config, name=Path(path).stem)


def is_comparison(root: Node) -> bool:
    """Tell whether a config is a comparison's rather than a run's."""
    return root.get(("base",)) is not None and root.get(("data",)) is None


def read(path: Path | str, problems: list[Problem], needs: str = "data") -> Node | None:
    """Return a file's values with their places, or None if it is no mapping in YAML.

    Parameters
    ----------
    path : Path or str
    problems : list of Problem
        Every mistake is added to it.
    needs : str
        A key that it should hold, for the message about a file that holds nothing.

    Raises
    ------
    UserError
        If it cannot be read as text.
    """
    text = _text(path)
    origin = Place(0, 1, 1, str(path), os.path.dirname(os.path.abspath(path)))
    root = parse(text, origin, problems)
    if root is not None and not isinstance(root.value, dict):
        found = "empty" if root.value is None else f"no mapping; {got(root.plain())}"
        problems.append(Problem(root.place, (), f"{found}; expected a config with the key {needs}"))
        return None
    return root


def _text(path: Path | str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot read the config: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{content[error.start]:02x}"
        raise UserError(f"{path}:{line}: not UTF-8; got {byte}; expected a YAML file") from None
    if len(content) > _MOST_BYTES:
        size = f"more than {_MOST_BYTES // 1024} KiB"
        raise UserError(f"{path}: {size}; too large for a config; expected a YAML file")
    return text


def assemble(
    root: Node, problems: list[Problem], above: Key = (), kind: type[Section] = Config
) -> Config | None:
    """Return the config of a node, or None; every mistake is added to ``problems``.

    Parameters
    ----------
    root : Node
        A train config.
    problems : list of Problem
    above : tuple
        Where it stands in a larger config.
    kind : type of Section
        The larger config, for hints.
    """
    assembler = Assembler(problems, kind)
    values = assembler.values(Config, root, above)
    config = assembler.build(Config, values, root, above)
    depth = len(above)
    wrong = {str(p.key[depth]) for p in problems if p.key[:depth] == above and p.key[depth:]}
    draft = config or Config.model_construct(**values)
    for key, text, advice in conflicts(draft, wrong):
        node = root.nearest(key)
        text = f"{text}; {got(node.plain())}; {advice}"
        problems.append(Problem(node.place, (*above, *key), text))
    return config


def messages(problems: list[Problem]) -> list[str]:
    """Return each message once: sections may share a value, and so its mistake."""
    once: dict[tuple[object, ...], str] = {}
    for problem in sorted(problems, key=_order):
        once.setdefault((problem.place, problem.key[-1:], problem.text), str(problem))
    return list(once.values())


def _order(problem: Problem) -> tuple[int, str, int, int]:
    place = problem.place
    return place.option, place.source, place.line, place.column
