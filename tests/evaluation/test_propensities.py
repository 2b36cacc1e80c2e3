"""Propensities of labels, and the key that gives their constants."""

import math
from pathlib import Path

import numpy as np
import pytest

from sstrain.config import load
from sstrain.errors import UserError
from sstrain.evaluation.multilabel import inverse_propensities


def test_propensities_are_those_published() -> None:
    counts = np.array([1000, 7, 1, 0])
    for a, b in ((0.55, 1.5), (0.6, 2.6), (0.5, 0.4)):
        c = (math.log(5000) - 1) * (b + 1) ** a
        expected = [1 + c * math.exp(-a * math.log(count + b)) for count in counts]
        assert inverse_propensities(counts, 5000, a, b).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("num_rows", [1, 2, 3])
def test_a_propensity_is_a_probability_for_the_smallest_data(num_rows: int) -> None:
    assert inverse_propensities(np.array([0, 1]), num_rows, 0.55, 1.5).min() >= 1


def read(tmp_path: Path, propensity: str) -> tuple[float, ...]:
    file = tmp_path / "c.yaml"
    data = "data: {train: {path: a.svm, format: svmlight}}\n"
    file.write_text(f"{data}evaluation: {{propensity: {propensity}}}\n")
    return load(file).evaluation.propensity


def test_the_constants_of_the_propensities_are_two(tmp_path: Path) -> None:
    assert read(tmp_path, "[0.6, 2]") == (0.6, 2)
    for wrong, problem in {
        "[0.6]": "invalid value; got [0.6]; expected two numbers above 0, A and B",
        "[1, 2, 3]": "invalid value; got [1, 2, 3]; expected two numbers above 0, A and B",
        "[0.6, 0]": "propensity.1: out of range; got 0; expected a number above 0",
        "0.6": "wrong type; got 0.6; expected a list, each a number above 0",
    }.items():
        with pytest.raises(UserError) as caught:
            read(tmp_path, wrong)
        assert problem in str(caught.value)
