"""The messages that mistakes in a config get: exact, all at once, in the order of the file."""

from pathlib import Path

import pytest

from sstrain.config import load
from sstrain.errors import UserError

TRAIN = "data: {train: {path: a.txt, format: sequence}}\n"


def messages(folder: Path, text: str | bytes, *overrides: str) -> list[str]:
    """Return the messages of a config, with the folder's name cut off."""
    file = folder / "c.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UserError) as caught:
        load(file, overrides)
    return [message.replace(f"{folder}/", "") for message in caught.value.messages]


ONE_MISTAKE = {
    "unknown key": (
        "training: {epohcs: 3}",
        "c.yaml:2 training.epohcs: unknown key; got 3; did you mean 'epochs'?",
    ),
    "key of another section": (
        "training:\n  learning_rate: 0.1",
        "c.yaml:3 training.learning_rate: unknown key; got 0.1; "
        "learning_rate is a key of optimizer",
    ),
    "key of a section at the top": (
        "epochs: 3",
        "c.yaml:2 epochs: unknown key; got 3; epochs is a key of training",
    ),
    "key of the top in a section": (
        "training: {output: x}",
        "c.yaml:2 training.output: unknown key; got 'x'; output is a key of the top level",
    ),
    "key of another type": (
        "sampler: {type: uniform, codewords: 16}",
        "c.yaml:2 sampler.codewords: unknown key; got 16; codewords is a key of type: midx",
    ),
    "key like nothing": (
        "checkpoint: {frequency: 2}",
        "c.yaml:2 checkpoint.frequency: unknown key; got 2; expected every or keep",
    ),
    "key like nothing, null": (
        "checkpoint: {frequency: }",
        "c.yaml:2 checkpoint.frequency: unknown key; got null; expected every or keep",
    ),
    "key written as a path": (
        "checkpoint.keep: 1",
        "c.yaml:2 checkpoint.keep: unknown key; got 1; did you mean 'checkpoint'?",
    ),
    "unknown type": (
        "optimizer: {type: adagard}",
        "c.yaml:2 optimizer.type: unknown type; got 'adagard'; "
        "expected sgd, adagrad, rowwise_adagrad or adam; did you mean 'adagrad'?",
    ),
    "type that is no text": (
        "optimizer: {type: [sgd]}",
        'c.yaml:2 optimizer.type: unknown type; got ["sgd"]; '
        "expected sgd, adagrad, rowwise_adagrad or adam",
    ),
    "section written as its type": (
        "model: dense",
        "c.yaml:2 model: wrong type; got 'dense'; expected a section with type; "
        "did you mean {type: dense}?",
    ),
    "no section": (
        "training: 3",
        "c.yaml:2 training: wrong type; got 3; expected a section with "
        "epochs, batch_size, threads, log_every, patience or stages",
    ),
    "list for a section": (
        "checkpoint: [1]",
        "c.yaml:2 checkpoint: wrong type; got [1]; expected a section with every or keep",
    ),
    "no whole number": (
        "training: {epochs: 1.5}",
        "c.yaml:2 training.epochs: wrong type; got 1.5; expected a whole number from 1",
    ),
    "number as text": (
        "training: {epochs: '3'}",
        "c.yaml:2 training.epochs: wrong type; got '3'; expected a whole number from 1",
    ),
    "truth for a number": (
        "training: {epochs: true}",
        "c.yaml:2 training.epochs: wrong type; got true; expected a whole number from 1",
    ),
    "on is a text": (
        "sampler: {type: uniform, replacement: on}",
        "c.yaml:2 sampler.replacement: wrong type; got 'on'; expected true or false",
    ),
    "below the bound": (
        "optimizer: {type: sgd, learning_rate: 0}",
        "c.yaml:2 optimizer.learning_rate: out of range; got 0; expected a number above 0",
    ),
    "not finite": (
        "optimizer: {type: sgd, l2: .inf}",
        "c.yaml:2 optimizer.l2: out of range; got Infinity; expected a number from 0",
    ),
    "beyond 64 bits": (
        "seed: 99999999999999999999",
        "c.yaml:2 seed: out of range; got 99999999999999999999; "
        "expected a whole number from 0 below 9223372036854775808",
    ),
    "choice or number, neither": (
        "training: {threads: atuo}",
        "c.yaml:2 training.threads: unknown value; got 'atuo'; "
        "expected auto or a whole number from 1; did you mean 'auto'?",
    ),
    "choice or number, out of range": (
        "training: {threads: 0}",
        "c.yaml:2 training.threads: out of range; got 0; expected auto or a whole number from 1",
    ),
    "unknown choice": (
        "optimizer: {type: sgd, schedule: liner}",
        "c.yaml:2 optimizer.schedule: unknown value; got 'liner'; "
        "expected constant, linear, inverse_sqrt or cosine; did you mean 'linear'?",
    ),
    "span": (
        "evaluation: {every: 1 epok}",
        "c.yaml:2 evaluation.every: invalid value; got '1 epok'; "
        'expected "N epochs" or "N steps", N from 1',
    ),
    "span of nothing": (
        "evaluation: {every: 0 steps}",
        "c.yaml:2 evaluation.every: invalid value; got '0 steps'; "
        'expected "N epochs" or "N steps", N from 1',
    ),
    "span in the wrong unit": (
        "evaluation: {every: 5 minutes}",
        "c.yaml:2 evaluation.every: invalid value; got '5 minutes'; "
        'expected "N epochs" or "N steps", N from 1',
    ),
    "element of a list": (
        "evaluation:\n  top_k:\n  - 1\n  - 0",
        "c.yaml:5 evaluation.top_k.1: out of range; got 0; expected a whole number from 1",
    ),
    "no list": (
        "evaluation: {top_k: 5}",
        "c.yaml:2 evaluation.top_k: wrong type; got 5; expected a list, each a whole number from 1",
    ),
    "empty list": (
        "evaluation: {top_k: []}",
        "c.yaml:2 evaluation.top_k: empty; got []; expected a list, each a whole number from 1",
    ),
    "empty path": ("output: ''", "c.yaml:2 output: empty; got ''; expected a path"),
    "part of a mixture, type": (
        "sampler: {type: mixture, parts: [{weight: 1, type: unifrm}]}",
        "c.yaml:2 sampler.parts.0.type: unknown type; got 'unifrm'; "
        "expected uniform, log_uniform, unigram or file; did you mean 'uniform'?",
    ),
    "part of a mixture, drawing key": (
        "sampler:\n  type: mixture\n  parts:\n  - {weight: 1, type: uniform, num_samples: 3}",
        "c.yaml:5 sampler.parts.0.num_samples: unknown key; got 3; num_samples is a key of sampler",
    ),
    "part of a mixture, no type": (
        "sampler: {type: mixture, parts: [{weight: 1}]}",
        "c.yaml:2 sampler.parts.0.type: missing; expected uniform, log_uniform, unigram or file",
    ),
    "part of a mixture, no section": (
        "sampler: {type: mixture, parts: [uniform]}",
        "c.yaml:2 sampler.parts.0: wrong type; got 'uniform'; "
        "expected a section with weight and type",
    ),
    "missing key of a part": (
        "sampler:\n  type: mixture\n  parts:\n  - type: file\n    weight: 2",
        "c.yaml:5 sampler.parts.0.path: missing; expected a path",
    ),
    "long value": (
        f"training: {{threads: {'x' * 100}}}",
        f"c.yaml:2 training.threads: unknown value; got '{'x' * 58}…; "
        "expected auto or a whole number from 1",
    ),
    "key given twice": (
        "seed: 1\nseed: 2",
        "c.yaml:3 seed: given twice; line 2 has it already; keep one",
    ),
    "sampler of exact": (
        "objective: {type: exact}\nsampler: {type: uniform}",
        'c.yaml:3 sampler: objective exact draws no samples; got {"type": "uniform"}; '
        "remove the section, or --set sampler=null",
    ),
    "resampling shared candidates": (
        "objective: {type: importance, accidental_hits: resample}",
        "c.yaml:2 objective.accidental_hits: candidates that a batch shares cannot leave out each "
        "example's target; got 'resample'; expected sampler.share: example",
    ),
    "interval of no decay": (
        "optimizer: {type: sgd, l2_interval: 5}",
        "c.yaml:2 optimizer.l2_interval: has no use without l2; got 5; "
        "give optimizer.l2 above 0, or remove the key",
    ),
    "patience without validation": (
        "training: {patience: 2}",
        "c.yaml:2 training.patience: has no use without a validation split; got 2; "
        "give data.validation, or remove the key",
    ),
}


