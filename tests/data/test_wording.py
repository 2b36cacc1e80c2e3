"""What files and libraries say, in our messages: cut, and without control characters."""

from hypothesis import given
from hypothesis import strategies as st

from sstrain.data.wording import joined, listed, printable, reason_of, shown

anything = st.text(st.characters(), max_size=300)


def test_names_are_quoted_and_counted() -> None:
    assert listed([]) == ""
    assert listed(["a", "it's"]) == "'a', \"it's\""
    assert listed([str(number) for number in range(10)]).endswith("'9'")
    assert listed([str(number) for number in range(1012)]).endswith("'9' and 1,002 more")
    assert joined(["1 in a", "2 in b"]) == "1 in a, 2 in b"


def test_long_names_are_cut() -> None:
    assert shown(60 * "x") == repr(60 * "x")
    assert shown(61 * "x") == f"'{59 * 'x'}..."


def test_the_first_line_of_an_error_is_its_reason() -> None:
    assert reason_of(ValueError("\n it is so. \n\nDetail: much")) == "it is so"
    assert reason_of(ValueError("type: \x0e\x1b[2J")) == "type: \\x0e\\x1b[2J"
    assert reason_of(MemoryError()) == "MemoryError"
    assert reason_of(KeyError("a\nb")) == "'a\\nb'"


@given(texts=st.lists(anything, max_size=20))
def test_any_text_is_printable_and_bounded(texts: list[str]) -> None:
    found = listed(texts)
    assert found.isprintable()
    assert len(found) <= 10 * 66 + 20
    for text in texts:
        assert printable(text).isprintable()
        assert reason_of(ValueError(text)).isprintable()
        assert len(reason_of(ValueError(text))) <= 10 * 200


@given(text=st.text(st.characters(exclude_categories=["C", "Z"]), max_size=60))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert printable(text) == text
