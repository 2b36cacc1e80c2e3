"""The svmlight parser against a plain one, on any bytes, and its numbers against float()."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sstrain import kernels

Row = tuple[int, list[int], list[tuple[int, np.float32]]]
Parsed = tuple[list[Row], int | None]

_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


OPTIONS = kernels.SvmlightOptions(
    labelled=True,
    one_label=True,
    all_labels=False,
    unlabelled_rows=False,
    lowest_index=0,
    highest_index=10**18 - 1,
    lowest_label=-(2**53),
    highest_label=2**53,
)


def parse(text: bytes, options: kernels.SvmlightOptions = OPTIONS) -> Parsed:
    """Return the rows (line, labels, features) and the line of the first mistake, by the kernel."""
    num_lines, num_colons = text.count(b"\n"), text.count(b":")
    out = kernels.SvmlightRows(
        starts=np.empty(num_lines + 1, np.int64),
        lines=np.empty(num_lines, np.int64),
        label_starts=np.empty(num_lines + 1, np.int64),
        labels=np.empty(num_lines + options.all_labels * text.count(b","), np.int64),
        indices=np.empty(num_colons, np.int64),
        values=np.empty(num_colons, np.float32),
        uncertain=np.empty((num_colons, 2), np.int64),
    )
    result = kernels.parse_svmlight(np.frombuffer(text, np.uint8), options, out)
    if result.error:
        return [], text.count(b"\n", 0, result.position)
    for entry, position in out.uncertain[: result.num_uncertain]:
        token = re.match(rb"[^ \t\r\n#]*", text[position:])
        assert token is not None
        out.values[entry] = float32(token[0])
    rows = []
    for row in range(result.num_rows):
        part = slice(out.starts[row], out.starts[row + 1])
        features = list(zip(out.indices[part].tolist(), out.values[part], strict=True))
        labels = out.labels[out.label_starts[row] : out.label_starts[row + 1]].tolist()
        rows.append((int(out.lines[row]), labels, features))
    if any(np.isinf(value) for _, _, features in rows for _, value in features):
        return [], 0  # an uncertain value, in a text of one line
    return rows, None


def float32(token: bytes) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(float(token))


def plain_parse(text: bytes, options: kernels.SvmlightOptions = OPTIONS) -> Parsed:
    """Return the same, by splitting."""
    rows: list[Row] = []
    for number, line in enumerate(text[:-1].split(b"\n")):
        content = line.removesuffix(b"\r").partition(b"#")[0]
        joined = re.sub(rb",[ \t]+", b",", content)  # 3, 7 is 3,7
        tokens = [token for token in re.split(rb"[ \t]", content) if token]
        is_empty_row = options.unlabelled_rows and content == line.removesuffix(b"\r") != b""
        if not tokens and options.labelled and not is_empty_row:
            continue
        try:
            labels, tokens = plain_labels(tokens, joined, options)
            features = [plain_feature(t, options) for t in tokens if not t.startswith(b"qid:")]
            if len({index for index, _ in features}) < len(features):
                raise ValueError
        except ValueError:
            return [], number
        rows.append((number, labels, features))
    return rows, None


def plain_labels(
    tokens: list[bytes], joined: bytes, options: kernels.SvmlightOptions
) -> tuple[list[int], list[bytes]]:
    """Return the labels, and the tokens that follow them."""
    if not options.labelled:
        while tokens and b":" not in tokens[0]:
            if not tokens.pop(0).endswith(b","):
                break
        return [], tokens
    if options.unlabelled_rows and (not tokens or b":" in tokens[0]):
        return [], tokens
    tokens = [token for token in re.split(rb"[ \t]", joined) if token]
    labels = [plain_label(label, options) for label in tokens.pop(0).split(b",")]
    if options.one_label and len(set(labels)) > 1:
        raise ValueError
    return labels if options.all_labels else labels[:1], tokens


def plain_label(token: bytes, options: kernels.SvmlightOptions) -> int:
    if not _NUMBER.fullmatch(token):
        raise ValueError
    mantissa, _, exponent = token.lower().partition(b"e")
    exact = Decimal(mantissa.decode()).scaleb(max(-999, min(999, int(exponent or 0))))
    label = 0
    if exact:
        if exact.adjusted() >= 20 or abs(exact) > 2**53 or exact != int(exact):
            raise ValueError
        label = int(exact)
    if not options.lowest_label <= label <= options.highest_label:
        raise ValueError
    return label


def plain_feature(token: bytes, options: kernels.SvmlightOptions) -> tuple[int, np.float32]:
    index, colon, value = token.partition(b":")
    if not (colon and re.fullmatch(rb"\d{1,18}", index) and _NUMBER.fullmatch(value)):
        raise ValueError
    if not options.lowest_index <= int(index) <= options.highest_index:
        raise ValueError
    return int(index), float32(value)


number_texts = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.from_regex(r"[+-]?[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True).filter(
        lambda text: _NUMBER.fullmatch(text.encode()) is not None
    ),
)


@settings(max_examples=600, deadline=None)
@given(number_texts)
@example("16777217")  # halfway between two float32
@example("16777217.000000000000000000000001")
@example("1.00000017881393432617187499")
@example("3.4028235677973362e38")  # rounds to the largest float32
@example("7.006492321624085e-46")  # halfway between 0 and the smallest
@example("1e-46")
@example("0." + "0" * 400 + "1")
@example("0e99999999999999999999")
@example("-0")
@example("123456789012345678901234567890e-30")
def test_values_are_float64_rounded_to_float32(text: str) -> None:
    expected = float32(text.encode())
    rows, mistake = parse(f"1 1:{text}\n".encode())
    if np.isinf(expected):
        assert mistake is not None
    else:
        assert rows[0][2][0][1] == expected


@pytest.mark.parametrize("text", ["3.4028235677973366e38", "1e39", "-1e99", "1e400", "9" * 60])
def test_values_beyond_float32_are_refused(text: str) -> None:
    assert parse(f"1 1:{text}\n".encode())[1] is not None


@settings(max_examples=600, deadline=None)
@given(number_texts)
@example("3.0")
@example("+3")
@example("3e0")
@example("300e-2")
@example(".3e1")
@example("-0.0")
@example("9007199254740992")
@example("9007199254740993")
@example("9007199254740992.0000000000000000001")
@example("1.00000000000000000001")
@example("1" + "0" * 40 + "e-40")
@example("1e0000000000000000")
@example("1e-9999999999999")
def test_labels_are_whole_numbers_in_every_spelling(text: str) -> None:
    mantissa, _, exponent = text.lower().partition("e")
    rows, mistake = parse(f"{text}\n".encode())
    if abs(int(exponent or 0)) > 1000:
        assert (mistake is None) == (float(mantissa) == 0)
        return
    exact = Fraction(text)
    if exact.denominator == 1 and abs(exact) <= 2**53:
        assert rows == [(0, [int(exact)], [])]
    else:
        assert mistake == 0


small_numbers = number_texts.filter(lambda text: abs(float(text)) < 1e38)
tokens = st.one_of(
    st.tuples(st.integers(0, 12), small_numbers).map(lambda pair: f"{pair[0]}:{pair[1]}"),
    st.sampled_from(["qid:7", "#", "# 1:2", "1:", ":1", "a:1", "-1:1", "1:nan", "1:1e", "1:1:1"]),
    st.sampled_from(["1:0x1", "1:1_0", "1", "nan", "1,2", "\x00", "١:1", "9999999999999999999:1"]),
)
label_lists = st.sampled_from(["3", "3,7", "7, 3,\t7", "3,3", "3,", ",3", "-1,2", "4 ,7", "", " "])
lines = st.tuples(label_lists, st.lists(tokens, max_size=4)).map(
    lambda parts: "  ".join([parts[0], *parts[1]])
)
endings = st.sampled_from(["\n", "\r\n", " \t\n", "\r\r\n"])
texts = st.lists(st.tuples(lines, endings), min_size=1, max_size=4).map(
    lambda pairs: "".join(line + end for line, end in pairs).encode()
)
any_bytes = st.lists(
    st.sampled_from(
        [b"1", b"9", b":", b" ", b"\t", b"\n", b"\r", b"#", b"-", b".", b"e", b",", b"qid:"]
    ),
    max_size=40,
).map(lambda parts: b"".join(parts) + b"\n")


options = st.builds(
    kernels.SvmlightOptions,
    labelled=st.booleans(),
    one_label=st.just(False),
    all_labels=st.booleans(),
    unlabelled_rows=st.booleans(),
    lowest_index=st.sampled_from([0, 1]),
    highest_index=st.sampled_from([9, 10**18 - 1]),
    lowest_label=st.sampled_from([0, -(2**53)]),
    highest_label=st.sampled_from([4, 2**53]),
)


@settings(max_examples=800, deadline=None)
@given(text=st.one_of(texts, any_bytes), options=options, one_label=st.booleans())
def test_the_parser_agrees_with_a_plain_one(
    text: bytes, options: kernels.SvmlightOptions, one_label: bool
) -> None:
    options = options._replace(one_label=one_label and not options.all_labels)
    assert parse(text, options) == plain_parse(text, options)


def test_a_long_row_in_no_order_keeps_its_features() -> None:
    indices = np.random.default_rng(0).permutation(5000)
    text = "1 " + " ".join(f"{i}:{i + 0.5}" for i in indices) + "\n"
    rows, mistake = parse(text.encode())
    assert mistake is None
    assert rows[0][2] == [(i, np.float32(i + 0.5)) for i in indices.tolist()]
    assert parse(text.replace("\n", " 77:1\n").encode())[1] == 0
