"""``sstrain compare-samplers``: from a resolved config to a report."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstrain import kernels
from sstrain.comparison.cell import CellRunner, validation_lines
from sstrain.comparison.folder import ComparisonFolder
from sstrain.comparison.grid import Cell, cells, total_steps, work
from sstrain.comparison.outcome import Outcome, read_outcome, write_outcome
from sstrain.comparison.progress import GridProgress
from sstrain.comparison.shared_data import write_splits
from sstrain.comparison.tables import write_tables
from sstrain.comparison.workers import Stopped, run_here, run_in_processes
from sstrain.config.comparison_loading import comparison_yaml
from sstrain.config.sections import Diagnostics
from sstrain.data.cache import load
from sstrain.data.files import describe_file
from sstrain.data.loading import Splits
from sstrain.disk import disk_reason, read_json
from sstrain.errors import FailureError, UserError
from sstrain.samplers import check_sampler
from sstrain.training.engine import Engine
from sstrain.training.environment import environment
from sstrain.training.forecast import GIB, forecast_memory, still_needed
from sstrain.training.gradient import sampler_setting
from sstrain.training.memory import available_memory
from sstrain.training.signals import StoppedError, listening
from sstrain.training.train import prepare_kernels
from sstrain.training.warm_start import Source, open_source

if TYPE_CHECKING:
    from sstrain.comparison.records import CellRecord
    from sstrain.config import Config
    from sstrain.config.comparison import Comparison
    from sstrain.training.signals import StopRequest
    from sstrain.training.warm_start import WarmStart

__all__ = ["Compared", "compare"]

Report = Callable[[str], None]


@dataclass(frozen=True)
class Compared:
    """A finished comparison: its folder, and what a person reads of it in a terminal."""

    folder: ComparisonFolder
    text: str


def compare(
    comparison: "Comparison",
    *,
    resume: bool,
    overwrite: bool,
    report: Report,
    use_cache: bool = True,
) -> Compared:
    """Run every cell of a comparison and write what came of it.

    Every mistake of the user's is found before anything is written.

    Parameters
    ----------
    comparison : Comparison
        Resolved.
    resume, overwrite : bool
        What may be done with a comparison that is in the output folder.
    report : callable
        Takes lines for a person to read.
    use_cache : bool
        Whether data are kept on the disk between runs.

    Raises
    ------
    UserError, FailureError, StoppedError
    """
    assert comparison.output is not None
    folder = ComparisonFolder(Path(comparison.output))
    present = folder.check(comparison, resume=resume, overwrite=overwrite)
    if present and folder.is_finished(comparison):
        report(f"{folder.path}: the comparison is finished; nothing to do")
        return Compared(folder, _text(folder, read_outcome(folder)))
    source = open_source(comparison.base.model, comparison.output)
    threads = prepare_kernels(cells(comparison)[0].config, report)
    splits = load(comparison.base.data, report, use_cache)
    _check(comparison, splits, source.bytes if source else 0)
    start = None if source is None else _start(comparison, splits, source, report)
    sampler_files = {path for sampler in comparison.samplers for path in sampler.files()}
    described = environment(
        threads if comparison.workers == 1 else comparison.workers,
        [*splits.files, *map(describe_file, sorted(sampler_files))],
        None if start is None else start.as_json(),
    )
    if comparison.workers > 1:
        start = None  # each worker loads its own
    with folder.locked():
        resuming = folder.check(comparison, resume=resume, overwrite=overwrite)
        if resuming:
            folder.check_data_files(described)
            _check_start(folder, described)
        folder.prepare(comparison_yaml(comparison), described, resuming=resuming)
        records = _run(comparison, folder, splits, start, report)
        outcome = write_outcome(comparison, folder, records, splits, described)
    return Compared(folder, _text(folder, outcome))


def _check(comparison: "Comparison", splits: Splits, source_bytes: int) -> None:
    """Refuse what cannot be run, before anything is."""
    assert splits.validation is not None
    _, line_weights = validation_lines(splits.validation)
    if not len(line_weights):
        raise UserError(
            "base.data.validation: no example whose label training saw; a comparison ranks by "
            "validation log-loss"
        )
    largest, config = -1, comparison.base
    for cell in cells(comparison):
        if cell.seed == comparison.seeds[0]:
            if cell.config.sampler is not None:
                setting = sampler_setting(cell.config, splits.vocabulary, splits.train, None)
                check_sampler(cell.config.sampler, setting)
            size = source_bytes + sum(_memory(comparison, cell, splits).values())
            if size > largest:
                largest, config = size, cell.config
    _check_memory(comparison, config, largest)


def _start(comparison: "Comparison", splits: Splits, source: Source, report: Report) -> "WarmStart":
    """Load the weights that every cell begins with."""
    start = source.load(splits.vocabulary, report)
    config = cells(comparison)[0].config
    Engine(config, splits.train, splits.vocabulary, start=start)  # refuses another rank, say
    report(start.summary())
    return start


def _check_start(folder: ComparisonFolder, described: dict[str, Any]) -> None:
    """Refuse to go on from other weights than the cells before began with."""
    before, now = (
        environment.get("warm_start") for environment in (read_json(folder.environment), described)
    )
    if before != now:
        raise UserError(
            f"base.model.from: {now and now['run']} is not what the comparison in {folder.path} "
            "began with; restore it, or start again with --overwrite"
        )


def _memory(comparison: "Comparison", cell: Cell, splits: Splits) -> dict[str, int]:
    """Return the bytes that a cell needs beside the data."""
    config = cell.config
    if comparison.diagnostics != "off":
        diagnostics = Diagnostics(**comparison.diagnostics.model_dump())
        config = config.model_copy(update={"diagnostics": diagnostics})
    parts = forecast_memory(config, splits.vocabulary, splits.datasets())
    # A worker is an interpreter of its own; this process is there already.
    program = parts["program"] if comparison.workers > 1 else 0
    return {**still_needed(parts), "program": program}


def _check_memory(comparison: "Comparison", config: "Config", size: int) -> None:
    workers, free = min(comparison.workers, len(cells(comparison))), available_memory()
    if workers * size <= free:
        return
    what = "the exact gradient" if config.sampler is None else f"K = {config.sampler.num_samples}"
    raise UserError(
        f"workers: {workers} at once do not fit in memory; a cell with {what} needs "
        f"{size / GIB:.2f} GiB, and {free / GIB:.2f} GiB are free; lower workers, num_samples or "
        f"base.training.batch_size, or raise base.data.train.min_feature_count"
    )


def _run(
    comparison: "Comparison",
    folder: ComparisonFolder,
    splits: Splits,
    start: "WarmStart | None",
    report: Report,
) -> "list[CellRecord]":
    """Run the cells that have not been run, and return the records of all."""
    grid = cells(comparison)
    records = {cell: record for cell in grid if (record := folder.load(cell))}
    if records:
        report(f"{folder.path}: {len(records)} of {len(grid)} cells have been run before")

    def keep(cell: Cell, record: "CellRecord") -> None:
        folder.save(cell, record)
        records[cell] = record
        write_tables(folder, [records[cell] for cell in grid if cell in records])

    todo = [cell for cell in grid if cell not in records]
    if todo:
        with listening() as request:
            try:
                _run_cells(comparison, folder, splits, start, todo, keep, request, report)
                if request.signal_number is not None:
                    raise Stopped
            except Stopped:
                raise _stopped(folder, len(records), len(grid), request) from None
    return [records[cell] for cell in grid]


def _run_cells(
    comparison: "Comparison",
    folder: ComparisonFolder,
    splits: Splits,
    start: "WarmStart | None",
    todo: Sequence[Cell],
    keep: Callable[[Cell, "CellRecord"], None],
    request: "StopRequest",
    report: Report,
) -> None:
    num_examples, examples = splits.train.num_examples, None
    assert comparison.budget is not None
    if comparison.budget.seconds is None:
        batch = comparison.base.training.batch_size
        steps = total_steps(comparison.budget, num_examples, batch)
        per_epoch = -(-num_examples // batch)
        examples = steps // per_epoch * num_examples + steps % per_epoch * batch
    classes = splits.vocabulary.num_classes
    expected = {cell: 1.0 if examples is None else work(cell, classes) for cell in todo}
    with GridProgress(expected, examples, report) as progress:
        kernels.tell_compilation(progress.say_once)
        if comparison.workers == 1:
            run_here(CellRunner(comparison, splits, start), todo, keep, progress, request)
            return
        try:
            _share(folder, splits)
            run_in_processes(folder, todo, comparison.workers, keep, progress, request)
        finally:
            folder.remove_data()


def _share(folder: ComparisonFolder, splits: Splits) -> None:
    """Write the data where worker processes map them."""
    try:
        folder.data.mkdir()
        write_splits(folder.data, splits)
    except OSError as error:
        raise FailureError(f"{folder.data}: cannot be written: {disk_reason(error)}") from error


def _stopped(
    folder: ComparisonFolder, finished: int, count: int, request: "StopRequest"
) -> StoppedError:
    assert request.signal_number is not None
    config = shlex.quote(str(folder.config))
    return StoppedError(
        f"stopped; {finished} of {count} cells are kept; go on with\n"
        f"  sstrain compare-samplers --config {config} --resume",
        request.signal_number,
    )


def _text(folder: ComparisonFolder, outcome: Outcome) -> str:
    return "\n".join(
        [
            outcome.table,
            "",
            outcome.sentence,
            "",
            f"report   {folder.report}",
            f"tables   {folder.results}, curves.csv, diagnostics.csv, summary.json beside it",
        ]
    )
