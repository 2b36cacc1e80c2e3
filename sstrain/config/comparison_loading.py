"""From a comparison's file to its valid, resolved config; written, read again, compared."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from sstrain.config.assembly import Assembler
from sstrain.config.comparison import Budget, Comparison
from sstrain.config.comparison_checks import comparison_conflicts
from sstrain.config.completion import DEFAULT_SAMPLER, complete, complete_type
from sstrain.config.loading import assemble, is_comparison, messages, read
from sstrain.config.overrides import override
from sstrain.config.problems import Problem, got
from sstrain.config.resolution import resolve
from sstrain.config.resolved import changes
from sstrain.config.sections import Config, Data, Training
from sstrain.config.tree import Key, Node
from sstrain.config.yaml import dump
from sstrain.errors import UserError

__all__ = [
    "comparison_differences",
    "comparison_notes",
    "comparison_yaml",
    "holds_comparison",
    "load_comparison",
]

#: What a base may hold and a comparison leaves out: each cell has its own, or none.
_UNUSED = ("seed", "output", "objective", "sampler", "checkpoint", "diagnostics")
#: What a comparison that goes on may have otherwise than the one that began.
_FREE = ("output.", "tolerance.")
#: Also free where a cell's end does not depend on how fast it is.
_FREE_IF_NOT_TIMED = ("workers.", "base.training.threads.")


def load_comparison(
    path: Path | str, overrides: Sequence[str] = (), output: str | None = None
) -> Comparison:
    """Return the resolved config of a comparison.

    Parameters
    ----------
    path : Path or str
    overrides : sequence of str
        ``key.path=value``; keys of the base too, whether it is a section or the path of a file.
    output : str or None
        The comparison's folder, which stands above that of the file and of the overrides.

    Raises
    ------
    UserError
        With one message for each mistake; those of a base that is a file with its own lines.
    """
    problems: list[Problem] = []
    root = read(path, problems, "base")
    comparison = None
    if root is not None:
        base_file = _BaseFile(problems)
        override(root, overrides, output, problems, base_file.expand_for)
        base_file.expand(root)
        if _is_train_config(root):
            problems.append(_about_train_config(root))
        else:
            comparison = _assemble(root, problems, base_file)
        problems = [base_file.relative(problem) for problem in problems]
    if problems or comparison is None:
        raise UserError(*messages(problems))
    return _resolve(comparison, Path(path).stem)


def holds_comparison(path: Path | str) -> bool:
    """Tell whether a file is the config of a comparison; False for one that cannot be read."""
    try:
        root = read(path, [])
    except UserError:
        return False
    return root is not None and is_comparison(root)


class _BaseFile:
    """Puts the train config that ``base`` names in its place."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._sources: set[str] = set()
        #: Whether there is no base because its file cannot be read, which has been told.
        self.unread = False

    def expand_for(self, root: Node, key: Key) -> None:
        """Expand a base that a value is about to be put into."""
        if key[0] == "base" and len(key) > 1:
            self.expand(root)

    def expand(self, root: Node) -> None:
        """Replace a path by what its file holds; a file that cannot be read is a mistake."""
        node = root.get(("base",))
        if node is None or not isinstance(node.value, str):
            return
        path = os.path.normpath(os.path.join(node.place.folder, node.value))
        shown = os.path.relpath(path)
        shown = path if shown.startswith("..") else shown
        self._sources.add(shown)
        found = self._read(shown, node)
        self.unread = found is None
        root.value["base"] = found or Node(None, node.place)

    def _read(self, path: str, node: Node) -> Node | None:
        try:
            found = read(path, self._problems)
        except UserError as error:
            wrong = error.messages[0]
        else:
            if found is None or not is_comparison(found):
                return found
            wrong = f"{path} holds base, the key of a comparison"
        text = f"{wrong}; {got(node.value)}; expected a train config"
        self._problems.append(Problem(node.place, ("base",), text))
        return None

    def holds(self, node: Node) -> bool:
        """Tell whether a node stands in a base's file."""
        return node.place.source in self._sources

    def relative(self, problem: Problem) -> Problem:
        """Return a mistake with its key as the file has it, if it stands in a base's file."""
        if problem.place.source in self._sources and problem.key[:1] == ("base",):
            return replace(problem, key=problem.key[1:])
        return problem


def _is_train_config(root: Node) -> bool:
    return root.get(("base",)) is None and root.get(("data",)) is not None


