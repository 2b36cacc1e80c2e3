"""The whole YAML config: read, checked with every mistake at once, resolved, written, compared."""

from sstrain.config.loading import load
from sstrain.config.resolution import resolve
from sstrain.config.resolved import differences, notes, read_resolved, resolved_yaml
from sstrain.config.sections import Config

__all__ = [
    "Config",
    "differences",
    "load",
    "notes",
    "read_resolved",
    "resolve",
    "resolved_yaml",
]
