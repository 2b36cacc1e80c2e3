"""metrics.jsonl: written line by line, cut at a position, read while it grows."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain.errors import FailureError, UserError
from sstrain.training.metrics import MetricsSink, read_metrics


def test_lines_are_in_the_file_as_soon_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines: list[dict[str, Any]] = [
        {"event": "train", "step": 1, "loss": 0.5},
        {"event": "end", "label": "naïve"},
    ]
    with MetricsSink(path) as sink:
        for number, line in enumerate(lines, 1):
            sink.write(line)
            assert read_metrics(path) == lines[:number]
            assert sink.position() == path.stat().st_size
    assert path.read_text(encoding="utf-8").endswith('"label": "naïve"}\n')
    with MetricsSink(path) as sink:
        sink.write({"event": "again"})
    assert read_metrics(path) == [*lines, {"event": "again"}]


def test_no_number_that_is_not_finite_is_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsSink(path) as sink:
        sink.write(
            {
                "loss": float("nan"),
                "bands": {"head": {"log_loss": np.float32("inf"), "top_1": np.float64(0.25)}},
                "list": [1.0, -float("inf"), (np.int64(3), np.bool_(True))],
            }
        )
    text = path.read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert read_metrics(path) == [
        {
            "loss": None,
            "bands": {"head": {"log_loss": None, "top_1": 0.25}},
            "list": [1.0, None, [3, True]],
        }
    ]


@settings(max_examples=30, deadline=None)
@given(
    lines=st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5)), max_size=5),
    torn=st.integers(0, 40),
    data=st.data(),
)
def test_a_resume_cuts_what_came_after_and_what_was_torn(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[dict[str, Any]],
    torn: int,
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("metrics") / "metrics.jsonl"
    with MetricsSink(path) as sink:
        positions = [sink.position()]
        for line in lines:
            sink.write(line)
            positions.append(sink.position())
    kept = data.draw(st.integers(0, len(lines)))
    size = max(0, positions[-1] - torn)
    os.truncate(path, size)
    whole = sum(position <= size for position in positions[1:])
    assert read_metrics(path) == lines[:whole]
    with MetricsSink(path) as sink:
        sink.truncate(positions[kept])
        assert sink.position() == positions[min(kept, whole)]
        sink.write({"after": 1})
    assert read_metrics(path) == [*lines[: min(kept, whole)], {"after": 1}]


def test_there_are_no_metrics_before_the_first(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "metrics.jsonl") == []
    with pytest.raises(UserError, match="cannot be read"):
        read_metrics(tmp_path)


@pytest.mark.parametrize("line", ["{", "3", "\xff", "[" * 100_000])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line.encode("latin-1") + b'\n{"a": 2}\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl:2: no JSON object; found"):
        read_metrics(path)


def test_a_full_disk_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FailureError, match="cannot be written"):
        MetricsSink(tmp_path / "missing" / "metrics.jsonl")
    if os.path.exists("/dev/full"):
        with (
            MetricsSink(Path("/dev/full")) as sink,
            pytest.raises(FailureError, match="the disk is full"),
        ):
            sink.write({"a": 1})

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with (
        MetricsSink(tmp_path / "metrics.jsonl") as sink,
        pytest.raises(FailureError, match="the disk is full"),
    ):
        sink.position()


def test_a_value_that_json_has_not_is_refused(tmp_path: Path) -> None:
    with MetricsSink(tmp_path / "metrics.jsonl") as sink, pytest.raises(TypeError):
        sink.write({"a": object()})
    assert read_metrics(tmp_path / "metrics.jsonl") == []
