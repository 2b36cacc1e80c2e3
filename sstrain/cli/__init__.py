"""The ``sstrain`` command: one subcommand a file, each loaded when it is called."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import ClassVar

import click

from sstrain import __version__
from sstrain.cli.groups import LazyGroup
from sstrain.errors import FailureError, UserError

__all__ = ["main"]

#: Whether this process is a command.
is_running = False

INTERRUPTED = 130
TERMINATED = 143


class _Commands(LazyGroup):
    modules: ClassVar[dict[str, str]] = {
        name: f"sstrain.cli.{name.replace('-', '_')}"
        for name in (
            "train",
            "eval",
            "predict",
            "index",
            "prune",
            "compare-samplers",
            "plan",
            "config",
            "data",
        )
    }


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sstrain")
def sstrain() -> None:
    """Train linear softmax classifiers with very many classes, exactly or by sampling."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line if not given.

    Returns
    -------
    int
        0; 1 for a failure; 2 for a mistake of the user's, told in plain lines on stderr; 130 after
        Ctrl-C, 143 after SIGTERM; or what the command returns.
    """
    global is_running
    is_running = True
    try:
        with _terminable():
            status = sstrain.main(arguments, prog_name="sstrain", standalone_mode=False)
            sys.stdout.flush()
    except _Terminated:
        return TERMINATED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (UserError, FailureError) as error:
        click.echo(str(error), err=True)
        return error.exit_code
    except MemoryError as error:
        reason = f" ({error})" if str(error) else ""
        click.echo(f"out of memory{reason}; `sstrain plan` tells what a run takes", err=True)
        return FailureError.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has left; what is still to be flushed at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status if isinstance(status, int) else 0


class _Terminated(SystemExit):
    """SIGTERM has come; what is temporary goes while this is on its way."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Have SIGTERM end the blocks of the body; a second one stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise _Terminated(TERMINATED)
