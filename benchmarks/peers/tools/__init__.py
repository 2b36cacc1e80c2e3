"""The tools, one a file; each file's name is the tool's in options and tables."""

from importlib import import_module
from typing import cast

from peers.tools.base import Tool

NAMES = (
    "sstrain",
    "fasttext",
    "pytorch",
    "vowpal_wabbit",
    "omikuji",
    "napkinxc",
    "pecos",
    "scikit_learn",
    "liblinear",
)


def load(name: str) -> Tool:
    """Return a tool's module."""
    return cast(Tool, import_module(f"peers.tools.{name}"))
