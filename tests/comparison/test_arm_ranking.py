"""The ranking: order, differences, both errors, what is missing, and that order does not matter."""

import json
from dataclasses import fields

import numpy as np
import pytest
from constructed_records import EXACT, HARDNESS, LINE_COUNTS, LINES, arm, diverged, finished
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain.comparison.bootstrap import bootstrap_log_losses
from sstrain.comparison.ranking import RankedArm, Ranking, as_dict, as_table, rank
from sstrain.comparison.records import Arm, CellRecord

A, B, C = arm("unigram", 64), arm("uniform", 64), arm("unigram", 4)
#: By arm; a seed's effect and a little that is the cell's own.
LOSSES = {
    EXACT: (4.001, 4.010, 4.022),
    A: (4.020, 4.031, 4.039),
    B: (4.101, 4.108, 4.121),
    C: (4.140, 4.153, 4.157),
}


def records(num_seeds: int = 3) -> list[CellRecord]:
    return [
        finished(arm, seed, loss, cpu_seconds=10.0 * seed)
        for arm, losses in LOSSES.items()
        for seed, loss in enumerate(losses[:num_seeds], 1)
    ]


def test_arms_are_ranked_by_their_mean() -> None:
    ranking = rank(records()[::-1], *LINES)
    assert [row.arm for row in ranking.rows] == [EXACT, A, B, C]
    best, second = ranking.rows[:2]
    assert best.log_loss == pytest.approx(4.011)
    assert best.spread == pytest.approx(np.std(LOSSES[EXACT], ddof=1))
    assert best.difference == pytest.approx(-0.019)
    assert second.difference == pytest.approx(0.019)
    assert (best.seeds, best.failed) == (3, 0)
    assert best.top_1 == pytest.approx(0.27)
    assert (best.cpu_seconds, best.candidates_scored, best.examples) == (20, 2000, 100)
    assert (ranking.seeds, ranking.lines, ranking.examples) == (3, 60, LINE_COUNTS.sum())
    assert ranking.contenders == [EXACT, A, B, C]
    assert ranking.notes == []


def test_intervals_are_hsus() -> None:
    ranking = rank(records(), *LINES)
    table = np.array(list(LOSSES.values()))
    residuals = table - table.mean(axis=1, keepdims=True)
    residuals -= residuals.mean(axis=0)
    sigma = np.sqrt((residuals**2).sum() / 6)
    assert ranking.sigma == pytest.approx(sigma)
    assert ranking.df == 6
    # Dunnett's one-sided 5% point for three comparisons and 6 degrees of freedom.
    assert ranking.d == pytest.approx(2.56, abs=0.005)
    assert ranking.d is not None
    half = ranking.d * sigma * np.sqrt(2 / 3)
    best, second, third = ranking.rows[:3]
    assert (best.high, second.low) == (0, 0)
    assert best.low == pytest.approx(-0.019 - half)
    assert second.high == pytest.approx(0.019 + half)
    assert third.high == pytest.approx(0.099 + half)


def test_the_lines_error_is_the_bootstraps_and_paired() -> None:
    ranking = rank(records(), *LINES)
    level = HARDNESS - (HARDNESS * LINE_COUNTS).sum() / LINE_COUNTS.sum()
    alone = bootstrap_log_losses((level * LINE_COUNTS)[np.newaxis], LINE_COUNTS)[:, 0]
    for row in ranking.rows:
        assert row.log_loss is not None
        assert row.line_error == pytest.approx(alone.std(ddof=1))
        assert row.line_low == pytest.approx(row.log_loss + np.quantile(alone, 0.025))
        assert row.line_high == pytest.approx(row.log_loss + np.quantile(alone, 0.975))
        # The lines' losses differ by a constant between arms.
        assert row.line_error_difference == pytest.approx(0, abs=1e-12)
        assert row.line_low_difference == pytest.approx(row.difference)
        assert row.high_both == pytest.approx(row.high, abs=1e-9)


def test_both_errors_add_in_squares() -> None:
    odd = np.random.default_rng(1).normal(0, 0.2, 60)
    some = [
        finished(r.arm, r.seed, r.results["log_loss"], lines=odd if r.arm == A else None)
        for r in records()
    ]
    ranking = rank(some, *LINES)
    assert ranking.errors is not None
    assert ranking.sigma is not None
    assert ranking.d is not None
    best, second = ranking.rows[:2]
    assert second.line_error_difference is not None
    assert second.line_error_difference > 0.01
    error = np.hypot(ranking.sigma * np.sqrt(2 / 3), second.line_error_difference)
    assert ranking.errors[0, 1] == pytest.approx(error)
    assert best.low is not None
    assert best.low_both == pytest.approx(-0.019 - ranking.d * error)
    assert -0.019 - ranking.d * error < best.low - 0.01


def test_one_seed_leaves_the_lines_error_alone() -> None:
    ranking = rank(records(num_seeds=1), *LINES)
    assert (ranking.sigma, ranking.df) == (None, None)
    # The normal law's, for three comparisons.
    assert ranking.d == pytest.approx(2.06, abs=0.005)
    for row in ranking.rows:
        assert (row.spread, row.low, row.high) == (None, None, None)
        assert row.low_both is not None
    assert len(ranking.notes) == 1
    assert ranking.notes[0].startswith("One seed: how much the log-loss varies")


