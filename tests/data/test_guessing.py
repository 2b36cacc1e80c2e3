"""Which format a file is taken for."""

from pathlib import Path

import pytest

from sstrain.data.formats import guess_format


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 1:2.5 7:1\n0\n", "svmlight"),
        ("# a comment\n\n-1 qid:3 1:1e-3 # why\n+1 2:1\n", "svmlight"),
        ("in the beginning\nand god said\n", "sequence"),
        ("12 13 14\n7 8\n", "sequence"),
        ("12\n7\n", "sequence"),
        ("3 1:2.5\nand then words\n", "sequence"),
    ],
)
def test_formats_by_their_first_lines(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text(text)
    assert guess_format(str(path)) == expected
