"""What this machine can do, and how near the kernels come to it.

    python benchmarks/roofline.py [--only CASE ...] [--seconds 3] [--threads 1 --threads 2]

First the machine: bandwidths of its caches and memory, lines and rows at random places,
multiply-adds, exponentials. Then, for steps of the quickstart's run on the King James Bible and
their parts, the time that they take at least by what they must move and compute
(`limits/bounds.py` says it for each), the time that they take, and the share of the bound. Then
the share of each step that is Python's, and the time of each kernel.
"""

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from limits.caches import LEVELS, Caches
from limits.cases import CASES, Case, Part
from limits.machine import Machine, measure_caches, measure_machine
from limits.shapes import Shape, count_shape
from limits.timing import Times, measure
from load import LoadWatch

from sstrain.config import load
from sstrain.data.cache import load as load_data
from sstrain.data.loading import Splits
from sstrain.training.engine import Engine

CONFIG = Path(__file__).parent.parent / "configs" / "quickstart.yaml"


def cache_table(caches: Caches, rates: dict[int, float]) -> Iterator[str]:
    """Yield the lines of the table of reading rates by the size of what is read."""
    yield "| MiB, read on one thread | GB/s |"
    yield "|---|---|"
    for size, rate in rates.items():
        yield f"| {size / 2**20:,.0f} | {rate / 1e9:.1f} |"
    yield (
        f"\nThe last cache is said to have {caches.told / 2**20:,.0f} MiB, and counts as the "
        f"{caches.L3 / 2**20:,.0f} MiB that are nearer to the fastest rate than to memory's."
    )


def machine_table(machines: list[Machine]) -> Iterator[str]:
    """Yield the lines of the tables of what the machine can do."""
    yield "| level | threads | MiB | read | update | copy | triad | lines read | lines updated |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for level in LEVELS:
        for machine in machines:
            size = machine.caches.capacity(level, machine.threads)
            rates = machine.rates[level]
            cells = ["" if size == math.inf else f"{size / 2**20:.4g}"]
            cells += [f"{rate / 1e9:.1f}" for rate in rates[:4]]
            cells += [f"{rate / 1e9:.3f}" for rate in rates[4:]]
            yield f"| {level} | {machine.threads} | {' | '.join(cells)} |"
    yield "\nGB/s, and 10^9 lines of 64 bytes a second.\n"
    yield "| threads | Gflop/s, by lanes of a vector | 10^9 exponentials/s | rows of memory, GB/s |"
    yield "|---|---|---|---|"
    for machine in machines:
        rows = ", ".join(f"{n} B: {rate / 1e9:.1f}" for n, rate in machine.gathered_rows.items())
        flops = ", ".join(f"{n}: {rate / 1e9:.0f}" for n, rate in machine.flops_by_lanes.items())
        yield f"| {machine.threads} | {flops} | {machine.exponentials / 1e9:.2f} | {rows} |"


def shape_line(shape: Shape) -> str:
    """Return a line that says how large a case's steps are."""
    figures = [
        f"entries {shape.entries:,.0f}",
        f"distinct features {shape.rows:,.0f} (not in the caches {shape.new_rows:,.0f})",
    ]
    if shape.candidates:
        figures.append(f"distinct candidates {shape.candidates:.0f}")
    if shape.lines:
        figures.append(f"lines {shape.lines:,.0f} (not in the caches {shape.new_lines:,.0f})")
    return f"V {shape.classes:,.0f}, " + ", ".join(figures)


def bound_rows(case: Case, shape: Shape, machine: Machine, times: Times) -> Iterator[str]:
    """Yield a row of the table of bounds for a case and for each of its parts.

    Raises
    ------
    KeyError
        If nothing was timed under a part's name: a kernel or method is called otherwise now.
    """
    whole = Part("the step", (), case.work)
    for part in (whole, *case.parts):
        spent = sum(times.by_name[name] for name in part.clocks) if part.clocks else times.whole
        bound = part.work(shape, machine).bound(machine)
        yield (
            f"| {case.name} | {part.name} | {machine.threads} | {bound.resource} | "
            f"{1e6 * bound.seconds:,.0f} | {1e6 * spent:,.0f} | {bound.seconds / spent:.0%} |"
        )


