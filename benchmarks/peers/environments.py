"""A virtual environment for each tool, with what its requirements file pins."""

import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"


class InstallError(Exception):
    """A tool that cannot be installed; the text is one line."""


def last_line(text: str) -> str:
    """Return the last line of an output that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no output"])[-1][:300]


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise InstallError(last_line(done.stderr + done.stdout))


def interpreter(tool: str, folder: Path) -> Path:
    """Install a tool, if it is not there yet; return the Python that has it.

    sstrain has no requirements file: it is measured in the environment that this runs in.

    Raises
    ------
    InstallError
    """
    requirements = REQUIREMENTS / f"{tool}.txt"
    if not requirements.exists():
        return Path(sys.executable)
    environment = folder / tool
    python, stamp = environment / "bin" / "python", environment / "installed.txt"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return python
    print(f"installing {tool} into {environment} ...", file=sys.stderr)
    _call(sys.executable, "-m", "venv", "--without-pip", "--clear", str(environment))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet")
    # Everything is pinned, and nothing else comes: PECOS would bring PyTorch and transformers.
    _call(*pip, "--disable-pip-version-check", "--no-deps", "--requirement", str(requirements))
    stamp.write_text(requirements.read_text())
    return python
