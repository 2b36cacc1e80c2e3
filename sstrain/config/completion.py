"""What a file may leave out of a section because another part of the config says it."""

from typing import Any

from sstrain.config.sections import Config
from sstrain.config.shapes import sections, tags
from sstrain.config.tree import Node
from sstrain.data import HeldOutSource

__all__ = ["DEFAULT_SAMPLER", "complete", "complete_type", "default_types"]

#: The proposal of a sampled objective where the config has none.
DEFAULT_SAMPLER = "unigram"


def complete(root: Node) -> None:
    """Write what follows from other keys into a config, in place.

    A section without ``type`` is of the default type; a held-out source in train's format takes
    the reading options that it does not give itself, places included.
    """
    for name, tag in default_types().items():
        if node := root.get((name,)):
            complete_type(node, tag)
    train = root.get(("data", "train"))
    for split in ("validation", "test"):
        held_out = root.get(("data", split))
        if train and held_out and isinstance(held_out.value, dict):
            _inherit(train, held_out)


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


def _given(node: Node, name: str) -> Node | None:
    child = node.get((name,))
    return child if child and child.value is not None else None


def _inherit(train: Node, held_out: Node) -> None:
    # Where neither says its format, both lack it at the same place: the user is told once.
    form = _given(train, "format") or Node(None, train.place)
    own_form = _given(held_out, "format")
    if own_form and own_form.plain() != form.plain():
        return
    held_out.value["format"] = own_form or form
    kinds = [kind for kind in sections(HeldOutSource) if form.plain() in tags(kind)]
    for name in {name for kind in kinds for name in kind.model_fields} - {"path", "format"}:
        if (option := _given(train, name)) and not _given(held_out, name):
            held_out.value[name] = option
