"""The shape of the package: imports point one way, numba stays in its corner, parts stay small."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sstrain
from sstrain import kernels

PACKAGE = Path(sstrain.__file__).parent

#: Each part's place; a module imports from its own place or from below. Those of place 0 serve all.
PLACES = {
    "__main__": 6,
    "cli": 5,
    "training": 4,
    "evaluation": 4,
    "comparison": 4,
    "diagnostics": 4,
    "serving": 4,
    "config": 3,
    "models": 2,
    "objectives": 2,
    "samplers": 2,
    "optim": 2,
    "data": 2,
    "kernels": 1,
    "section": 1,
    "errors": 0,
    "buffers": 0,
    "progress": 0,
    "disk": 0,
    "lock": 0,
    "": 0,  # sstrain itself, which holds the version
}
HEAVY = {"numba", "llvmlite", "scipy", "sklearn", "matplotlib", "faiss"}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = ("sstrain", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sources()}


def place(module: str) -> int:
    return PLACES[module.partition(".")[2].partition(".")[0]]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def running_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node but those in the body of ``if TYPE_CHECKING:``."""
    for node in ast.iter_child_nodes(tree):
        if is_type_checking(node):
            assert isinstance(node, ast.If)
            for other in node.orelse:
                yield from running_nodes(ast.Module([other], []))
        else:
            yield node
            yield from running_nodes(node)


def imported(path: Path) -> set[str]:
    """Return the modules that a module imports, in functions too."""
    found: set[str] = set()
    for node in running_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else str(node.module) for name in names}
    return found


IMPORTS = {name: imported(path) for name, path in MODULES.items()}
OURS = {name: {other for other in found if other in MODULES} for name, found in IMPORTS.items()}
OUTSIDE_KERNELS = [name for name in MODULES if not name.startswith("sstrain.kernels")]


def test_every_part_has_its_place() -> None:
    assert len(MODULES) > 60
    for module in MODULES:
        place(module)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    upwards = {other for other in OURS[module] if place(other) > place(module)}
    assert not upwards


def test_no_module_needs_itself() -> None:
    TopologicalSorter(OURS).prepare()  # raises CycleError


def test_the_base_of_the_config_imports_nothing_of_ours() -> None:
    assert OURS["sstrain.section"] == set()


def test_kernels_import_no_other_part() -> None:
    for module in MODULES.keys() - set(OUTSIDE_KERNELS):
        assert {other.split(".")[1] for other in OURS[module]} <= {"kernels"}, module


@pytest.mark.parametrize("module", OUTSIDE_KERNELS)
def test_numba_stays_with_the_kernels(module: str) -> None:
    assert not {name for name in IMPORTS[module] if name.split(".")[0] in ("numba", "llvmlite")}
    # `from sstrain.kernels import name` would load numba at once.
    assert not {name for name in IMPORTS[module] if name.startswith("sstrain.kernels.")}


def loaded_after(code: str) -> set[str]:
    """Return the top-level packages that a fresh process has loaded in the end."""
    code += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_every_part_loads_nothing_heavy() -> None:
    loaded = loaded_after(f"import {', '.join(OUTSIDE_KERNELS)}, sstrain.kernels")
    assert "pydantic" in loaded
    assert not loaded & HEAVY


def test_help_of_every_command_loads_nothing_heavy() -> None:
    calls = ["--help"], ["train", "--help"], ["eval", "--help"], ["config", "schema"]
    code = "from sstrain.cli import main\n" + "".join(f"assert main({c!r}) == 0\n" for c in calls)
    loaded = loaded_after(code)
    assert "click" in loaded
    assert not loaded & HEAVY


def test_checking_a_config_loads_nothing_heavy() -> None:
    config = PACKAGE.parent / "configs" / "quickstart.yaml"
    code = f"from sstrain.cli import main\nassert main(['config', 'check', {str(config)!r}]) == 0"
    assert not loaded_after(code) & HEAVY


def test_a_step_loads_nothing_that_draws_or_reads() -> None:
    code = f"""
import sys
sys.path.append({str(Path(__file__).parent)!r})
from small import make_config, make_dataset, make_vocabulary
import sstrain.training.train
from sstrain.training.engine import Engine
Engine(make_config(), make_dataset(20, 6, 9, seed=1), make_vocabulary(6, 9)).step()
"""
    loaded = loaded_after(code)
    assert "numba" in loaded
    assert not loaded & {"matplotlib", "sklearn", "pyarrow", "faiss"}


def test_a_config_builds_only_the_sections_that_it_uses() -> None:
    code = """
from pydantic import BaseModel
from sstrain.config import Config
from sstrain.samplers.midx import Midx
assert not Config.__pydantic_complete__
assert not Midx.__pydantic_complete__
"""
    assert "pydantic" in loaded_after(code)


def stub_names() -> dict[str, str]:
    """Return the module of each name in the kernels' stub."""
    found = {}
    for node in ast.parse((PACKAGE / "kernels" / "__init__.pyi").read_text()).body:
        assert isinstance(node, ast.ImportFrom)
        assert node.level == 1
        for alias in node.names:
            assert alias.name == alias.asname, "a stub exports `name as name` alone"
            found[alias.name] = str(node.module)
    return found


STUB = stub_names()


@pytest.mark.parametrize("name", STUB)
def test_every_name_of_the_stub_is_public_in_its_module(name: str) -> None:
    module = importlib.import_module(f"sstrain.kernels.{STUB[name]}")
    assert name in module.__all__
    assert getattr(kernels, name) is getattr(module, name)


def test_the_stub_has_every_name_that_is_used() -> None:
    used: set[str] = set()
    for module in OUTSIDE_KERNELS:
        for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "kernels":
                used.add(node.attr)
            elif isinstance(node, ast.ImportFrom) and node.module == "sstrain.kernels":
                used |= {alias.name for alias in node.names}
    assert len(used) > 30
    assert not used - STUB.keys()


def code_lines(function: ast.FunctionDef) -> int:
    """Return the lines of a function's body, its docstring apart."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    assert function.end_lineno is not None
    return function.end_lineno - body[0].lineno + 1


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert code_lines(node) <= 40, node.name


def test_nothing_is_left_to_do() -> None:
    for path in sources():
        text = path.read_text(encoding="utf-8")
        assert not [
            word for word in ("TODO", "FIXME", "XXX", "raise NotImplemented") if word in text
        ]
