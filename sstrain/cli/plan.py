"""``sstrain plan``."""

import json
from pathlib import Path

import click

from sstrain.cli.options import cache_option, config_option, say, set_option

__all__ = ["command"]


@click.command("plan")
@config_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@cache_option
def command(config_file: Path, overrides: tuple[str, ...], as_json: bool, use_cache: bool) -> None:
    """Tell a run's memory and time before anything is allocated."""
    from sstrain.config import load
    from sstrain.training.plan import as_text, plan

    result = plan(load(config_file, overrides), say, use_cache)
    click.echo(json.dumps(result) if as_json else as_text(result))
