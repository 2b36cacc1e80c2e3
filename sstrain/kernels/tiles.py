"""Parts of a range that threads take one by one, with scratch arrays of their own."""

from sstrain.kernels._jit import inline

__all__ = ["TILES", "tile_bounds"]

#: Whatever the number of threads; what an example or a row comes to does not depend on its tile.
TILES = 16


@inline
def tile_bounds(tile: int, count: int) -> tuple[int, int]:
    """Return the part of a range that a tile covers."""
    return tile * count // TILES, (tile + 1) * count // TILES
