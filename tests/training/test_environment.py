"""What a run says about its machine, and how much memory it takes to be free."""

import json
import os
import platform
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

import sstrain
from sstrain.training.environment import _cpu_model, environment
from sstrain.training.format import FORMAT_VERSION
from sstrain.training.memory import available_memory

FREE = 2**40


@dataclass(frozen=True)
class File:
    path: Path
    bytes: int
    sha256: str


def test_the_environment_names_versions_machine_and_data() -> None:
    found = environment(3, [File(Path("/data/a.txt"), 12, "ab" * 32)])
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["format_version"] == FORMAT_VERSION
    assert found["sstrain"] == sstrain.__version__
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    assert found["threads"] == 3
    assert found["logical_cpus"] == os.cpu_count()
    assert found["data_files"] == [{"path": "/data/a.txt", "bytes": 12, "sha256": "ab" * 32}]
    assert all(found[key] for key in ("numba", "llvmlite", "platform", "cpu"))


def test_versions_are_found_without_importing_numba() -> None:
    code = (
        "import sys; from sstrain.training.environment import environment; "
        "from sstrain.training.memory import available_memory; "
        "environment(1, []); available_memory(); "
        "sys.exit('numba' in sys.modules or 'matplotlib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_cpu_has_a_name(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: A Processor: 3 GHz\nmodel name\t: Another\n")
    assert _cpu_model(cpuinfo) == "A Processor: 3 GHz"
    assert _cpu_model(tmp_path / "missing")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=FREE))
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (resource.RLIM_INFINITY,) * 2)
    return tmp_path


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_without_limits_it_is_what_the_machine_has(root: Path) -> None:
    assert available_memory(root) == FREE


def test_the_tightest_control_group_counts(root: Path) -> None:
    put(
        root,
        {
            "proc/self/cgroup": "0::/user.slice/job\n",
            "sys/fs/cgroup/user.slice/job/memory.max": "max\n",
            "sys/fs/cgroup/user.slice/job/memory.current": "900\n",
            "sys/fs/cgroup/user.slice/memory.max": "5000\n",
            "sys/fs/cgroup/user.slice/memory.current": "2000\n",
            "sys/fs/cgroup/user.slice/memory.stat": "anon 1\ninactive_file 700\n",
            "sys/fs/cgroup/memory.max": "9000\n",
            "sys/fs/cgroup/memory.current": "2500\n",
        },
    )
    assert available_memory(root) == 5000 - (2000 - 700)


def test_a_container_sees_its_group_at_the_root(root: Path) -> None:
    put(
        root,
        {
            "proc/self/cgroup": "0::/docker/3f2a\n",
            "sys/fs/cgroup/memory.max": "3000\n",
            "sys/fs/cgroup/memory.current": "1000\n",
        },
    )
    assert available_memory(root) == 2000


def test_the_first_version_of_control_groups(root: Path) -> None:
    put(
        root,
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/a/b\n1:name=systemd:/a:b\n0::/\n",
            "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/a/b/memory.usage_in_bytes": "100\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "800\n",
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "500\n",
            "sys/fs/cgroup/memory/a/memory.stat": "cache 3\ntotal_inactive_file 50\n",
        },
    )
    assert available_memory(root) == 800 - 450


def test_a_group_beyond_its_limit_leaves_nothing(root: Path) -> None:
    put(
        root,
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "1000\n",
            "sys/fs/cgroup/memory.current": "2000\n",
        },
    )
    assert available_memory(root) == 0


def test_a_limit_of_the_process_counts(tmp_path: Path) -> None:
    code = (
        "import resource; from pathlib import Path; "
        "from sstrain.training.memory import available_memory; "
        "resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33)); "
        "assert available_memory(Path('/nowhere')) < 2**33 - 2**20; "
        "resource.setrlimit(resource.RLIMIT_DATA, (2**31, 2**31)); "
        "assert available_memory(Path('/nowhere')) < 2**31 - 2**20"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
