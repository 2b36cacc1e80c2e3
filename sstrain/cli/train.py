"""``sstrain train``."""

from pathlib import Path

import click

from sstrain.cli.options import cache_option, config_option, output_option, say, set_option

__all__ = ["command"]


@click.command("train")
@config_option
@set_option
@output_option
@click.option("--resume", is_flag=True, help="Go on with the run that is in the output folder.")
@click.option("--overwrite", is_flag=True, help="Train afresh in the place of that run.")
@cache_option
def command(
    config_file: Path,
    overrides: tuple[str, ...],
    output: str | None,
    resume: bool,
    overwrite: bool,
    use_cache: bool,
) -> None:
    """Train a model; write checkpoints, metrics and a picture into the run's folder."""
    from sstrain.config import load, notes
    from sstrain.training.train import train

    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other")
    config = load(config_file, overrides, output)
    for note in notes(config):
        say(note)
    trained = train(config, resume=resume, overwrite=overwrite, report=say, use_cache=use_cache)
    click.echo(trained.summary())
