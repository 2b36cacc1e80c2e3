"""``sstrain data check``: what it finds wrong with files."""

import gzip
from pathlib import Path

import pytest
from commands import flip_last_byte
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import train_source, written

from sstrain.data import blocks
from sstrain.data.checking import Check, check
from sstrain.data.converting import convert
from sstrain.errors import UserError

#: Of a conversion: the form that the target's ending names, nothing replaced, notes printed.
DEFAULTS = (None, False, print)
GOOD = "1 1:1 2:1"
#: A bad line, and where it is bad.
BAD = {"1 2:": 3, "x 1:1": 1, "1 1:nan": 3, "1 3": 3}


def checked(path: Path, limit: int = 20, **keys: object) -> Check:
    return check(train_source(path, **{"format": "svmlight", **keys}), limit, print)


def test_a_good_file(tmp_path: Path) -> None:
    result = checked(written(tmp_path, f"{GOOD}\n\n# no more\n{GOOD}\n"))
    assert result == Check(4, 2, 0, [], [])
    assert result.exit_code == 0
    assert result.as_text() == "4 lines, of which 0 are bad; 2 good examples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("check")


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["", GOOD, *BAD]), min_size=1, max_size=30).filter(any),
    st.integers(0, 12),
    st.integers(1, 100),
)
def test_every_bad_line_is_found_and_no_other(
    folder: Path, lines: list[str], limit: int, block_bytes: int
) -> None:
    path = written(folder, "".join(f"{line}\n" for line in lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_BLOCK_BYTES", block_bytes)
        result = checked(path, limit)
    places = [f"{path}:{i}:{BAD[line]}: " for i, line in enumerate(lines, 1) if line in BAD]
    assert (result.num_lines, result.num_examples) == (len(lines), lines.count(GOOD))
    assert result.num_bad_lines == len(places)
    assert len(result.bad_lines) == min(limit, len(places))
    for message, place in zip(result.bad_lines, places, strict=False):
        assert message.startswith(place)
    assert result.exit_code == (2 if places else 0)
    assert (f"... and {len(places) - limit} more" in result.as_text()) == (len(places) > limit)


def test_own_rules_for_bad_lines_play_no_part(tmp_path: Path) -> None:
    path = written(tmp_path, f"x\n{GOOD}\ny\n")
    for rule in ("error", "skip"):
        assert checked(path, on_bad_line=rule, max_bad_share=0.0).num_bad_lines == 2


def test_lines_of_several_files_are_told_by_their_own(tmp_path: Path) -> None:
    first, second = written(tmp_path, f"{GOOD}\n", "a"), written(tmp_path, f"{GOOD}\nx\n", "b")
    source = train_source([str(first), str(second)], format="svmlight")
    (message,) = check(source, 20, print).bad_lines
    assert message.startswith(f"{second}:2:1: ")


def test_a_truncated_file_is_a_problem_after_the_bad_lines_before_it(tmp_path: Path) -> None:
    lines = "".join(f"{i % 7} {i + 1}:0.{i * i}\n" for i in range(300_000))
    packed = gzip.compress(f"x\n{lines}".encode(), 1)
    path = written(tmp_path, packed[: len(packed) // 2], "cut.svm.gz")
    result = checked(path)
    assert result.num_bad_lines == 1
    assert 1000 < result.num_examples < 300_000
    (problem,) = result.problems
    assert problem.startswith(f"{path}: ")
    assert problem.endswith("nothing behind it was read")
    assert result.as_text().splitlines()[:2] == [*result.bad_lines, problem]
    assert result.exit_code == 2


@pytest.mark.parametrize("content", ["", "\n\n", "# a comment\n"])
def test_a_file_without_examples_is_a_problem(content: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    result = checked(path)
    (problem,) = result.problems
    assert problem.startswith(f"{path}: no examples; found no line with a label")
    assert result.exit_code == 2


def test_a_file_that_is_missing_is_a_mistake_of_the_call(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        checked(tmp_path / "none")


def test_notes_are_told(tmp_path: Path) -> None:
    notes: list[str] = []
    path = written(tmp_path, "1 qid:3 1:1\n")
    assert check(train_source(path, format="svmlight"), 20, notes.append).exit_code == 0
    assert notes == [f"{path}: qid is ignored, as in {path}:1:3"]


def test_json_values(tmp_path: Path) -> None:
    found = checked(written(tmp_path, f"{GOOD}\n1 3\n")).as_json()
    assert (found["num_lines"], found["num_examples"], found["num_bad_lines"]) == (2, 1, 1)
    assert found["problems"] == []
    assert len(found["bad_lines"]) == 1


def stored(folder: Path, text: str) -> Path:
    convert(train_source(written(folder, text), format="svmlight"), folder / "store", *DEFAULTS)
    return folder / "store"


def test_a_store_that_is_as_it_was_written(tmp_path: Path) -> None:
    result = checked(stored(tmp_path, f"{GOOD}\n" * 3), format="store")
    assert (result.num_examples, result.exit_code) == (3, 0)


def test_every_file_of_a_store_is_checked(tmp_path: Path) -> None:
    store = stored(tmp_path, f"{GOOD}\n" * 3)
    files = [path for path in store.rglob("*") if path.is_file() and path.name != "manifest.json"]
    assert len(files) > 5
    for damaged, path in enumerate(sorted(files), 1):
        flip_last_byte(path)
        result = checked(store, format="store")
        assert (result.exit_code, result.num_examples) == (2, 0)
        assert len(result.problems) == damaged
        assert any(problem.startswith(f"{path}: damaged; ") for problem in result.problems)


def test_a_store_that_lacks_a_file(tmp_path: Path) -> None:
    store = stored(tmp_path, f"{GOOD}\n")
    (store / "labels.txt").unlink()
    (problem,) = checked(store, format="store").problems
    assert problem.startswith(f"{store}/labels.txt: cannot be read; ")
    (store / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match=r"manifest\.json: damaged"):
        checked(store, format="store")
