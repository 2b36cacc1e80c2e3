"""The caches of this machine, as far as the system tells."""

import math
from pathlib import Path
from typing import NamedTuple

__all__ = ["LEVELS", "LINE_BYTES", "Caches", "find_caches"]

LEVELS = ("L1", "L2", "L3", "memory")
LINE_BYTES = 64
_SYSTEM = Path("/sys/devices/system/cpu/cpu0/cache")


class Caches(NamedTuple):
    """Bytes of each level of the cache: of the first two each core has its own."""

    L1: int
    L2: int
    L3: int  # as far as this machine has it to itself
    told: int  # of the last level, as the system tells

    def capacity(self, level: str, threads: int) -> float:
        """Return the bytes of a level that so many threads have together."""
        if level == "memory":
            return math.inf
        size: int = getattr(self, level)
        return size if level == "L3" else threads * size

    def whole(self, threads: int) -> int:
        """Return the bytes that all levels hold together, as if nothing stood in two of them."""
        return int(sum(self.capacity(level, threads) for level in LEVELS[:3]))


def find_caches() -> Caches:
    """Return the caches that Linux tells of, or else those of many a processor."""
    found = {"L1": 32 << 10, "L2": 1 << 20, "L3": 32 << 20}
    for index in _SYSTEM.glob("index*"):
        level, kind, size = (
            (index / name).read_text().strip() for name in ("level", "type", "size")
        )
        if kind != "Instruction" and size.endswith("K"):
            found[f"L{level}"] = int(size[:-1]) << 10
    last = max(found["L3"], found["L2"])
    return Caches(found["L1"], found["L2"], last, told=last)
