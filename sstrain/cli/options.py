"""Options that several commands share."""

from pathlib import Path

import click

__all__ = [
    "cache_option",
    "checkpoint_option",
    "config_option",
    "output_option",
    "say",
    "set_option",
]

config_option = click.option(
    "--config",
    "config_file",
    required=True,
    type=Path,
    metavar="FILE",
    help="The config, in YAML.",
)

set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="Put a value, in YAML, in the place of the file's; null removes a key or a section. "
    "May be given several times.",
)

output_option = click.option(
    "--output",
    metavar="DIR",
    help="The run's folder, in the place of the config's output.",
)


class _Checkpoint(click.ParamType):  # type: ignore[type-arg]
    """``best``, ``last`` or a step."""

    name = "checkpoint"

    def convert(
        self, value: str | int, param: click.Parameter | None, context: click.Context | None
    ) -> str | int:
        if isinstance(value, int) or value in ("best", "last"):
            return value
        if value.isdecimal():
            return int(value)
        raise click.BadParameter(f"expected best, last or a step; got {value!r}", context, param)


checkpoint_option = click.option(
    "--checkpoint",
    type=_Checkpoint(),
    metavar="best|last|STEP",
    help="The checkpoint; best where there is a validation split, else last, if not given.",
)


cache_option = click.option(
    "--no-cache",
    "use_cache",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Keep the data in memory, and neither read nor write what is kept between runs.",
)


def say(line: str) -> None:
    """Tell a person something: on stderr, apart from results."""
    click.echo(line, err=True)
