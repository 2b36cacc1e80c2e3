"""A comparison's folder: what may be written into it, and each cell's files."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sstrain.comparison.records import Arm, CellRecord
from sstrain.disk import disk_reason, read_json, replacing, write_json, write_text
from sstrain.errors import FailureError, UserError
from sstrain.training.format import check_format_version
from sstrain.training.output_folder import OutputFolder

if TYPE_CHECKING:
    from sstrain.comparison.grid import Cell
    from sstrain.config.comparison import Comparison

__all__ = ["PLOTS", "ComparisonFolder"]

#: The pictures, in the order of the report.
PLOTS = ("curves.png", "bias_variance.png", "pareto.png", "ranking.png")


class ComparisonFolder(OutputFolder):
    """The folder of one comparison, by the names of what is in it."""

    kind = "comparison"
    verb = "compare"
    made_from = "made from"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.cells = path / "cells"
        self.data = path / ".sstrain-data"
        self.results = path / "results.csv"
        self.curves = path / "curves.csv"
        self.diagnostics = path / "diagnostics.csv"
        self.summary = path / "summary.json"
        self.report = path / "report.html"
        #: Every file of a comparison's, those of the cells apart.
        self.files = (
            self.config,
            self.environment,
            self.results,
            self.curves,
            self.diagnostics,
            self.summary,
            self.report,
            *(path / name for name in PLOTS),
        )

    def check(
        self, comparison: "Comparison", *, resume: bool = False, overwrite: bool = False
    ) -> bool:
        """Check that a comparison may be written here; change nothing.

        Returns
        -------
        bool
            Whether there is one to go on with.

        Raises
        ------
        UserError
            If the folder cannot be written, if it holds a comparison (or a run) and neither flag
            is given, or if the one to go on with is of another config: each difference is named.
        """
        from sstrain.config.comparison_loading import comparison_differences, load_comparison

        runs = (self.path / "metrics.jsonl", self.path / "checkpoints")
        if any(path.exists() for path in runs):
            raise UserError(f"{self.path}: holds a run of sstrain train; give another --output")
        present = self.check_place(
            (*self.files, self.cells, self.data), allowed=resume or overwrite
        )
        if overwrite or not present or not self.config.is_file():
            return False
        check_format_version(self.environment, read_json(self.environment))
        different = comparison_differences(load_comparison(self.config), comparison)
        if different:
            raise UserError(*(f"{self.config}: {line}" for line in different))
        return True

    def is_finished(self, comparison: "Comparison") -> bool:
        """Tell whether all has been written for a comparison that `check` said is here."""
        from sstrain.config.comparison_loading import load_comparison

        if not self.summary.is_file():
            return False
        return load_comparison(self.config).tolerance == comparison.tolerance

    def prepare(self, config_yaml: str, environment: Mapping[str, Any], *, resuming: bool) -> None:
        """Write what describes a comparison; remove an earlier one's files if it is not resumed.

        Raises
        ------
        FailureError
            If something cannot be written or removed.
        """
        try:
            self.remove_data()
            for path in self.cells.glob(".[0-9]*.partial"):
                path.unlink(missing_ok=True)
            if not resuming:
                for path in (*self.files, *self._cell_files()):
                    if path != self.environment:
                        path.unlink(missing_ok=True)
            # First, since a folder without it is not taken for a comparison.
            write_json(self.environment, environment)
            write_text(self.config, config_yaml)
            self.cells.mkdir(exist_ok=True)
        except OSError as error:
            raise FailureError(f"{self.path}: cannot be written: {disk_reason(error)}") from error

    def remove_data(self) -> None:
        """Remove the data that worker processes mapped."""
        shutil.rmtree(self.data, ignore_errors=True)

    def _cell_files(self) -> list[Path]:
        return [path for end in ("json", "npy") for path in self.cells.glob(f"[0-9]*.{end}")]

    def save(self, cell: "Cell", record: CellRecord) -> None:
        """Write a cell that was run; its JSON file comes last, and says that it is whole.

        Raises
        ------
        FailureError
            If it cannot be written.
        """
        path = self._record(cell)
        values = {name: value for name, value in vars(record).items() if name != "line_losses"}
        try:
            if record.line_losses is not None:
                with replacing(path.with_suffix(".npy")) as temporary, temporary.open("wb") as file:
                    np.save(file, record.line_losses, allow_pickle=False)
            write_json(path, {**values, "arm": vars(record.arm)})
        except OSError as error:
            raise FailureError(f"{path}: cannot be written: {disk_reason(error)}") from error

    def load(self, cell: "Cell") -> CellRecord | None:
        """Return a cell that was run, or None if it was not, or not to its end."""
        path = self._record(cell)
        if not path.is_file():
            return None
        values = read_json(path)
        try:
            arm = Arm(**values.pop("arm"))
            losses = None
            if values["status"] == "finished":
                losses = np.load(path.with_suffix(".npy"), allow_pickle=False)
            record = CellRecord(arm, line_losses=losses, **values)
        except (OSError, EOFError, TypeError, KeyError, ValueError):
            raise UserError(
                f"{path}: damaged; remove it, and --resume runs the cell again"
            ) from None
        if (record.arm, record.seed) != (cell.arm, cell.seed):
            raise UserError(f"{path}: is of another cell; start again with --overwrite")
        return record

    def _record(self, cell: "Cell") -> Path:
        return self.cells / f"{cell.number:04}.json"
