"""The recommendation on constructed comparisons whose right answer is known."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pytest
from constructed_records import EXACT, LINES, arm, diverged, finished
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain.comparison.hsu import critical_value
from sstrain.comparison.ranking import rank
from sstrain.comparison.recommendation import Recommendation, recommend
from sstrain.comparison.records import Arm, CellRecord

SMALL, MIDDLE, LARGE = arm("unigram", 16), arm("unigram", 64), arm("unigram", 256)
OTHER = arm("uniform", 64)
#: What a cell of each seed is above its arm's mean; the second kind is no multiple of the first.
NOISE = {1: np.array([0.001, 0.002, -0.003]), -1: np.array([-0.002, 0.003, -0.001])}


def cells(
    arm: Arm, log_loss: float, cpu_seconds: float, *, kind: int = 1, num_seeds: int = 3
) -> list[CellRecord]:
    """Return an arm's cells; CPU seconds vary by 1%."""
    return [
        finished(
            arm,
            seed + 1,
            log_loss + NOISE[kind][seed],
            cpu_seconds=cpu_seconds * np.exp(10 * NOISE[-kind][seed] / 3),
        )
        for seed in range(num_seeds)
    ]


def recommended(
    records: Sequence[CellRecord], tolerance: float = 0.01, budget: str = "epochs"
) -> Recommendation:
    found = recommend(rank(records, *LINES), records, tolerance, budget)
    json.dumps(asdict(found), allow_nan=False)
    assert found.sentence.endswith(".")
    assert found.sentence.count(". ") == 0
    return found


#: Qualify at 1% of 4: the middle and the large one.
USUAL = [
    *cells(EXACT, 4.0, 100),
    *cells(SMALL, 4.1, 5, kind=-1),
    *cells(MIDDLE, 4.02, 8, kind=-1),
    *cells(LARGE, 4.01, 20),
]


def test_the_cheapest_that_is_close_enough_is_recommended() -> None:
    found = recommended(USUAL)
    assert (found.arm, found.tied, found.anchor) == (MIDDLE, [], EXACT)
    assert found.qualified == [LARGE, MIDDLE]
    assert found.allowed == pytest.approx(0.04)
    assert found.times_cheaper == pytest.approx(12.5, rel=0.02)
    assert found.difference == pytest.approx(0.02)
    assert found.sentence.startswith("Recommended: unigram with K = 64: 8")
    for words in (
        "12.5 times less than the exact gradient's 100",
        "validation log-loss 4.0200, 0.0200 above the exact gradient's 4.0000",
        "with the errors of seeds and lines",
        "3 seeds, 60 validation lines, a tolerance of 1% and a budget in epochs",
    ):
        assert words in found.sentence


def test_the_interval_is_dunnetts() -> None:
    residuals = np.array([NOISE[kind] for kind in (1, -1, -1, 1)])
    residuals = residuals - residuals.mean(axis=0)
    # The two-sided 5% point for three comparisons and 6 degrees of freedom; all arms contend, and
    # the lines' losses differ by a constant between arms.
    half = critical_value(3, 6, two_sided=True) * np.sqrt((residuals**2).sum() / 6 * 2 / 3)
    assert critical_value(3, 6, two_sided=True) == pytest.approx(3.10, abs=0.006)
    found = recommended(USUAL)
    assert found.low == pytest.approx(0.02 - half)
    assert found.high == pytest.approx(0.02 + half)


def test_the_upper_end_decides_and_not_the_mean() -> None:
    high = recommended(USUAL).high
    assert high is not None
    assert recommended(USUAL, (high + 1e-6) / 4).arm == MIDDLE
    assert recommended(USUAL, (high - 1e-6) / 4).arm == LARGE


def test_the_lines_error_counts() -> None:
    odd = np.random.default_rng(3).normal(0, 0.1, 60)
    records = [
        finished(r.arm, r.seed, r.results["log_loss"], lines=odd, cpu_seconds=8)
        if r.arm == MIDDLE
        else r
        for r in USUAL
    ]
    assert recommended(records).qualified == [LARGE]
    assert recommended(records).arm == LARGE


def test_a_larger_tolerance_buys_a_cheaper_setting() -> None:
    assert recommended(USUAL, 0.05).arm == SMALL


def test_a_budget_in_seconds_leaves_the_log_loss_to_decide() -> None:
    found = recommended(USUAL, budget="seconds")
    assert (found.arm, found.times_cheaper) == (LARGE, None)
    assert "times less" not in found.sentence


