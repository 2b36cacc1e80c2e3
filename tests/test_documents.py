"""What the README shows works: its config and its example of a sampler."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sstrain.cli import main
from sstrain.config import load

ROOT = Path(__file__).parents[1]


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_config_of_the_readme_is_the_quickstart(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    shown = tmp_path / "configs" / "shown.yaml"
    shown.parent.mkdir()
    shown.write_text(block, encoding="utf-8")
    shipped = load(ROOT / "configs" / "quickstart.yaml").model_dump_json()
    assert load(shown).model_dump_json().replace(str(tmp_path), str(ROOT)) == shipped


def test_the_sampler_of_the_readme_is_a_proposal() -> None:
    source, line = blocks("python")
    namespace: dict[str, object] = {"__name__": "geometric"}
    exec(compile(source, "geometric.py", "exec"), namespace)
    proposal = eval("Geometric(ratio=0.5)", namespace)
    assert line.strip() == '"geometric": Geometric,'
    log_weights = proposal.log_weights(SimpleNamespace(num_classes=3))
    assert np.exp(log_weights) == pytest.approx([1, 0.5, 0.25])


def test_the_readme_shows_commands_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    commands = re.findall(r"^  ([\w-]+) ", capsys.readouterr().out, re.MULTILINE)
    shown = re.findall(r"\bsstrain ([\w-]+) ", "".join(blocks("console")))
    assert shown
    assert set(shown) <= set(commands)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        *(path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("docs/**/*.md"))),
        *(path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("data/**/*.md"))),
    ],
)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
