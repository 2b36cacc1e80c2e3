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

    for note in notes(load(file, overrides)):
        click.echo(note, err=True)
    click.echo(f"{file}: valid")


@command.command()
@_file_argument
@set_option
def show(file: Path, overrides: tuple[str, ...]) -> None:
    """Print a config with every default written out."""
    from sstrain.config import load, resolved_yaml

    click.echo(resolved_yaml(load(file, overrides)), nl=False)


@command.command()
def schema() -> None:
    """Print the JSON Schema of a config."""
    from sstrain.config.schema import config_schema

    click.echo(json.dumps(config_schema(), indent=2, ensure_ascii=False))
