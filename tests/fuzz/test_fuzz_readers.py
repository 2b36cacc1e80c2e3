"""Every reader on inputs that are nearly valid; ``fuzz_readers.py`` runs very many more."""

from dataclasses import replace

import pytest
from subjects import SUBJECTS, subject_names
from trials import check, check_memory, draw

from sstrain.data import FORMATS

INPUTS = 5000


def test_every_format_is_fuzzed() -> None:
    assert {subject.format for subject in SUBJECTS.values()} == FORMATS.keys()


@pytest.mark.parametrize("name", subject_names())
def test_any_input_is_sound_rows_or_a_user_error(name: str) -> None:
    read = 0
    for number in range(INPUTS):
        try:
            read += check(draw(name, 7, number))
        except Exception as error:
            error.add_note(f"fuzz_readers.py --format {name} --seed 7 --only {number}")
            raise
    assert 0.05 * INPUTS < read < 0.98 * INPUTS


@pytest.mark.parametrize("name", subject_names())
def test_memory_is_bounded_by_the_size_of_the_input(name: str) -> None:
    for number in range(100):
        check_memory(draw(name, 8, number))


@pytest.mark.parametrize("name", subject_names())
def test_valid_files_are_read(name: str) -> None:
    """Each seed by some source, so that mutations of it reach beyond the first check."""
    subject = SUBJECTS[name]
    trials = [draw(name, 9, number) for number in range(300)]
    for seed in subject.seeds:
        assert any(check(replace(trial, data=seed)) for trial in trials)


@pytest.mark.parametrize("name", subject_names())
def test_trials_are_functions_of_seed_and_number(name: str) -> None:
    assert str(draw(name, 3, 5)) == str(draw(name, 3, 5))
    assert draw(name, 3, 5).data == draw(name, 3, 5).data
    assert len({draw(name, 3, number).data for number in range(100)}) > 50
