"""The whole YAML config: read, checked with every mistake at once, resolved, written, compared."""

from sstrain.config.checks import conflicts
from sstrain.config.loading import load
from sstrain.config.resolution import resolve
from sstrain.config.resolved import differences, notes, read_resolved, resolved_yaml
from sstrain.config.sections import Config, sampler_section
from sstrain.config.stages import stage_configs

__all__ = [
    "Config",
    "conflicts",
    "differences",
    "load",
    "notes",
    "read_resolved",
    "resolve",
    "resolved_yaml",
    "sampler_section",
    "stage_configs",
]
