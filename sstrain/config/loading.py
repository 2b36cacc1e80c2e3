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
from sstrain.config.tree import Node, Place
from sstrain.config.yaml import parse
from sstrain.errors import UserError

__all__ = ["load"]

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
    root = _read(path, problems)
    config = None
    if root is not None:
        override(root, overrides, output, problems)
        complete(root)
        config = _assemble(root, problems)
    if problems or config is None:
        raise UserError(*_messages(problems))
    return resolve(config, name=Path(path).stem)


def _read(path: Path | str, problems: list[Problem]) -> Node | None:
    text = _text(path)
    origin = Place(0, 1, 1, str(path), os.path.dirname(os.path.abspath(path)))
    root = parse(text, origin, problems)
    if root is not None and not isinstance(root.value, dict):
        found = "empty" if root.value is None else f"no mapping; {got(root.plain())}"
        problems.append(Problem(root.place, (), f"{found}; expected a config with the key data"))
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


def _assemble(root: Node, problems: list[Problem]) -> Config | None:
    assembler = Assembler(problems)
    values = assembler.values(Config, root)
    config = assembler.build(Config, values, root)
    wrong = {str(problem.key[0]) for problem in problems if problem.key}
    draft = config or Config.model_construct(**values)
    for key, text, advice in conflicts(draft, wrong):
        node = root.nearest(key)
        problems.append(Problem(node.place, key, f"{text}; {got(node.plain())}; {advice}"))
    return config


def _messages(problems: list[Problem]) -> list[str]:
    """Return each message once: sections may share a value, and so its mistake."""
    once: dict[tuple[object, ...], str] = {}
    for problem in sorted(problems, key=lambda problem: problem.place):
        once.setdefault((problem.place, problem.key[-1:], problem.text), str(problem))
    return list(once.values())