def test_arms_of_equal_cost_are_told_apart_by_log_loss() -> None:
    found = recommended([*USUAL, *cells(OTHER, 4.005, 8.02)])
    assert (found.arm, found.tied) == (OTHER, [])
    assert found.sentence.startswith("Recommended: uniform with K = 64: ")


def test_what_cannot_be_told_apart_is_named() -> None:
    found = recommended([*USUAL, *cells(OTHER, 4.0195, 8.02)])
    assert (found.arm, found.tied) == (OTHER, [OTHER, MIDDLE])
    assert (
        "the data cannot tell uniform with K = 64 and unigram with K = 64 apart in cost or "
        "log-loss; take for example uniform with K = 64: "
    ) in found.sentence


def test_ties_in_log_loss_with_a_budget_in_seconds() -> None:
    found = recommended([*USUAL, *cells(OTHER, 4.0105, 20)], budget="seconds")
    assert found.tied == [LARGE, OTHER]
    assert "apart in log-loss; take for example unigram with K = 256: " in found.sentence


def test_a_clearly_cheaper_arm_wins_though_its_log_loss_is_worse() -> None:
    assert recommended([*USUAL, *cells(OTHER, 4.01, 9)]).arm == MIDDLE


def test_none_close_enough_says_what_is_needed() -> None:
    found = recommended(USUAL, 0.002)
    assert (found.arm, found.qualified, found.cpu_seconds) == (None, [], None)
    assert found.difference == pytest.approx(0.01)
    assert found.sentence.startswith(
        "No recommendation: no sampled setting is shown to lose at most 0.2% (0.0080) of the "
        "exact gradient's log-loss; the best is unigram with K = 256, validation log-loss 4.0100"
    )
    assert "; more samples or examples are needed; " in found.sentence


def test_one_that_may_be_close_enough_is_told_from_one_that_is_not() -> None:
    found = recommended(USUAL, 0.003)
    assert found.arm is None
    assert "more seeds or validation lines might show it" in found.sentence


def test_a_sampled_gradient_may_beat_the_exact_one() -> None:
    found = recommended([*cells(EXACT, 4.0, 100), *cells(LARGE, 3.95, 120, kind=-1)])
    assert found.arm == LARGE
    assert "0.0500 below the exact gradient's" in found.sentence
    assert "1.2 times more than the exact gradient's 100" in found.sentence


def test_without_the_reference_the_best_is_the_anchor() -> None:
    sampled = [r for r in USUAL if not r.arm.is_reference]
    found = recommended(sampled)
    assert (found.arm, found.anchor, found.times_cheaper) == (MIDDLE, LARGE, None)
    assert "0.0100 above the best setting's 4.0100" in found.sentence
    best = recommended(sampled, 0.001)
    assert (best.arm, best.qualified) == (LARGE, [LARGE])
    assert "the best of all (against the best of the others" in best.sentence


def test_one_seed_rests_on_the_lines_alone_and_costs_within_five_percent_are_equal() -> None:
    records = [r for r in USUAL if r.seed == 1] + cells(OTHER, 4.005, 8.2, num_seeds=1)
    found = recommended(records)
    assert found.arm == OTHER
    assert "with the errors of lines alone" in found.sentence
    assert "rests on 1 seed, " in found.sentence
    dearer = [r for r in USUAL if r.seed == 1] + cells(OTHER, 4.005, 8.6, num_seeds=1)
    assert recommended(dearer).arm == MIDDLE


def test_cells_that_diverged_are_passed_over() -> None:
    records = [r for r in USUAL if not (r.arm == MIDDLE and r.seed == 2)]
    found = recommended([*records, diverged(MIDDLE, 2), diverged(OTHER, 1)])
    assert found.arm == MIDDLE


def test_too_little_finished() -> None:
    none = recommended([diverged(EXACT, 1), diverged(SMALL, 1)])
    assert none.sentence == "No recommendation: no cell finished."
    alone = recommended([*cells(EXACT, 4, 100), diverged(SMALL, 1)])
    assert alone.sentence == (
        "No recommendation: only exact finished, so there is nothing to compare."
    )
    assert (none.arm, alone.arm) == (None, None)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(len(USUAL))), st.sampled_from(["epochs", "examples", "seconds"]))
def test_the_order_of_records_does_not_matter(order: list[int], budget: str) -> None:
    records = [USUAL[i] for i in order]
    assert recommended(records, budget=budget).arm == recommended(USUAL, budget=budget).arm


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 0.05), st.floats(0, 0.05))
def test_a_larger_tolerance_never_shuts_an_arm_out(one: float, another: float) -> None:
    small, large = sorted((one, another))
    assert set(recommended(USUAL, small).qualified) <= set(recommended(USUAL, large).qualified)
