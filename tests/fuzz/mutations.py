"""Inputs that are nearly valid: small changes of valid files, a pure function of the generator."""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from random import Random

__all__ = [
    "Mutate",
    "mutated",
    "mutated_archive",
    "mutated_bytes",
    "members_of",
    "packed",
    "replace_member",
]

#: Makes an input from valid files.
Mutate = Callable[[Random, Sequence[bytes]], bytes]

_MOST_CHANGES = 8
_LONGEST = 1 << 17

_DELIMITERS = b" \t\n\r,:|#'^\"/;-+._e=@*\0\v\f\xff\xc3\x80\xe2"
_ENDS = frozenset(b" \t\n\r,:|#'\"")

_TOKENS = (
    *(b"0", b"-0", b"1", b"-1", b"+1", b"007", b"1.0", b"3.5", b".5", b"5.", b".", b"1e400"),
    *(b"-1e400", b"1e-400", b"1e38", b"3.5e38", b"1e", b"1e+", b"e5", b"0x10", b"1_000"),
    *(b"nan", b"NaN", b"-nan", b"inf", b"-Infinity", b"1000000000000", b"2147483647"),
    *(b"2147483648", b"4294967296", b"9007199254740993", b"9223372036854775807"),
    *(b"9223372036854775808", b"999999999999999999", b"1000000000000000000", b"1" * 40),
    *(b"0" * 40 + b"7", b"0." + b"0" * 60 + b"1", b"1" * 400, b"0.1e-44", b"16777217"),
    *(b"", b" ", b"  ", b"\t", b"\t\t", b":", b"::", b",", b",,", b"|", b"||", b"| |", b"#", b"'"),
    *(b"'''", b"\0", b"\r", b"\r\n", b"\n", b"\n\n", b"\n\r\n", b"\v", b"\f", b"\x1c", b"\x85"),
    *(b"\xff", b"\xc3", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80"),
    *(b"\xef\xbb\xbf", b"\xc0\x80", b"qid:1", b"qid:", b"__label__", b"__label__x", b'"', b'""'),
    *(b'"a,\nb"', b"1:1", b"0:0", b"-1:2", b"1:nan", b"1:", b":1", b"a:b:c", b"^", b"|a:2", b"|:1"),
)


def mutated(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Return a text with some changes of bytes, of tokens and of lines."""
    return _changed(random, seeds, _TEXT_CHANGES)


def mutated_bytes(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Return a binary file with some changes of bytes."""
    return _changed(random, seeds, _BYTE_CHANGES)


def mutated_archive(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Return a zip archive: its members changed and packed anew, or its own bytes changed.

    Parameters and the rest are those of `mutated`; a checksum that is wrong would hide a change.
    """
    if random.random() < 0.2:
        return mutated_bytes(random, seeds)
    members = members_of(random, seeds)
    name = random.choice(list(members))
    replace_member(random, members, name, mutated_bytes)
    return packed(members)


def packed(members: Mapping[str, bytes]) -> bytes:
    """Return files, by their names, as a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def members_of(random: Random, seeds: Sequence[bytes]) -> dict[str, bytes]:
    """Return the members of an archive, perhaps with those of another over them."""
    members: dict[str, bytes] = {}
    for seed in random.choices(seeds, k=random.choice((1, 1, 1, 2))):
        with zipfile.ZipFile(io.BytesIO(seed)) as archive:
            members |= {name: archive.read(name) for name in archive.namelist()}
    return members


def replace_member(random: Random, members: dict[str, bytes], name: str, mutate: Mutate) -> None:
    """Take a member away, give it the content of another one, or change it."""
    if random.random() < 0.1 and len(members) > 1:
        del members[name]
    elif random.random() < 0.1:
        members[name] = members[random.choice(list(members))]
    else:
        members[name] = mutate(random, [members[name]])


def _changed(random: Random, seeds: Sequence[bytes], changes: "Sequence[_Change]") -> bytes:
    data = random.choice(seeds)
    if random.random() < 0.2:
        other = random.choice(seeds)
        data = data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]
    for _ in range(min(int(random.expovariate(0.5)), _MOST_CHANGES)):
        data = random.choice(changes)(random, data)
    return data[:_LONGEST]


_Change = Callable[[Random, bytes], bytes]


def _stretch(random: Random, data: bytes) -> tuple[int, int]:
    """Return the bounds of a stretch of bytes, mostly a short one."""
    start = random.randint(0, len(data))
    return start, min(len(data), start + int(random.paretovariate(0.8)))


def _token(random: Random, data: bytes) -> tuple[int, int]:
    """Return the bounds of a token; it may be empty."""
    start = end = random.randint(0, len(data))
    while start > 0 and data[start - 1] not in _ENDS:
        start -= 1
    while end < len(data) and data[end] not in _ENDS:
        end += 1
    return start, end


def _line(random: Random, data: bytes) -> tuple[int, int]:
    """Return the bounds of a line, its end with it."""
    position = random.randint(0, len(data))
    end = data.find(b"\n", position) + 1
    return data.rfind(b"\n", 0, position) + 1, end or len(data)


_Bounds = Callable[[Random, bytes], tuple[int, int]]


def _deleting(bounds: _Bounds) -> _Change:
    def change(random: Random, data: bytes) -> bytes:
        start, end = bounds(random, data)
        return data[:start] + data[end:]

    return change


def _repeating(bounds: _Bounds) -> _Change:
    def change(random: Random, data: bytes) -> bytes:
        start, end = bounds(random, data)
        times = min(1 + int(random.paretovariate(0.7)), 1 + _LONGEST // (end - start + 1))
        return data[:start] + times * data[start:end] + data[end:]

    return change


def _moving(bounds: _Bounds) -> _Change:
    def change(random: Random, data: bytes) -> bytes:
        start, end = bounds(random, data)
        rest = data[:start] + data[end:]
        place = random.randint(0, len(rest))
        return rest[:place] + data[start:end] + rest[place:]

    return change


def _replacing(bounds: _Bounds) -> _Change:
    def change(random: Random, data: bytes) -> bytes:
        start, end = bounds(random, data)
        return data[:start] + random.choice(_TOKENS) + data[end:]

    return change


def _flip(random: Random, data: bytes) -> bytes:
    if not data:
        return data
    place = random.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]


def _set_byte(random: Random, data: bytes) -> bytes:
    place = random.randint(0, len(data))
    return data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]


def _insert_delimiter(random: Random, data: bytes) -> bytes:
    place = random.randint(0, len(data))
    times = random.choice((1, 1, 1, 2, 3, 100))
    return data[:place] + times * bytes([random.choice(_DELIMITERS)]) + data[place:]


def _insert_token(random: Random, data: bytes) -> bytes:
    place = random.randint(0, len(data))
    return data[:place] + random.choice(_TOKENS) + data[place:]


def _change_digit(random: Random, data: bytes) -> bytes:
    digits = [place for place, byte in enumerate(data[:4096]) if 48 <= byte < 58]
    if not digits:
        return data
    place = random.choice(digits)
    return data[:place] + b"%d" % random.randrange(10) + data[place + 1 :]


def _end_lines_by_return(random: Random, data: bytes) -> bytes:
    return data.replace(b"\n", random.choice((b"\r\n", b"\r\n", b"\r", b"\n\n", b" \n")))


def _cut(random: Random, data: bytes) -> bytes:
    return data[: random.randint(0, len(data))]


_BYTE_CHANGES: tuple[_Change, ...] = (
    *(_flip, _flip, _set_byte, _set_byte, _insert_token, _insert_delimiter, _change_digit),
    *(_change_digit, _cut, _deleting(_stretch), _repeating(_stretch), _moving(_stretch)),
)

_TEXT_CHANGES: tuple[_Change, ...] = (
    *(_flip, _set_byte, _insert_delimiter, _insert_delimiter, _insert_token, _insert_token),
    *(_change_digit, _end_lines_by_return, _cut, _replacing(_token), _replacing(_token)),
    *(_replacing(_token), _deleting(_token), _repeating(_token), _moving(_token)),
    *(_deleting(_line), _repeating(_line), _moving(_line), _deleting(_stretch)),
    *(_repeating(_stretch), _moving(_stretch)),
)