def python_row(case: Case, shape: Shape, machine: Machine, times: Times) -> str:
    """Return a row of the table of speeds and of Python's share."""
    return (
        f"| {case.name} | {machine.threads} | {shape.batch / times.whole:,.0f} | "
        f"{times.python:.1%} | {times.passing:.1%} |"
    )


def kernel_rows(case: Case, machine: Machine, times: Times) -> Iterator[str]:
    """Yield a row for each kernel that takes a hundredth of a step or more."""
    for name, spent in times.by_kernel.items():
        if spent > times.whole / 100:
            yield (
                f"| {case.name} | {name.removeprefix('kernels.')} | {machine.threads} | "
                f"{1e6 * spent:,.0f} | {spent / times.whole:.0%} |"
            )


class Tables:
    """The rows of the three tables, case by case."""

    def __init__(self) -> None:
        self.bounds = [
            "| case | part | threads | limited by | bound, us | measured, us | share |",
            "|---|---|---|---|---|---|---|",
        ]
        self.python = [
            "| case | threads | examples/s | Python's share | and to pass arguments |",
            "|---|---|---|---|---|",
        ]
        self.kernels = ["| case | kernel | threads | us | of the step |", "|---|---|---|---|---|"]
        self.missing: list[str] = []

    def add(self, case: Case, shape: Shape, machine: Machine, times: Times) -> None:
        """Add a case's rows, and note the parts that were not met."""
        met = [part for part in case.parts if times.by_name.keys() >= set(part.clocks)]
        self.missing += [f"{case.name}: {part.clocks}" for part in case.parts if part not in met]
        known = Case(case.name, case.overrides, case.work, tuple(met))
        self.bounds += bound_rows(known, shape, machine, times)
        self.python.append(python_row(case, shape, machine, times))
        self.kernels += kernel_rows(case, machine, times)

    def print(self) -> None:
        """Print what there is."""
        for lines in (self.bounds, self.python, self.kernels):
            print("\n" + "\n".join(lines))


def run_case(
    case: Case, splits: Splits, machines: list[Machine], seconds: float, tables: Tables
) -> None:
    """Time one case on each number of threads."""
    engine = Engine(load(CONFIG, list(case.overrides)), splits.train, splits.vocabulary)
    engine.touch_memory()
    for machine in machines:
        shape = count_shape(engine, machine.caches, machine.threads, case.evaluates)
        if machine is machines[0]:
            print(f"{case.name}: {shape_line(shape)}", flush=True)
        tables.add(case, shape, machine, measure(case, engine, splits, machine.threads, seconds))


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(CASES)), help="Cases; all if none.")
@click.option("--threads", multiple=True, type=int, default=(1, 2), show_default=True)
@click.option("--seconds", default=1.5, show_default=True, help="Of each case and thread count.")
def main(only: tuple[str, ...], threads: tuple[int, ...], seconds: float) -> None:
    """Print the tables; exit 1 if a part that has a bound was not met."""
    tables = Tables()
    with LoadWatch() as watch:
        caches, rates = measure_caches(seconds / 8)
        print("\n".join(cache_table(caches, rates)) + "\n", flush=True)
        machines = [measure_machine(count, caches, seconds / 8) for count in threads]
        print("\n".join(machine_table(machines)) + "\n", flush=True)
        splits = load_data(load(CONFIG).data, lambda line: None)
        for name in only or CASES:
            run_case(CASES[name], splits, machines, seconds, tables)
    tables.print()
    if warning := watch.warning():
        print("\n" + warning)
    if tables.missing:
        advice = "never called; correct benchmarks/limits/cases.py:"
        sys.exit("\n".join(["", advice, *tables.missing]))


if __name__ == "__main__":
    main()
