"""``sstrain data``: what data files hold."""

import json

import click

from sstrain.cli.groups import Group
from sstrain.cli.options import say, set_option

__all__ = ["command"]


@click.group("data", cls=Group)
def command() -> None:
    """Describe data files."""


@command.command()
@click.argument("file")
@click.option("--format", "format_name", help="As data.train.format; guessed if not given.")
@set_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def info(file: str, format_name: str | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Count what FILE holds; --set KEY=VALUE gives keys of data.train, such as context=5."""
    from sstrain.config.source import source_of
    from sstrain.data.guessing import guess_format
    from sstrain.data.info import as_text, describe

    if format_name is None:
        format_name = guess_format(file)
        say(f"{file}: read as {format_name}; --format names another")
    figures = describe(source_of(file, format_name, overrides), say)
    click.echo(json.dumps(figures) if as_json else as_text(figures))
