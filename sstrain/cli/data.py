"""``sstrain data``: what data files hold, what is wrong with them, and other forms of them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sstrain.cli.groups import Group
from sstrain.cli.options import say, set_option

if TYPE_CHECKING:
    from sstrain.data import TrainSource
    from sstrain.data.converting import Form

__all__ = ["command"]

_format_option = click.option(
    "--format",
    "format_name",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="As data.train.format; auto tells it from the content.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("data", cls=Group)
def command() -> None:
    """Describe, check and convert data files.

    FILE is read as data.train of a config; --set KEY=VALUE gives keys of that section, as
    context=5. It may be - for standard input if --format is given.
    """


def _source(file: str, format_name: str, overrides: tuple[str, ...]) -> "TrainSource":
    from sstrain.config.source import source_of
    from sstrain.data.guessing import guess_format

    if format_name == "auto":
        if file == "-" or Path(file).is_fifo():
            raise click.UsageError(f"{file}: a pipe is read once, unguessed; give --format")
        format_name = guess_format(file)
        say(f"{file}: read as {format_name}; --format names another")
    return source_of(file, format_name, overrides)


@command.command()
@click.argument("file")
@_format_option
@set_option
@_json_option
@click.option("--picture", type=Path, metavar="PNG", help="Draw how frequencies fall with rank.")
def info(
    file: str, format_name: str, overrides: tuple[str, ...], as_json: bool, picture: Path | None
) -> None:
    """Count what FILE holds, and tell the memory of a model for it."""
    from sstrain.data.info import as_text, describe
    from sstrain.data.info_picture import draw_frequencies
    from sstrain.training.model_memory import with_memory

    description = describe(_source(file, format_name, overrides), say)
    if picture is not None:
        draw_frequencies(description.class_counts, description.feature_counts, picture)
    figures = with_memory(description.figures)
    click.echo(json.dumps(figures) if as_json else as_text(figures))


@command.command()
@click.argument("file")
@_format_option
@set_option
@_json_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=0), metavar="N")
def check(
    file: str, format_name: str, overrides: tuple[str, ...], as_json: bool, limit: int
) -> int:
    """Read all of FILE and list its first N bad lines; the exit code is 2 if there is one."""
    from sstrain.data.checking import check as checked

    result = checked(_source(file, format_name, overrides), limit, say)
    click.echo(json.dumps(result.as_json()) if as_json else result.as_text())
    return result.exit_code


@command.command()
@click.argument("file")
@click.argument("to", type=Path)
@_format_option
@set_option
@click.option(
    "--to",
    "form",
    type=click.Choice(["store", "svmlight", "xc"]),
    help="What TO becomes; by default its ending says: .svm, .svmlight, .libsvm or .xc, each also "
    "with .gz; a store if it is .store or there is none.",
)
@click.option("--overwrite", is_flag=True, help="Take the place of what is there.")
def convert(
    file: str,
    to: Path,
    format_name: str,
    overrides: tuple[str, ...],
    form: "Form | None",
    overwrite: bool,
) -> None:
    """Write what FILE holds as a store, which trains at once, or as svmlight or xc text."""
    from sstrain.data.converting import convert as converted

    converted(_source(file, format_name, overrides), to, form, overwrite, say)
