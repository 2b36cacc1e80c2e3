"""``sstrain predict``."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import click

from sstrain.cli.options import checkpoint_option, say

__all__ = ["command"]


@click.command("predict")
@click.argument("run", type=Path)
@click.argument("file")
@click.option("--top-k", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--output", type=Path, metavar="FILE", help="Write there, not to stdout.")
@checkpoint_option
@click.option(
    "--approximate", is_flag=True, help="Use the index of `sstrain index`; prints scores instead."
)
def command(
    run: Path,
    file: str,
    top_k: int,
    output: Path | None,
    checkpoint: str | int | None,
    approximate: bool,
) -> None:
    """Print the most probable labels of each line of FILE (- for stdin), one JSON object a line."""
    from sstrain.data.files import read_lines
    from sstrain.evaluation.prediction import predict_lines, write_lines
    from sstrain.serving.approximate import approximate_lines

    stdin: BinaryIO = sys.stdin.buffer
    lines: Iterable[bytes] = stdin if file == "-" else read_lines(file)
    predicted = approximate_lines if approximate else predict_lines
    write_lines(predicted(run, checkpoint, lines, file, top_k, say), output)
