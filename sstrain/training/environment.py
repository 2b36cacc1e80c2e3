"""environment.json: with what, and on what data, a run was made."""

import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import sstrain
from sstrain.training.format import FORMAT_VERSION

__all__ = ["ReadFile", "environment"]

#: The packages whose versions can change a run's bits.
_PACKAGES = ("numpy", "numba", "llvmlite")


class ReadFile(Protocol):
    """A data file as it was read: its bytes on the disk, compressed or not."""

    @property
    def path(self) -> str | Path:
        """Where it was."""

    @property
    def bytes(self) -> int:
        """Its length."""

    @property
    def sha256(self) -> str:
        """Its SHA-256, in hexadecimal."""


def environment(
    threads: int, data_files: Iterable[ReadFile], warm_start: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Describe the programs, the machine and the data of a run.

    Parameters
    ----------
    threads : int
        Threads that the run uses.
    data_files : iterable of ReadFile
        Every file that was read.
    warm_start : mapping, optional
        Where the first weights are from: ``run``, ``step`` and ``model_sha256``.

    Returns
    -------
    dict
        JSON values: ``format_version``, ``sstrain``, ``python``, ``numpy``, ``numba``,
        ``llvmlite``, ``platform``, ``cpu``, ``logical_cpus``, ``threads``, and ``data_files``, each
        with ``path``, ``bytes`` and ``sha256``; ``warm_start`` where there is one.
    """
    return {
        "format_version": FORMAT_VERSION,
        "sstrain": sstrain.__version__,
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "logical_cpus": os.cpu_count(),
        "threads": threads,
        "data_files": [
            {"path": str(file.path), "bytes": file.bytes, "sha256": file.sha256}
            for file in data_files
        ],
        **({} if warm_start is None else {"warm_start": dict(warm_start)}),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
