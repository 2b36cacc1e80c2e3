"""How much memory a process can still take."""

from pathlib import Path

import psutil

__all__ = ["available_memory"]

#: For each version of control groups: the files of the limit and the usage, and the part of the
#: usage that the kernel gives back on demand (pages of files that were read or written).
_CGROUP_FILES = {
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def available_memory(root: Path = Path("/")) -> int:
    """Return how many bytes this process can still allocate without swapping or being killed.

    The least of what the machine has free, what the control groups around the process allow
    (a container, a batch system) and what its own limits allow (``ulimit -v``, ``ulimit -d``).

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` are.

    Returns
    -------
    int
        Bytes, at least 0.
    """
    rooms = [psutil.virtual_memory().available, *_cgroup_rooms(root), *_limit_rooms()]
    return max(0, min(rooms))


def _cgroup_rooms(root: Path) -> list[int]:
    """Return what each control group with a memory limit has left, in bytes."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    rooms = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            version, mount = 2, root / "sys/fs/cgroup"
        elif "memory" in controllers.split(","):
            version, mount = 1, root / "sys/fs/cgroup/memory"
        else:
            continue
        inner = mount / group.lstrip("/")
        # In a container the group's path may not exist under the mount, whose root is then it.
        for folder in (inner, *inner.parents):
            if not folder.is_relative_to(mount):
                break
            rooms.append(_room(folder, *_CGROUP_FILES[version]))
    return [room for room in rooms if room is not None]


def _room(folder: Path, limit_file: str, usage_file: str, reclaimable: str) -> int | None:
    try:
        limit = int((folder / limit_file).read_text())
        usage = int((folder / usage_file).read_text())
    except (OSError, ValueError):  # no such group, or its limit is "max"
        return None
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
        usage -= next((int(line.split()[1]) for line in lines if line.split()[0] == reclaimable), 0)
    except (OSError, ValueError, IndexError):
        pass
    return limit - max(0, usage)


def _limit_rooms() -> list[int]:
    """Return what the limits on address space and data segment leave, in bytes."""
    try:
        import resource
    except ImportError:  # no such limits on this system
        return []
    used = psutil.Process().memory_info()
    limits = [(resource.RLIMIT_AS, used.vms), (resource.RLIMIT_DATA, getattr(used, "data", 0))]
    return [
        resource.getrlimit(limit)[0] - usage
        for limit, usage in limits
        if resource.getrlimit(limit)[0] != resource.RLIM_INFINITY
    ]
