"""Whatever stands in a config, it is read, or its mistakes are told in plain lines."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain.config import Config, load, read_resolved, resolved_yaml
from sstrain.config.shapes import element, sections
from sstrain.config.yaml import dump
from sstrain.errors import UserError
from sstrain.section import Section


def keys(section: type[Section]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield name
        for inner in [*sections(field.annotation), *sections(element(field.annotation))]:
            yield from keys(inner)


NAMES = sorted(set(keys(Config)))
WORDS = ["sgd", "exact", "mixture", "uniform", "file", "sequence", "svmlight", "1 epoch", "auto"]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.just(2**70),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=3),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)
trains = st.fixed_dictionaries(
    {"path": st.just("a"), "format": st.sampled_from(["sequence", "svmlight"])},
    optional=dict.fromkeys(("context", "index_base", "min_count", "lowercase"), scalars),
)
datas = st.fixed_dictionaries({"train": trains}, optional={"validation": values, "test": values})
OTHERS = sorted(Config.model_fields.keys() - {"data"})
configs = st.fixed_dictionaries({"data": datas | values}, optional=dict.fromkeys(OTHERS, values))
overrides = st.lists(
    st.builds(
        "{}={}".format,
        st.lists(st.sampled_from([*NAMES, "0", "1"]), min_size=1, max_size=4).map(".".join),
        st.sampled_from([*WORDS, "null", "3", "0.5", "{type: uniform}", "[1, 2]", "[", "a: b"]),
    ),
    max_size=3,
)
MESSAGE = re.compile(r"(c\.yaml:[0-9]+|--set)( .*)?: [^\n]+")


@settings(deadline=None)
@given(configs, overrides)
def test_a_config_or_plain_lines(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any], settings: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    file = folder / "c.yaml"
    file.write_text(dump(data))
    messages: tuple[str, ...] = ()
    try:
        config = load(file, settings)
    except UserError as error:
        messages = error.messages or ("nothing said",)
    else:
        file.write_text(resolved_yaml(config))
        assert read_resolved(file) == config
    for message in messages:
        assert MESSAGE.fullmatch(message.removeprefix(f"{folder}/"))
