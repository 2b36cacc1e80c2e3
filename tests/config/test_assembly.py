"""What the sections of the config itself do not have yet, but may: checks in their own words."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from sstrain.config.assembly import Assembler
from sstrain.config.problems import Problem
from sstrain.config.tree import Place
from sstrain.config.yaml import parse
from sstrain.section import FilePath, Section, one_of


class Inner(Section):
    kind: Literal["inner"] = "inner"
    low: int = 0
    high: int = Field(9, le=9)
    word: str = "a"
    path: Literal["none"] | FilePath = "none"
    discriminator: ClassVar[str] = "kind"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self

    @field_validator("word")
    @classmethod
    def _is_short(cls, word: str) -> str:
        if len(word) > 3:
            raise ValueError("expected a short word")
        return word


class Outer(Section):
    one: one_of([Inner]) = Inner()  # type: ignore[valid-type]
    many: tuple[Any, ...] = ()


def problems(text: str) -> list[str]:
    found: list[Problem] = []
    root = parse(text, Place(0, 1, 1, "c.yaml", "/"), found)
    assert root is not None
    assembler = Assembler(found)
    section = assembler.build(Outer, assembler.values(Outer, root), root)
    assert (section is None) == bool(found)
    return [str(problem) for problem in found]


def test_a_check_of_a_whole_section_names_the_section() -> None:
    assert problems("\none: {kind: inner, low: 3, high: 2}\n") == [
        'c.yaml:2 one: low is above high; got {"kind": "inner", "low": 3, "high": 2}'
    ]


def test_a_check_of_a_value_in_its_own_words() -> None:
    assert problems("one: {kind: inner, word: longer}\n") == [
        "c.yaml:1 one.word: invalid value; got 'longer'; expected a short word"
    ]


def test_bounds_are_told_in_words() -> None:
    assert problems("one: {kind: inner, high: 10}\n") == [
        "c.yaml:1 one.high: out of range; got 10; expected a whole number up to 9"
    ]


def test_another_name_for_the_type() -> None:
    assert problems("one: {kind: outer}\n") == [
        "c.yaml:1 one.kind: unknown kind; got 'outer'; expected inner"
    ]
    assert problems("one: {}\n") == ["c.yaml:1 one.kind: missing; expected inner"]
    assert problems("one: {kind: ''}\n") == [
        "c.yaml:1 one.kind: unknown kind; got ''; expected inner"
    ]


def test_a_choice_beside_a_path_is_no_path() -> None:
    for text, path in (("none", "none"), ("other", "/configs/other")):
        root = parse(f"one: {{kind: inner, path: {text}}}", Place(0, 1, 1, "c", "/configs"), [])
        assert root is not None
        assert Assembler([]).values(Outer, root)["one"].path == path
