"""``training.stages``: what a stage takes from the run, its mistakes, and its resolved form."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain.config import Config, differences, load, read_resolved, resolve, resolved_yaml
from sstrain.config.comparison_loading import load_comparison
from sstrain.config.stages import stage_configs
from sstrain.config.yaml import dump
from sstrain.errors import UserError

DATA = "data: {train: {path: a.txt, format: sequence}}\n"
RUN = f"""{DATA}\
sampler: {{type: unigram, power: 0.5, num_samples: 32, share: example}}
optimizer: {{type: sgd, learning_rate: 0.5, schedule: linear, warmup: 3 steps}}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "c.yaml"
    file.write_text(text)
    return file


def stages(folder: Path, *lines: str, run: str = RUN) -> tuple[Config, ...]:
    text = run + "training:\n  stages:\n" + "".join(f"  - {line}\n" for line in lines)
    return stage_configs(load(written(folder, text)))


def messages(folder: Path, text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        load(written(folder, text))
    return [message.replace(f"{folder}/", "") for message in caught.value.messages]


def test_what_a_stage_does_not_give_is_the_runs(tmp_path: Path) -> None:
    run = load(written(tmp_path, RUN + "training: {epochs: 2}\n"))
    first, more, exact = stages(
        tmp_path,
        "{epochs: 2}",
        "{epochs: 1, num_samples: 256}",
        "{epochs: 4, objective: {type: exact}, optimizer: {learning_rate: 0.1}}",
    )
    assert first == run
    assert run.sampler is not None
    assert more.sampler == run.sampler.model_copy(update={"num_samples": 256})
    assert more.training.epochs == 1
    assert (exact.objective.type, exact.sampler) == ("exact", None)
    assert exact.optimizer == run.optimizer.model_copy(update={"learning_rate": 0.1})


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("{power: 0.9}", ("unigram", 0.9, 32, "example")),
        ("{type: unigram}", ("unigram", 0.75, 32, "batch")),
        ("{type: uniform, num_samples: 8}", ("uniform", None, 8, "batch")),
        ("{num_samples: 8}", ("unigram", 0.5, 8, "example")),
    ],
)
def test_a_section_without_type_changes_keys_of_the_runs(
    stage: str, expected: tuple[Any, ...], tmp_path: Path
) -> None:
    (config,) = stages(tmp_path, f"{{epochs: 1, sampler: {stage}}}")
    sampler: Any = config.sampler
    found = (sampler.type, getattr(sampler, "power", None), sampler.num_samples, sampler.share)
    assert found == expected


def test_a_sampled_start_of_an_exact_run_may_have_its_sampler_from_the_run(tmp_path: Path) -> None:
    lines = "{epochs: 1, objective: {type: importance}}", "{epochs: 1}"
    sampled, exact = stages(tmp_path, *lines, run=RUN + "objective: {type: exact}\n")
    assert sampled.sampler is not None
    assert (sampled.sampler.num_samples, sampled.sampler.replacement) == (32, True)
    assert exact.sampler is None


def test_a_stages_number_of_samples_needs_no_sampler_of_the_run(tmp_path: Path) -> None:
    (config,) = stages(tmp_path, "{epochs: 1, num_samples: 7}", run=DATA)
    sampler: Any = config.sampler
    assert (sampler.type, sampler.power, sampler.num_samples) == ("unigram", 0.75, 7)


def test_the_runs_schedule_goes_on_unless_the_stage_gives_one(tmp_path: Path) -> None:
    goes_on, own, decayed = stages(
        tmp_path,
        "{epochs: 1, optimizer: {learning_rate: 0.25}}",
        "{epochs: 1, optimizer: {schedule: linear}}",
        "{epochs: 1, optimizer: {l2: 0.01}}",
    )
    optimizers = [stage.optimizer for stage in (goes_on, own, decayed)]
    assert [one.schedule for one in optimizers] == ["linear"] * 3
    assert [str(one.warmup) for one in optimizers] == ["3 steps", "0 steps", "3 steps"]
    assert [(one.l2, one.l2_interval) for one in optimizers] == [(0, None), (0, None), (0.01, 100)]


