"""``sstrain config``: check, show and describe configs."""

import json
from pathlib import Path

import click

from sstrain.cli.groups import Group
from sstrain.cli.options import set_option

__all__ = ["command"]

_file_argument = click.argument("file", type=Path)


@click.group("config", cls=Group)
def command() -> None:
    """Check and show configs; print their schema."""


@command.command()
@_file_argument
@set_option
def check(file: Path, overrides: tuple[str, ...]) -> None:
    """Name every mistake in a config, or call it valid."""
    from sstrain.config import load, notes
    from sstrain.config.comparison_loading import (
        comparison_notes,
        holds_comparison,
        load_comparison,
    )

    if holds_comparison(file):
        found = comparison_notes(load_comparison(file, overrides))
    else:
        found = notes(load(file, overrides))
    for note in found:
        click.echo(note, err=True)
    click.echo(f"{file}: valid")


@command.command()
@_file_argument
@set_option
def show(file: Path, overrides: tuple[str, ...]) -> None:
    """Print a config with every default written out."""
    from sstrain.config import load, resolved_yaml
    from sstrain.config.comparison_loading import (
        comparison_yaml,
        holds_comparison,
        load_comparison,
    )

    if holds_comparison(file):
        click.echo(comparison_yaml(load_comparison(file, overrides)), nl=False)
    else:
        click.echo(resolved_yaml(load(file, overrides)), nl=False)


@command.command()
@click.option("--comparison", is_flag=True, help="That of compare-samplers' config.")
def schema(comparison: bool) -> None:
    """Print the JSON Schema of a config."""
    from sstrain.config.comparison import Comparison
    from sstrain.config.schema import config_schema
    from sstrain.config.sections import Config

    schema = config_schema(Comparison if comparison else Config)
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))