def _about_train_config(root: Node) -> Problem:
    found = "found data, the key of a train config"
    advice = "expected a comparison, whose base it may be; a train config is run by sstrain train"
    return Problem(root.value["data"].place, ("data",), f"{found}; {advice}")


def _assemble(root: Node, problems: list[Problem], base_file: _BaseFile) -> Comparison | None:
    for name, tag in (("objectives", "importance"), ("samplers", DEFAULT_SAMPLER)):
        for node in _entries(root, name):
            complete_type(node, tag)
    base = _base(root, problems, base_file)
    assembler = Assembler(problems, Comparison)
    others = {name: child for name, child in root.children if name != "base"}
    values = assembler.values(Comparison, Node(others, root.place))
    # In the place of a base with mistakes one without data, so that the rest is checked.
    values["base"] = base or Config.model_construct(
        data=Data.model_construct(train=cast(Any, None))
    )
    comparison = assembler.build(Comparison, values, root)
    _about_exact(root, problems)
    wrong = {str(problem.key[0]) for problem in problems if problem.key} - {"base"}
    draft = comparison or Comparison.model_construct(**values)
    for key, text, advice in comparison_conflicts(draft, wrong if base else {*wrong, "base"}):
        node = root.nearest(key)
        problems.append(Problem(node.place, key, f"{text}; {got(node.plain())}; {advice}"))
    return comparison


def _base(root: Node, problems: list[Problem], base_file: _BaseFile) -> Config | None:
    node = root.get(("base",)) or Node(None, root.place)
    if base_file.unread:
        return None
    if isinstance(node.value, dict):
        complete(node, problems, ("base",))
        return assemble(node, problems, ("base",), Config if base_file.holds(node) else Comparison)
    found = "missing" if node.value is None else f"wrong type; {got(node.plain())}"
    text = f"{found}; expected a train config, or its path"
    problems.append(Problem(node.place, ("base",), text))
    return None


def _entries(root: Node, name: str) -> list[Node]:
    node = root.get((name,))
    return node.value if node is not None and isinstance(node.value, list) else []


def _about_exact(root: Node, problems: list[Problem]) -> None:
    """Say of an exact objective in the list why it is none of the choices."""
    advice = "remove it, and give reference: true"
    for i, node in enumerate(_entries(root, "objectives")):
        if (node.get(("type",)) or node).value == "exact":
            key = ("objectives", i)
            text = f"exact is the reference, no sampled objective; {got(node.plain())}; {advice}"
            problems[:] = [problem for problem in problems if problem.key[:2] != key]
            problems.append(Problem(node.place, key, text))


def _resolve(comparison: Comparison, name: str) -> Comparison:
    base = resolve(comparison.base)
    budget = comparison.budget or Budget(epochs=base.training.epochs)
    defaults: dict[str, Any] = {key: Config.model_fields[key].default for key in _UNUSED}
    training = {"epochs": budget.epochs or Training().epochs, "patience": None, "stages": None}
    defaults["training"] = base.training.model_copy(update=training)
    return comparison.model_copy(
        update={
            "output": comparison.output or os.path.abspath(os.path.join("runs", name)),
            "base": base.model_copy(update=defaults),
            "budget": budget,
        }
    )


def _plain(comparison: Comparison) -> dict[str, Any]:
    values = comparison.model_dump(exclude_none=True)
    for name in _UNUSED:
        values["base"].pop(name, None)
    del values["base"]["training"]["epochs"]
    return values


def comparison_yaml(comparison: Comparison) -> str:
    """Return a resolved comparison as YAML, its base written out."""
    return dump(_plain(comparison))


def comparison_differences(old: Comparison, new: Comparison) -> list[str]:
    """Return what keeps a comparison from going on with another config, a line a key.

    The output folder and the tolerance may differ, and the workers and the number of threads unless
    the budget is in seconds.
    """
    timed = new.budget is not None and new.budget.seconds is not None
    free = _FREE if timed else _FREE + _FREE_IF_NOT_TIMED
    return changes(_plain(old), _plain(new), free, "comparison")


def comparison_notes(comparison: Comparison) -> list[str]:
    """Return what is no mistake in a comparison, but may not be what was meant."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if cores is None or comparison.workers <= cores:
        return []
    return [f"workers: {comparison.workers} on {cores} cores; more than one a core save no time"]
