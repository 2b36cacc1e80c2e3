"""The parser of Vowpal Wabbit's text against a plain one, on any bytes."""

import re
from decimal import Decimal

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sstrain import kernels

Feature = tuple[bytes, np.float32, bytes, np.float32]
Row = tuple[int, int | bytes | None, np.float32, list[Feature]]

_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_PIECES = [
    *(b" ", b"  ", b"|", b" | ", b"\t", b"\r", b":", b"'", b"a", b"b:2", b"c:.5", b"|n:2 ", b"-"),
    *(b"1", b"3.0", b"2.5", b"1e2", b"nan", b"-inf", b"Infinity", b",", b"1 | ", b"2 0.5 't|n "),
    *(b"x:1e31", b"y:-3e-2", b"1:2", b"0" * 20 + b"1", b"n" * 300, b"1 |"),
]
texts = st.lists(
    st.lists(st.sampled_from(_PIECES), max_size=12).map(b"".join) | st.binary(max_size=8),
    max_size=4,
).map(b"\n".join)


def parse(text: bytes, labelled: bool) -> tuple[list[Row], int | None]:
    """Return the rows, or the line of the first mistake, by the kernel."""
    lines, spaces = text.count(b"\n"), len(re.findall(rb"[ \t]", text))
    bars, colons = text.count(b"|"), text.count(b":")
    out = kernels.VwRows(
        lines=np.empty(lines, np.int64),
        indptr=np.empty(lines + 1, np.int64),
        labels=np.empty(lines, np.int64),
        label_starts=np.empty(lines, np.int64),
        label_ends=np.empty(lines, np.int64),
        weights=np.empty(lines, np.float32),
        namespace_starts=np.empty(bars, np.int64),
        namespace_ends=np.empty(bars, np.int64),
        scales=np.empty(bars, np.float32),
        namespaces=np.empty(spaces, np.int32),
        starts=np.empty(spaces, np.int64),
        ends=np.empty(spaces, np.int64),
        values=np.empty(spaces, np.float32),
        uncertain=np.empty((colons + lines, 3), np.int64),
    )
    result = kernels.parse_vw(np.frombuffer(text, np.uint8), labelled, out)
    mistakes = [result.position] if result.error else []
    for array, index, position in out.uncertain[: result.num_uncertain]:
        match = _NUMBER.match(text, position)
        assert match is not None
        if abs(float(match[0])) > (1e30, 1e30, 3e38)[array]:
            mistakes.append(int(position))
        with np.errstate(over="ignore"):
            (out.values, out.scales, out.weights)[array][index] = np.float32(float(match[0]))
    if mistakes:
        return [], text.count(b"\n", 0, min(mistakes))
    rows: list[Row] = []
    for row in range(result.num_rows):
        start, end = out.label_starts[row], out.label_ends[row]
        label = int(out.labels[row]) if start < 0 else text[start:end]
        features = []
        for entry in range(out.indptr[row], out.indptr[row + 1]):
            number = out.namespaces[entry]
            namespace = text[out.namespace_starts[number] : out.namespace_ends[number]]
            name = text[out.starts[entry] : out.ends[entry]]
            features.append((namespace, out.scales[number], name, out.values[entry]))
        rows.append((int(out.lines[row]), label if labelled else None, out.weights[row], features))
    return rows, None


def plain_parse(text: bytes, labelled: bool) -> tuple[list[Row], int | None]:
    rows: list[Row] = []
    for number, line in enumerate(text.split(b"\n")[:-1]):
        line = line.removesuffix(b"\r")
        try:
            if line.strip(b" \t"):
                label, weight, features = plain_row(line, labelled)
                rows.append((number, label, weight, features))
            elif not labelled:
                rows.append((number, None, np.float32(1), []))
        except ValueError:
            return [], number
    return rows, None


def plain_row(line: bytes, labelled: bool) -> tuple[int | bytes | None, np.float32, list[Feature]]:
    before, bar, after = line.partition(b"|")
    check(bar != b"")
    label, weight = plain_label(before) if labelled else (None, np.float32(1))
    features: list[Feature] = []
    for part in after.split(b"|"):
        head, *tokens = re.split(rb"[ \t]", part)
        namespace, colon, scale = head.partition(b":")
        check(len(namespace) <= 255 and b"\r" not in part and (namespace != b"" or colon == b""))
        factor = number_of(scale) if colon else np.float32(1)
        for token in filter(None, tokens):
            name, colon, value = token.partition(b":")
            check(name != b"")
            features.append((namespace, factor, name, number_of(value) if colon else np.float32(1)))
    return label, weight, features


def plain_label(before: bytes) -> tuple[int | bytes, np.float32]:
    check(b"\t" not in before and b"\r" not in before)
    tokens = [token for token in before.split(b" ") if token]
    if tokens and (not before.endswith(b" ") or tokens[-1].startswith(b"'")):
        tokens.pop()
    check(1 <= len(tokens) <= 2 and not tokens[0].startswith(b"'") and b":" not in tokens[0])
    check(not re.fullmatch(rb"(?i)[+-]?(nan|inf|infinity)", tokens[0]))
    label: int | bytes = tokens[0]
    if match := _NUMBER.match(tokens[0]):
        check(tokens[0][match.end() : match.end() + 1] != b",")
        if match.end() == len(tokens[0]):
            number = decimal_of(match[0])
            check(abs(number) <= 2**53 and number == int(number))
            label = int(number)
    weight = number_of(tokens[1], 3e38) if len(tokens) > 1 else np.float32(1)
    check(bool(weight >= 0))
    return label, weight


def decimal_of(token: bytes) -> Decimal:
    """Return a number whose exponent may be beyond what Decimal takes: it is 0, or no label."""
    mantissa, _, exponent = token.decode().lower().partition("e")
    return Decimal(mantissa).scaleb(max(-999, min(999, int(exponent or 0))))


def number_of(token: bytes, largest: float = 1e30) -> np.float32:
    check(_NUMBER.fullmatch(token) is not None)
    check(abs(float(token)) <= largest)
    return np.float32(float(token))


def check(right: bool) -> None:
    if not right:
        raise ValueError


@settings(max_examples=1500, deadline=None)
@given(texts, st.booleans())
@example(b"1e2000000000000000000001 | ", True)
@example(b"0e2000000000000000000001 | ", True)
@example(b"1e-2000000000000000000001 | ", True)
@example(b"1 2.5 'tag|ns:2 a:3 b a |x y:0 z|q\r\n\n3.0 | p\tq ", True)
@example(b"'t 2 | a", True)
@example(b"1 't 2 | a", True)
@example(b"1 2 3 | a", True)
@example(b"1|a b", True)
@example(b"1\t2 | a", False)
@example(b"a b", False)
@example(b"1 | a\rb", True)
def test_lines_are_parsed_as_plain_code_does(text: bytes, labelled: bool) -> None:
    text += b"\n"
    assert parse(text, labelled) == plain_parse(text, labelled)