def test_missing_cells_are_fitted_and_told() -> None:
    some = [r for r in records() if not (r.arm == A and r.seed == 3)]
    some += [diverged(A, 3), *(diverged(arm("uniform", 1), seed) for seed in (1, 2, 3))]
    ranking = rank(some, *LINES)
    row, last = ranking.rows[1], ranking.rows[-1]
    others = np.array([losses for other, losses in LOSSES.items() if other != A]).mean(axis=0)
    # What the others' third seed was above the mean of their first two.
    expected = np.mean(LOSSES[A][:2]) + (others[2] - others[:2].mean()) / 3
    assert (row.arm, row.seeds, row.failed) == (A, 2, 1)
    assert row.log_loss == pytest.approx(expected)
    assert last == RankedArm(arm=arm("uniform", 1), seeds=0, failed=3)
    assert ranking.notes == [
        "unigram, K = 64: finished 2 of 3 seeds; its mean is fitted by its differences to the "
        "others.",
        "uniform, K = 1: finished with no seed.",
    ]
    assert as_table(ranking).splitlines()[5].split()[:5] == ["-", "uniform,", "K", "=", "1"]


def test_seeds_that_link_no_arms_are_told() -> None:
    ranking = rank([finished(A, 1, 4.0), finished(A, 2, 4.1), finished(B, 3, 4.2)], *LINES)
    assert ranking.notes[0].startswith("Cells that failed leave no seeds that link")
    assert [row.log_loss for row in ranking.rows] == [pytest.approx(4.05), pytest.approx(4.2)]


def test_nothing_finished() -> None:
    ranking = rank([diverged(A, 1), diverged(B, 1)], *LINES)
    assert [row.log_loss for row in ranking.rows] == [None, None]
    assert ranking.notes == ["No cell finished."]
    assert ranking.finished == []
    assert "unigram, K = 64" in as_table(ranking)
    json.dumps(as_dict(ranking), allow_nan=False)


def test_one_arm_has_no_difference() -> None:
    (row,) = rank([finished(A, 1, 4.0), finished(A, 2, 4.1)], *LINES).rows
    assert row.log_loss == pytest.approx(4.05)
    assert row.line_error is not None
    assert (row.difference, row.low, row.high, row.low_both) == (None, None, None, None)


def test_arms_that_vary_more_are_told() -> None:
    far = [finished(arm("uniform", 1), seed, 6 + 0.5 * seed**2) for seed in (1, 2, 3)]
    ranking = rank([*records(), *far], *LINES)
    assert ranking.contenders == [EXACT, A, B, C]
    assert ranking.df == 6
    assert len(ranking.notes) == 1
    assert "among the 4 within 5%" in ranking.notes[0]


def test_the_table_is_aligned_and_marks_the_reference() -> None:
    lines = as_table(rank(records(), *LINES)).splitlines()
    assert lines[0].split()[:4] == ["setting", "seeds", "log-loss", "spread"]
    assert lines[1].split()[:5] == ["1", "exact", "*", "3/3", "4.0110"]
    assert lines[2].split()[:6] == ["2", "unigram,", "K", "=", "64", "3/3"]
    assert "0 to 0.0" in lines[2]
    assert len({len(line) for line in lines[:5]}) == 1
    assert lines[6] == "* the exact gradient, the reference"


def test_the_values_are_json() -> None:
    values = json.loads(json.dumps(as_dict(rank(records(), *LINES)), allow_nan=False))
    first, second = values["rows"][:2]
    assert (first["objective"], first["sampler"], first["num_samples"]) == ("exact", "", None)
    assert (second["sampler"], second["num_samples"]) == ("unigram", 64)
    assert set(first) == {f.name for f in (*fields(RankedArm), *fields(Arm))} - {"arm"}
    assert set(values) == {f.name for f in fields(Ranking)} - {"errors"}
    assert values["contenders"][0] == {"objective": "exact", "sampler": "", "num_samples": None}


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)), st.floats(0, 2))
def test_order_does_not_matter_and_a_constant_only_shifts(order: list[int], add: float) -> None:
    plain, given_cells = rank(records(), *LINES), records()
    shifted = rank(
        [
            finished(r.arm, r.seed, r.results["log_loss"] + add, cpu_seconds=10.0 * r.seed)
            for r in (given_cells[i] for i in order)
        ],
        *LINES,
    )
    assert rank([given_cells[i] for i in order], *LINES) == plain
    for row, other in zip(plain.rows, shifted.rows, strict=True):
        assert row.log_loss is not None
        assert other.arm == row.arm
        assert other.log_loss == pytest.approx(row.log_loss + add)
        assert other.difference == pytest.approx(row.difference, abs=1e-9)
        assert other.low_both == pytest.approx(row.low_both, abs=1e-9)
        assert other.high_both == pytest.approx(row.high_both, abs=1e-9)


def test_intervals_with_both_errors_hold_over_seeds_and_lines() -> None:
    generator = np.random.default_rng(9)
    arms = [arm("unigram", 2**k) for k in range(4)]
    truth = np.array([4.0, 4.06, 4.06, 4.08])
    apart = np.array([-0.06, 0.06, 0.06, 0.08])
    counts = generator.integers(5, 15, 120)
    held = 0
    for _ in range(400):
        # A line's loss depends on the arm, and a cell's on its seed.
        per_line = generator.normal(truth[:, np.newaxis], 0.1, (4, 120))
        cells = generator.normal(0, 0.01, (3, 4)) + generator.normal(0, 0.05, (3, 1))
        some = []
        for seed, own in enumerate(cells):
            for place, arm_ in enumerate(arms):
                losses = (per_line[place] + own[place]) * counts
                results = {"log_loss": losses.sum() / counts.sum()}
                some.append(CellRecord(arm_, seed, "finished", results=results, line_losses=losses))
        rows = {row.arm: row for row in rank(some, counts, int(counts.sum())).rows}
        both = np.array([(rows[a].low_both, rows[a].high_both) for a in arms], dtype=float)
        held += bool(np.all((both[:, 0] <= apart) & (apart <= both[:, 1])))
    assert held / 400 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400)
