"""A progress bar on stderr for what takes longer than a second; none where it is no terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["bar"]


@contextmanager
def bar(total: int, description: str, unit: str) -> Iterator[Callable[[int], object]]:
    """Yield a function that advances the bar."""
    from tqdm import tqdm

    hidden = not sys.stderr.isatty()
    with tqdm(
        total=total, desc=description, unit=unit, unit_scale=True, delay=1, disable=hidden
    ) as shown:
        yield shown.update