@pytest.mark.parametrize(("text", "message"), ONE_MISTAKE.values(), ids=ONE_MISTAKE.keys())
def test_one_mistake_gets_one_message(tmp_path: Path, text: str, message: str) -> None:
    assert messages(tmp_path, f"{TRAIN}{text}\n") == [message]


DATA = {
    "nothing": ("", ["c.yaml:1: empty; expected a config with the key data"]),
    "comments": ("# a\n# b\n", ["c.yaml:1: empty; expected a config with the key data"]),
    "list": ("- a\n", ['c.yaml:1: no mapping; got ["a"]; expected a config with the key data']),
    "no data": ("\nseed: 1\n", ["c.yaml:2 data: missing; expected a section with train"]),
    "null data": ("data:\n", ["c.yaml:1 data: missing; expected a section with train"]),
    "no train": (
        "data:\n  split_seed: 1\n",
        ["c.yaml:1 data.train: missing; expected a section with path and format"],
    ),
    "no path": (
        "data:\n  train:\n    format: svmlight\n",
        ["c.yaml:2 data.train.path: missing; expected a path or a list of paths"],
    ),
    "no format, told once": (
        "data:\n  train: {path: a}\n  validation: {path: b}\n",
        ["c.yaml:2 data.train.path: a: no such file"],
    ),
    "unknown format, told once": (
        "data:\n  test: {path: b}\n  train: {path: a, format: sequenc}\n",
        [
            "c.yaml:3 data.train.format: unknown format; got 'sequenc'; "
            "expected sequence, text, svmlight, xc, "
            "fasttext, vw, npz, table or store; did you mean 'sequence'?"
        ],
    ),
    "inherited mistake, told once": (
        "data:\n  test: {path: b}\n  train: {path: a, format: sequence, lowercase: 1}\n",
        ["c.yaml:3 data.train.lowercase: wrong type; got 1; expected true or false"],
    ),
    "source as its path": (
        "data: {train: a.txt}\n",
        ["c.yaml:1 data.train: wrong type; got 'a.txt'; expected a section with path and format"],
    ),
    "element of paths": (
        "data:\n  train: {path: [a, 3], format: svmlight}\n",
        ["c.yaml:2 data.train.path.1: wrong type; got 3; expected a path"],
    ),
    "no paths": (
        "data: {train: {path: [], format: svmlight}}\n",
        ["c.yaml:1 data.train.path: empty; got []; expected a path or a list of paths"],
    ),
    "fraction or source, neither": (
        "data:\n  train: {path: a, format: svmlight}\n  validation: b.txt\n",
        [
            "c.yaml:3 data.validation: wrong type; got 'b.txt'; "
            "expected a number above 0 below 1, or a section with path and format"
        ],
    ),
    "fraction or source, out of range": (
        "data:\n  train: {path: a, format: svmlight}\n  validation: 1.0\n",
        [
            "c.yaml:3 data.validation: out of range; got 1.0; "
            "expected a number above 0 below 1, or a section with path and format"
        ],
    ),
    "what is fitted belongs to train": (
        "data:\n  train: {path: a, format: sequence}\n"
        "  validation: {path: b, min_count: 2, min_feature_count: 3}\n",
        [
            "c.yaml:3 data.validation.min_count: unknown key; got 2; "
            "min_count is a key of data.train",
            "c.yaml:3 data.validation.min_feature_count: unknown key; got 3; "
            "min_feature_count is a key of data.train",
        ],
    ),
    "all is held out": (
        "data:\n  train: {path: a, format: svmlight}\n  test: 0.5\n  validation: 0.5\n",
        [
            "c.yaml:3 data.test: validation and test hold out 1 of the lines, and leave none to "
            "train on; got 0.5; expected a sum below 1"
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), DATA.values(), ids=DATA.keys())
def test_mistakes_about_data(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert messages(tmp_path, text) == expected


def test_three_mistakes_at_once(tmp_path: Path) -> None:
    text = """\
        seed: one
        data:
          train: {path: a.txt, format: sequence}
        optimizer:
          typ: sgd
        training:
          epochs: 0
        """
    lines = [line.removeprefix(" " * 8) for line in text.splitlines()]
    assert messages(tmp_path, "\n".join(lines)) == [
        "c.yaml:1 seed: wrong type; got 'one'; "
        "expected a whole number from 0 below 9223372036854775808",
        "c.yaml:5 optimizer.typ: unknown key; got 'sgd'; did you mean 'type'?",
        "c.yaml:7 training.epochs: out of range; got 0; expected a whole number from 1",
    ]


def test_every_kind_of_mistake_at_once(tmp_path: Path) -> None:
    """What a mistake in one section must not hide in another, on the file and off it."""
    text = (
        "data: {train: {path: a, format: svmlight, index_base: 2}, validation: x, tset: 1}\n"
        "objective: {type: exact}\n"
        "sampler: {type: mixture, parts: [{weight: 0, type: uniform}, 3]}\n"
        "optimizer: {type: sgd, l2_interval: 2}\n"
        "seed: 1\n"
        "seed: 2\n"
    )
    found = messages(tmp_path, text, "training.epochs=0", "nonsense", "checkpoint=[")
    assert [message.partition(": ")[0] for message in found] == [
        "c.yaml:1 data.train.index_base",
        "c.yaml:1 data.validation",
        "c.yaml:1 data.tset",
        "c.yaml:3 sampler",
        "c.yaml:3 sampler.parts.0.weight",
        "c.yaml:3 sampler.parts.1",
        "c.yaml:4 optimizer.l2_interval",
        "c.yaml:6 seed",
        "--set training.epochs",
        "--set",
        "--set checkpoint",
    ]


def test_a_shared_value_is_reported_once_but_two_options_each(tmp_path: Path) -> None:
    text = f"{TRAIN}evaluation: &x {{every: x}}\ncheckpoint: {{every: x}}\n"
    assert len(messages(tmp_path, text)) == 2
    assert len(messages(tmp_path, TRAIN, "training.epochs=0", "training.batch_size=0")) == 2


def test_what_a_wrong_section_is_part_of_is_not_checked(tmp_path: Path) -> None:
    """Patience needs a validation split; a split with a mistake of its own is one all the same."""
    text = "data: {train: {path: a, format: svmlight}, validation: 3}\ntraining: {patience: 1}\n"
    assert [m.partition(":")[2][:17] for m in messages(tmp_path, text)] == ["1 data.validation"]


def test_files_that_are_no_config(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^nothing\.yaml: cannot read the config: No such file"):
        load("nothing.yaml")
    with pytest.raises(UserError, match=r"cannot read the config: Is a directory$"):
        load(tmp_path)
    assert messages(tmp_path, b"a: 1\nb: \xe9\n") == [
        "c.yaml:2: not UTF-8; got byte 0xe9; expected a YAML file"
    ]
    assert messages(tmp_path, b"x" * 300_000) == [
        "c.yaml: more than 256 KiB; too large for a config; expected a YAML file"
    ]


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + TRAIN.replace("\n", "\r\n").encode() + b"seed: 7\r\n")
    assert load(file).seed == 7
