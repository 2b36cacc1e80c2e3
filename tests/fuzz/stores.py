"""Stores as inputs, and changes of them: each is a folder, packed as a zip archive."""

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from mutations import Mutate, members_of, mutated, mutated_bytes, packed, replace_member
from pydantic import TypeAdapter

from sstrain.data import TrainSource
from sstrain.data.storing import convert_to_store

__all__ = ["mutated_store", "stores_of", "unpack"]

_JSON_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        31,
        -1,
        2**53 + 1,
        10**400,
        1.0,
        1.5,
        float("nan"),
        "",
        "x",
        "\ud800",
    ),
    *(
        "standard",
        "\x1b[2J",
        5000 * "x",
        [],
        [[]],
        ["a*b"],
        {},
        {"": 1},
        {"a": "text"},
        {"a": None},
    ),
)


def stores_of(contents: Sequence[tuple[bytes, Mapping[str, Any]]]) -> list[bytes]:
    """Return the stores that are made of some files.

    Parameters
    ----------
    contents : sequence of (bytes, mapping)
        What is in a file, and the keys to read it with.
    """
    seeds = []
    source_type: TypeAdapter[TrainSource] = TypeAdapter(TrainSource)
    with tempfile.TemporaryDirectory() as folder:
        file, store = Path(folder, "file"), Path(folder, "store")
        for content, keys in contents:
            file.write_bytes(content)
            source = source_type.validate_python({"path": [str(file)], **keys})
            convert_to_store(source, store, lambda note: None)
            paths = [path for path in sorted(store.rglob("*")) if path.is_file()]
            seeds.append(
                packed({str(path.relative_to(store)): path.read_bytes() for path in paths})
            )
            shutil.rmtree(store)
    return seeds


def unpack(data: bytes, folder: Path) -> None:
    """Make a folder of a packed store; an empty one of what is no archive."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(folder)
    except zipfile.BadZipFile:
        return


def mutated_store(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Return a store, packed, with some of its files changed; its manifest mostly agrees."""
    members = members_of(random, seeds)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        name = random.choice(list(members))
        mutate: Mutate = mutated
        if name.endswith(".npy"):
            mutate = random.choice((mutated_bytes, _other_type, _other_elements, _other_elements))
        elif name.endswith(".json"):
            mutate = random.choice((mutated, _other_value, _other_value))
        replace_member(random, members, name, mutate)
    if random.random() < 0.95:
        _mend(members)
    return packed(members)


def _mend(members: dict[str, bytes]) -> None:
    """Write into a store's manifest, if it is one, the sizes that the files have."""
    try:
        manifest = json.loads(members["manifest.json"])
        for name, record in manifest["files"].items():
            record["bytes"] = len(members[name])
        members["manifest.json"] = json.dumps(manifest).encode()
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return


def _other_value(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Return a JSON object in which something, at any depth, is another value or is missing."""
    try:
        part = content = json.loads(random.choice(seeds))
    except ValueError:
        return mutated(random, seeds)  # as something was changed before
    while True:
        key = random.choice(list(part))
        if not isinstance(part[key], dict) or not part[key] or random.random() < 0.3:
            break
        part = part[key]
    if random.random() < 0.2:
        del part[key]
    else:
        part[key] = random.choice(_JSON_VALUES)
    if random.random() < 0.2:
        part[random.choice(("hash_bits", "index_base", "columns", "\x1b[2J", "../x"))] = 2
    return json.dumps(content).encode()


def _other_type(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Return an array whose header names another type."""
    data = random.choice(seeds)
    types = (b"<i4", b"<i8", b"<f4", b"<f8", b">i4", b">i8", b"<u4", b"|i1", b"|O", b"<U1", b"|V4")
    old = next((kind for kind in types[:4] if kind in data), b"<i4")
    return data.replace(old, random.choice(types), 1)


def _other_elements(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Return an array of which some elements are other numbers, or are missing or too many."""
    data = random.choice(seeds)
    head, elements = data[:128], bytearray(data[128:])
    width = 8 if b"<i8" in head else 4
    for _ in range(random.choice((1, 1, 2, 3))):
        number = random.choice((-1, 0, 1, 2, 3, 2**31 - 1, 2**63 - 1, -(2**63), 10**12))
        place = width * random.randint(0, len(elements) // width)
        elements[place : place + width] = (number % 2 ** (8 * width)).to_bytes(width, "little")
    length = len(elements) // width
    if random.random() < 0.5:
        start = head.find(b"(")
        end = head.find(b",", start)
        if 0 <= start < end:
            head = head[: start + 1] + b"%d" % length + head[end:]
            head = head[:127].rstrip(b"\n").ljust(127) + b"\n"
    return head + bytes(elements)
