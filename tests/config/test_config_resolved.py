from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain.config import Config, differences, load, read_resolved, resolve, resolved_yaml
from sstrain.config.yaml import dump

spans = st.builds("{} {}".format, st.integers(1, 99), st.sampled_from(["epochs", "steps", "step"]))
positive = st.floats(1e-300, 1e300)
proposals = st.one_of(
    st.just({"type": "uniform"}),
    st.just({"type": "log_uniform"}),
    st.fixed_dictionaries({"type": st.just("unigram")}, optional={"power": st.floats(0, 100)}),
    st.fixed_dictionaries({"type": st.just("file"), "path": st.sampled_from(["q.tsv", "/q", "ü"])}),
)
drawing = st.fixed_dictionaries(
    {}, optional={"num_samples": st.integers(1, 10**6), "replacement": st.booleans()}
)
parts = st.lists(
    st.builds(lambda part, weight: part | {"weight": weight}, proposals, positive), min_size=1
)
mixtures = st.fixed_dictionaries({"type": st.just("mixture")}, optional={"parts": parts})
samplers = st.builds(lambda q, keys: q | keys, proposals | mixtures, drawing)
optimizers = st.fixed_dictionaries(
    {"type": st.sampled_from(["sgd", "adagrad", "rowwise_adagrad"])},
    optional={
        "learning_rate": st.floats(1e-300, 1e3),
        "schedule": st.sampled_from(["constant", "linear", "inverse_sqrt", "cosine"]),
        "warmup": spans,
        "l2": st.sampled_from([0.0, 1e-6, 1e-4]),
        "average_from": spans,
    },
)
sources = st.one_of(
    st.floats(0.01, 0.4),
    st.fixed_dictionaries({"path": st.sampled_from(["v", ["v", "/w"]])}),
    st.just({"path": "x", "format": "svmlight", "index_base": 1}),
)
configs: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"train": st.just({"path": ["a", "b"], "format": "sequence", "min_count": 2})},
            optional={"validation": sources, "test": sources},
        )
    },
    optional={
        "seed": st.integers(0, 2**63 - 1),
        "sampler": samplers,
        "optimizer": optimizers,
        "evaluation": st.fixed_dictionaries(
            {"every": spans, "top_k": st.lists(st.integers(1, 99), min_size=1)}
        ),
    },
)


@settings(deadline=None)
@given(configs)
def test_a_resolved_config_is_read_again_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("config")
    (folder / "c.yaml").write_text(dump(data))
    config = load(folder / "c.yaml")
    other = folder / "elsewhere" / "config.yaml"
    other.parent.mkdir()
    other.write_text(resolved_yaml(config))
    assert read_resolved(other) == config
    assert resolved_yaml(read_resolved(other)) == resolved_yaml(config)
    assert resolve(config) == config
    assert differences(config, read_resolved(other)) == []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text("data: {train: {path: a.txt, format: sequence}, test: 0.1}\n")
    return path


def test_the_resolved_config_leaves_out_what_does_not_apply(file: Path) -> None:
    text = resolved_yaml(load(file, ["objective={type: exact}", "optimizer.type=sgd"]))
    for absent in ("null", "sampler", "initial_accumulator", "l2_interval", "patience"):
        assert absent not in text
    assert text.startswith("seed: 1\noutput: /")
    assert "  top_k: [1, 5]\n" in text
    assert "  every: 1 epoch\n" in text


def test_differences_name_the_key_and_both_values(file: Path) -> None:
    old = load(file)
    new = load(
        file,
        [
            "optimizer={type: sgd, l2: 0.125}",
            "data.test=null",
            "sampler={type: mixture, parts: [{weight: 1, type: uniform}]}",
        ],
    )
    assert differences(old, new) == [
        "data.test: 0.1 in the run, not given now",
        "data.split_seed: 0 in the run, not given now",
        "sampler.type: 'unigram' in the run, 'mixture' now",
        "sampler.power: 0.75 in the run, not given now",
        "sampler.smoothing: 0.0 in the run, not given now",
        "optimizer.type: 'adagrad' in the run, 'sgd' now",
        f"optimizer.learning_rate: {old.optimizer.learning_rate} in the run, "
        f"{new.optimizer.learning_rate} now",
        "optimizer.l2: 0.0 in the run, 0.125 now",
        "optimizer.initial_accumulator: 6.103515625e-05 in the run, not given now",
        'sampler.parts: not given in the run, [{"weight": 1.0, "type": "uniform"}] now',
        "optimizer.l2_interval: not given in the run, 100 now",
    ]


def test_some_keys_may_differ(file: Path) -> None:
    free = ["output=elsewhere", "training.threads=2", "checkpoint={every: 5 minutes, keep: 7}"]
    assert differences(load(file), load(file, free)) == []
    assert differences(load(file), load(file, ["training.epochs=4"])) == [
        "training.epochs: 3 in the run, 4 now"
    ]


def test_a_config_made_in_python_is_resolved_too() -> None:
    source = {"path": ["/a"], "format": "sequence"}
    config = Config.model_validate({"data": {"train": source}, "output": "/runs/x"})
    resolved = resolve(config)
    assert resolved.sampler is not None
    assert resolved.sampler.type == "unigram"
    assert resolved.output == "/runs/x"
