"""Groups of commands that say which command may have been meant."""

import difflib
import importlib
from typing import ClassVar

import click

__all__ = ["Group", "LazyGroup"]


class Group(click.Group):
    """A group of commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called; a name that is none ends in a hint."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected {', '.join(known)}"
            ctx.fail(f"no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group whose commands are modules, each loaded when its command is called or listed.

    Attributes
    ----------
    modules : dict
        For each command the module that holds it as ``command``.
    """

    modules: ClassVar[dict[str, str]]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of ``modules``."""
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of this name."""
        if cmd_name not in self.modules:
            return None
        command: click.Command = importlib.import_module(self.modules[cmd_name]).command
        return command
