"""``sstrain index``."""

from pathlib import Path

import click

from sstrain.cli.options import cache_option, checkpoint_option, say

__all__ = ["command"]


@click.command("index")
@click.argument("run", type=Path)
@checkpoint_option
@click.option(
    "--recall-examples",
    default=1000,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Measure recall on this many held-out examples.",
)
@cache_option
def command(run: Path, checkpoint: str | int | None, recall_examples: int, use_cache: bool) -> None:
    """Build the approximate index of a RUN's low-rank model, and measure its recall.

    It finds the best labels without a pass over all of them, and most of the time all of them.
    """
    from sstrain.serving.index import build_index

    click.echo(build_index(run, checkpoint, recall_examples, say, use_cache).as_text())
