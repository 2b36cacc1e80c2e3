import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain.config.problems import Problem
from sstrain.config.tree import Node, Place
from sstrain.config.yaml import dump, parse

ORIGIN = Place(0, 1, 1, "c.yaml", "/configs")


def read(text: str) -> tuple[Node | None, list[str]]:
    problems: list[Problem] = []
    root = parse(text, ORIGIN, problems)
    return root, [str(problem) for problem in problems]


def value(text: str) -> Any:
    root, problems = read(text)
    assert not problems
    assert root is not None
    return root.plain()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("+1.", 1.0),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("y", "y"),
        ("tRue", "tRue"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("0b11", "0b11"),
        ("-0x1F", "-0x1F"),
        ("2020-01-01", "2020-01-01"),
        ("=", "="),
        ("1 epoch", "1 epoch"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 3", "3"),
        ("!!float 3", 3.0),
        ("!!int '3'", 3),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, expected: Any) -> None:
    found = value(f"key: {text}")["key"]
    assert found == expected
    assert type(found) is type(expected)


def test_nan() -> None:
    assert math.isnan(value("key: .nan")["key"])


def test_keys_are_names_whatever_they_look_like() -> None:
    assert value("1: a\non: b\nnull: c\n<<: d") == {"1": "a", "on": "b", "null": "c", "<<": "d"}


def test_places_are_lines_of_keys_and_elements() -> None:
    root, _ = read("# first\na: 1\nb:\n  c: {d: 2,\n    e: 3}\n  f:\n  - 4\n  - g: 5\n")
    assert root is not None
    lines = {
        key: node.place.line
        for key in [("a",), ("b",), ("b", "c", "d"), ("b", "c", "e"), ("b", "f", 0), ("b", "f", 1)]
        if (node := root.get(key))
    }
    assert list(lines.values()) == [2, 3, 4, 5, 7, 8]
    assert root.nearest(("b", "c", "nothing", "here")).place.line == 4


def test_an_alias_stands_where_it_was_written() -> None:
    root, problems = read("a: &x {b: 1}\nc: *x\n")
    assert root is not None
    assert not problems
    assert root.plain() == {"a": {"b": 1}, "c": {"b": 1}}
    assert root.nearest(("c", "b")).place.line == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "c.yaml:3 a: given twice; line 1 has it already; keep one"),
        ("a: {b: 1}\na:\n  c: 2\n", "c.yaml:2 a: given twice; line 1 has it already; keep one"),
        (
            "a:\n\tb: 1\n",
            "c.yaml:2: not valid YAML: a tab cannot indent or begin a value; use spaces",
        ),
        ("a: 1\n---\nb: 2\n", "c.yaml:2: a second YAML document begins here; expected one"),
        (
            "a: b: c\n",
            "c.yaml:1: not valid YAML: mapping values are not allowed here (column 5)",
        ),
        ("a: *x\n", "c.yaml:1: not valid YAML: found undefined alias 'x' (column 4)"),
        (
            "a: \x07\n",
            r"c.yaml:1: not valid YAML: the character '\x07' is not allowed; "
            "expected plain text in UTF-8",
        ),
        (
            "a: !!python/object:os.system x\n",
            "c.yaml:1 a: the tag !!python/object:os.system does not go here; leave it out",
        ),
        ("a: !!int x\n", "c.yaml:1 a: the tag !!int does not go here; leave it out"),
        ("a: !!set {b}\n", "c.yaml:1 a: the tag !!set does not go here; leave it out"),
        ("[a]: 1\n", "c.yaml:1: a list or mapping stands as a key; expected a name"),
        (f"a: {'9' * 5000}\n", "c.yaml:1 a: a number of too many digits"),
        ("[" * 5000, "c.yaml:1: nested more than 100 levels deep"),
        (
            "[" * 150 + "]" * 150,
            "c.yaml:1 0.0.0: nested more than 100 levels deep, aliases followed",
        ),
        (
            "a: &x [*x]\n",
            "c.yaml:1 a.0.0: nested more than 100 levels deep, aliases followed",
        ),
    ],
)
def test_a_mistake_is_one_plain_line(text: str, message: str) -> None:
    assert read(text)[1] == [message]


def test_aliases_cannot_multiply_without_end() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    root, problems = read("\n".join(lines))
    assert root is None
    assert len(problems) == 1
    assert "more than 10,000 values, aliases followed" in problems[0]


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.from_regex(r"[-+.0-9a-fox_e:~tTrRuUeE ]{1,8}", fullmatch=True)
    | st.sampled_from(["on", "yes", "null", "~", "", "1e3", ".inf", "0o7", "# x", "a: b", "- a"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=200), values, max_size=5))
def test_what_is_dumped_is_read_again(data: dict[str, Any]) -> None:
    assert value(dump(data)) == data


@settings(deadline=None)
@given(values)
def test_types_survive(data: Any) -> None:
    assert repr(value(dump({"key": data}))["key"]) == repr(data)


def test_dump_keeps_the_order_and_writes_scalar_lists_on_one_line() -> None:
    data = {"b": (1, 2), "a": [{"c": 1e-7}, {"d": "1e-7"}], "e": {}, "f": [True, None, "on"]}
    assert dump(data) == ("b: [1, 2]\na:\n- c: 1e-07\n- d: '1e-7'\ne: {}\nf: [true, null, on]\n")
