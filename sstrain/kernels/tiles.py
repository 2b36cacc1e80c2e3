"""Parts of a range that threads take one by one, with scratch arrays of their own."""

from sstrain.kernels._jit import inline

__all__ = ["TILES", "part_bounds", "tile_bounds", "tiles_of"]

#: Whatever the number of threads; what an example or a row comes to does not depend on its tile.
TILES = 16


@inline
def part_bounds(tile: int, num_tiles: int, count: int) -> tuple[int, int]:
    """Return the part of a range that one of so many tiles covers."""
    return tile * count // num_tiles, (tile + 1) * count // num_tiles


@inline
def tile_bounds(tile: int, count: int) -> tuple[int, int]:
    """Return the part of a range that one of `TILES` covers."""
    return part_bounds(tile, TILES, count)


@inline
def tiles_of(count: int, at_least: int) -> int:
    """Return into how many tiles, of so many at least, a range is cut; one if it is shorter."""
    return max(1, min(TILES, count // at_least))
