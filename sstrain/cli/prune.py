"""``sstrain prune``."""

from pathlib import Path

import click

from sstrain.cli.options import cache_option, checkpoint_option, say

__all__ = ["command"]


class _Share(click.ParamType):  # type: ignore[type-arg]
    """``5%`` or ``0.05``."""

    name = "share"

    def convert(
        self, value: str | float, param: click.Parameter | None, context: click.Context | None
    ) -> float:
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = 0.0
        if not 0 < share <= 1:
            allowed = "expected a share above 0 and at most 1, as 5% or 0.05"
            raise click.BadParameter(f"{allowed}; got {value!r}", context, param)
        return share


@click.command("prune")
@click.argument("run", type=Path)
@click.option(
    "--keep", required=True, type=_Share(), metavar="SHARE", help="Of the weights, as 5% or 0.05."
)
@click.option("--output", required=True, type=Path, metavar="DIR", help="The new run's folder.")
@checkpoint_option
@cache_option
def command(
    run: Path, keep: float, output: Path, checkpoint: str | int | None, use_cache: bool
) -> None:
    """Write a RUN that keeps a share of the weights of a dense RUN's model, the largest.

    Its figures on the validation split, else the test split, and its sizes are printed beside
    those of the dense model. Training its config.yaml goes on with the kept weights alone.
    """
    from sstrain.training.pruning import prune

    click.echo(prune(run, keep, output, checkpoint, say, use_cache).as_text())
