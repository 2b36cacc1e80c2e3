"""``sstrain eval``."""

import json
from pathlib import Path

import click

from sstrain.cli.options import cache_option, checkpoint_option, say

__all__ = ["command"]


@click.command("eval")
@click.argument("run", type=Path)
@click.option("--data", type=Path, metavar="FILE", help="Score this file, read as the run's data.")
@checkpoint_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@cache_option
def command(
    run: Path, data: Path | None, checkpoint: str | int | None, as_json: bool, use_cache: bool
) -> None:
    """Score a RUN's model over all classes: its test split, else its validation split."""
    from sstrain.evaluation.saved_run import as_table, evaluate_run

    figures = evaluate_run(run, data, checkpoint, say, use_cache)
    click.echo(json.dumps(figures, allow_nan=False) if as_json else as_table(figures))