kinds = st.sampled_from(
    [
        {},
        {"num_samples": 5},
        {"objective": {"type": "exact"}},
        {"objective": {"accidental_hits": "keep"}},
        {"objective": {"type": "importance"}, "sampler": {"type": "uniform", "replacement": False}},
        {"sampler": {"type": "file", "path": "q.tsv"}},
    ]
)
optimizers = st.fixed_dictionaries(
    {},
    optional={
        "learning_rate": st.floats(1e-3, 1.0),
        "schedule": st.sampled_from(["constant", "linear"]),
        "l2": st.sampled_from([0.0, 1e-4]),
    },
)
some_stages = st.lists(
    st.builds(
        lambda epochs, kind, optimizer: {"epochs": epochs, "optimizer": optimizer} | kind,
        st.integers(1, 9),
        kinds,
        optimizers,
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None)
@given(some_stages, st.sampled_from([{}, {"objective": {"type": "importance"}}]))
def test_resolved_stages_are_whole_and_read_again_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, found: list[dict[str, Any]], run: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("stages")
    data = {"data": {"train": {"path": "a", "format": "sequence"}}}
    optimizer = {"l2": 1e-5, "l2_interval": 7, "schedule": "cosine"}
    text = dump({**data, **run, "optimizer": optimizer, "training": {"stages": found}})
    config = load(written(folder, text))
    other = folder / "elsewhere" / "config.yaml"
    other.parent.mkdir()
    other.write_text(resolved_yaml(config))
    assert read_resolved(other) == config == resolve(config)
    assert resolved_yaml(read_resolved(other)) == resolved_yaml(config)
    assert stage_configs(read_resolved(other)) == stage_configs(config)
    assert config.training.epochs == sum(stage["epochs"] for stage in found)
    for stage in config.training.stages or ():
        assert stage.objective is not None
        assert stage.objective.sampled == (stage.sampler is not None)
        assert stage.num_samples is None


def test_every_mistake_in_a_stage_has_its_place(tmp_path: Path) -> None:
    text = """\
data: {train: {path: a.txt, format: sequence}}
training:
  stages:
  - {epochs: 0}
  - sampler: {type: unigrm}
    epochs: 1
  - {epochs: 1, optimizer: {type: sgd}}
  - {epochs: 1, optimizer: {average_from: 1 epoch}}
  - {num_samples: 0}
  - 7
"""
    found = messages(tmp_path, text)
    assert found[0] == (
        "c.yaml:4 training.stages.0.epochs: out of range; got 0; expected a whole number from 1"
    )
    assert found[1].startswith(
        "c.yaml:5 training.stages.1.sampler.type: unknown type; got 'unigrm'; expected "
    )
    assert found[2].startswith("c.yaml:7 training.stages.2.optimizer.type: unknown key; got 'sgd'")
    assert found[3] == (
        "c.yaml:8 training.stages.3.optimizer.average_from: unknown key; got '1 epoch'; "
        "average_from is a key of optimizer"
    )
    assert found[4] == (
        "c.yaml:9 training.stages.4.epochs: missing; expected a whole number from 1"
    )
    assert found[5] == (
        "c.yaml:9 training.stages.4.num_samples: out of range; got 0; "
        "expected a whole number from 1"
    )
    assert found[6].startswith("c.yaml:10 training.stages.5: wrong type; got 7; expected ")
    assert len(found) == 7


def test_conflicts_are_told_of_each_stage_as_of_a_run(tmp_path: Path) -> None:
    text = """\
data: {train: {path: a.txt, format: sequence}}
optimizer: {learning_rate: 0.5}
training:
  epochs: 3
  stages:
  - {epochs: 1, objective: {type: exact}, sampler: {type: uniform}}
  - {epochs: 1, objective: {accidental_hits: resample}}
  - {epochs: 1, optimizer: {l2: 3.0}}
  - {epochs: 1, optimizer: {warmup: 3 steps}}
  - {epochs: 1, num_samples: 3, sampler: {type: uniform, num_samples: 4}}
  - {epochs: 1, num_samples: 3, objective: {type: exact}}
  - {epochs: 1, optimizer: {l2_interval: 3}}
"""
    assert messages(tmp_path, text) == [
        "c.yaml:4 training.epochs: the stages have 7 epochs together; got 3; "
        "remove the key: a run is as long as its stages",
        "c.yaml:6 training.stages.0.sampler: objective exact draws no samples; "
        'got {"type": "uniform"}; '
        "remove the section, or --set training.stages.0.sampler=null",
        "c.yaml:7 training.stages.1.objective.accidental_hits: candidates that a batch shares "
        "cannot leave out each example's target; got 'resample'; expected sampler.share: example",
        "c.yaml:8 training.stages.2.optimizer.l2: each step takes learning_rate * l2 = 1.5 of "
        "every weight away; got 3.0; expected less than 2 at this rate",
        "c.yaml:9 training.stages.3.optimizer.warmup: has no use without a schedule of the "
        "stage's own: the run's goes on; got '3 steps'; give schedule, or remove the key",
        "c.yaml:10 training.stages.4.num_samples: sampler.num_samples of the stage is 4; got 3; "
        "keep one of the two",
        "c.yaml:11 training.stages.5.num_samples: objective exact draws no samples; got 3; "
        "remove the key",
        "c.yaml:12 training.stages.6.optimizer.l2_interval: has no use without l2; got 3; "
        "give optimizer.l2 above 0, or remove the key",
    ]


def test_a_conflict_of_the_run_is_told_once_and_at_its_own_key(tmp_path: Path) -> None:
    text = RUN.replace("share: example", "share: batch") + (
        "objective: {accidental_hits: resample}\n"
        "training: {stages: [{epochs: 1}, {epochs: 1}, {epochs: 1, num_samples: 4}]}\n"
    )
    found = messages(tmp_path, text)
    assert [line.split(": ")[0] for line in found] == [
        "c.yaml:4 objective.accidental_hits",
        "c.yaml:5 training.stages.2.objective.accidental_hits",
    ]


def test_a_mistake_elsewhere_hides_no_conflict_of_a_stage(tmp_path: Path) -> None:
    text = RUN.replace("unigram", "unigrm") + (
        "frequency: 2\n"
        "training: {stages: [{epochs: 1, objective: {type: exact}, num_samples: 4}]}\n"
    )
    places = [line.split(": ")[0] for line in messages(tmp_path, text)]
    assert places == [
        "c.yaml:2 sampler.type",
        "c.yaml:4 frequency",
        "c.yaml:5 training.stages.0.num_samples",
    ]


def test_no_sampler_is_chosen_for_stages(tmp_path: Path) -> None:
    text = DATA + "sampler: {type: auto}\ntraining: {stages: [{epochs: 1}]}\n"
    assert messages(tmp_path, text) == [
        "c.yaml:2 sampler.type: auto chooses one sampler for a whole run, which stages are not "
        "trained by; got 'auto'; expected a sampler, as unigram"
    ]


def test_diagnostics_need_one_sampled_stage(tmp_path: Path) -> None:
    text = RUN + "diagnostics: {}\ntraining: {stages: [{epochs: 1, objective: {type: exact}}"
    assert load(written(tmp_path, text + ", {epochs: 1}]}\n")).diagnostics is not None
    assert messages(tmp_path, text + "]}\n") == [
        'c.yaml:2 sampler: no stage draws samples; got {"type": "unigram", "power": 0.5, '
        '"num_samples": 32, "share…; remove the section, or --set sampler=null',
        "c.yaml:4 diagnostics: objective exact samples no gradient to compare; got {}; "
        "remove the section, or --set diagnostics=null",
    ]


def test_differences_name_the_key_in_its_stage(tmp_path: Path) -> None:
    file = written(tmp_path, RUN + "training: {stages: [{epochs: 1}, {epochs: 2}]}\n")
    other = load(file, ["training.stages.1.num_samples=9"])
    assert differences(load(file), other) == [
        "training.stages.1.sampler.num_samples: 32 in the run, 9 now"
    ]


def test_the_stages_of_a_comparisons_base_play_no_part(tmp_path: Path) -> None:
    text = DATA.replace("}}", "}, validation: 0.1}")
    (tmp_path / "base.yaml").write_text(
        text + "training: {stages: [{epochs: 1}, {epochs: 3, objective: {type: exact}}]}\n"
    )
    grid = "base: base.yaml\nsamplers: [{type: uniform}]\nnum_samples: [4]\n"
    comparison = load_comparison(written(tmp_path, grid))
    assert comparison.base.training.stages is None
    assert comparison.budget is not None
    assert comparison.budget.epochs == 4
    assert comparison.cell(None, None, None, 1).training.stages is None
