"""``sstrain compare-samplers``."""

from pathlib import Path

import click

from sstrain.cli.options import cache_option, config_option, output_option, say, set_option

__all__ = ["command"]


@click.command("compare-samplers")
@config_option
@set_option
@output_option
@click.option("--resume", is_flag=True, help="Run the cells that the output folder has not.")
@click.option("--overwrite", is_flag=True, help="Compare afresh in the place of what is there.")
@cache_option
def command(
    config_file: Path,
    overrides: tuple[str, ...],
    output: str | None,
    resume: bool,
    overwrite: bool,
    use_cache: bool,
) -> None:
    """Train a grid of samplers; measure their gradients' error, and rank them."""
    from sstrain.comparison.compare import compare
    from sstrain.config.comparison_loading import comparison_notes, load_comparison

    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other")
    comparison = load_comparison(config_file, overrides, output)
    for note in comparison_notes(comparison):
        say(note)
    compared = compare(
        comparison, resume=resume, overwrite=overwrite, report=say, use_cache=use_cache
    )
    click.echo(compared.text)
