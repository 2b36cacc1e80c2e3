"""What a file may leave out of a section because another part of the config says it."""

import os
from typing import Any

from sstrain.config.problems import REPORTED, Problem
from sstrain.config.sections import Config
from sstrain.config.shapes import sections, tags
from sstrain.config.tree import Key, Node
from sstrain.data import FORMATS, Source
from sstrain.data.files import STANDARD_INPUT
from sstrain.data.guessing import guess_format
from sstrain.errors import UserError

__all__ = ["AUTO", "DEFAULT_SAMPLER", "complete", "complete_type", "default_types"]

#: The proposal of a sampled objective where the config has none.
DEFAULT_SAMPLER = "unigram"
#: The format of a file whose content tells it.
AUTO = "auto"


def complete(root: Node, problems: list[Problem], above: Key = ()) -> None:
    """Write what follows from other keys into a config, in place.

    A section without ``type`` is of the default type; the format of training data that have none is
    that which the file looks like; a held-out source in train's format takes the reading options
    that it does not give itself, places included, and a stage's section takes keys of the run's.

    Parameters
    ----------
    root : Node
        A train config.
    problems : list of Problem
        A format that cannot be told is added to it.
    above : tuple
        Where it stands in a larger config.
    """
    for name, tag in default_types().items():
        if node := root.get((name,)):
            complete_type(node, tag)
    stages = root.get(("training", "stages"))
    if stages and isinstance(stages.value, list):
        for stage in stages.value:
            _complete_stage(stage, root)
    train = root.get(("data", "train"))
    if train and isinstance(train.value, dict):
        _tell_format(train, problems, (*above, "data", "train", "format"))
    for split in ("validation", "test"):
        held_out = root.get(("data", split))
        if train and held_out and isinstance(held_out.value, dict):
            _inherit(train, held_out)


def _complete_stage(stage: Node, root: Node) -> None:
    """Write into a stage's sections what they take from the run's."""
    for name in ("objective", "sampler"):
        own, run = stage.get((name,)), root.get((name,))
        if own is None or not isinstance(own.value, dict):
            continue
        taken: dict[str, Node] = dict(run.value) if run and isinstance(run.value, dict) else {}
        if _given(own, "type"):
            taken = {key: node for key, node in taken.items() if key == "num_samples"}
        if _given(stage, "num_samples"):
            taken.pop("num_samples", None)
        for key, node in taken.items():
            if not _given(own, key):
                own.value[key] = node
        complete_type(own, default_types()[name])


def complete_type(node: Node, tag: str) -> None:
    """Write a type into a section that has none, in place."""
    if isinstance(node.value, dict) and not _given(node, "type"):
        node.value["type"] = Node(tag, node.place)


def default_types() -> dict[str, Any]:
    """Return the ``type`` of each section of the config that need not give one."""
    types: dict[str, Any] = {"sampler": DEFAULT_SAMPLER}
    for name, field in Config.model_fields.items():
        kind = type(field.default)
        if kind in sections(field.annotation) and tags(kind):
            types[name] = tags(kind)[0]
    return types


def _tell_format(train: Node, problems: list[Problem], key: Key) -> None:
    """Write the format that the first file looks like in the place of none, or of ``auto``."""
    form, path = _given(train, "format"), _given(train, "path")
    while path and isinstance(path.value, list) and path.value:
        path = path.value[0]
    if (form and form.plain() != AUTO) or not path or not isinstance(path.value, str):
        return
    place = form.place if form else train.place
    is_file = path.value != STANDARD_INPUT
    file = os.path.join(path.place.folder if is_file else "", path.value)
    try:
        name = guess_format(file)
    except UserError as error:
        if is_file and not os.path.exists(file):
            place, key = path.place, (*key[:-1], "path")
        problems.append(Problem(place, key, str(error)))
        name = REPORTED
    train.value["format"] = Node(name, place)


def _given(node: Node, name: str) -> Node | None:
    child = node.get((name,))
    return child if child and child.value is not None else None


def _inherit(train: Node, held_out: Node) -> None:
    # Where neither says its format, both lack it at the same place: the user is told once.
    form = _given(train, "format") or Node(None, train.place)
    own_form = _given(held_out, "format")
    if own_form and own_form.plain() not in (form.plain(), AUTO):
        return
    held_out.value["format"] = form
    # Of no section if the format is unknown: the user is told.
    kind = FORMATS.get(str(form.plain()), (Source,))[0]
    for name in kind.model_fields.keys() - kind.path_keys():
        if (option := _given(train, name)) and not _given(held_out, name):
            held_out.value[name] = option
