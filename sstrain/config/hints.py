"""What a user may have meant by a key or value that does not exist."""

import difflib
from collections.abc import Iterator, Sequence

from sstrain.config.sections import Config, Stage
from sstrain.config.shapes import any_of, element, sections, tags
from sstrain.config.tree import Key, dotted
from sstrain.section import Section

__all__ = ["about_key", "closest"]


def closest(word: object, known: Sequence[object]) -> str:
    """Return ``did you mean 'x'?`` for the known word that is most like the one given, or ''."""
    found = difflib.get_close_matches(str(word), [str(other) for other in known], n=1)
    return f"did you mean {found[0]!r}?" if found else ""


def about_key(
    name: str,
    section: type[Section],
    siblings: Sequence[type[Section]],
    root: type[Section] = Config,
) -> str:
    """Return what may be meant by a key that a section has not.

    Parameters
    ----------
    name : str
        The unknown key.
    section : type of Section
        The section that it was given to.
    siblings : sequence of type of Section
        The sections that may stand in the same place, the given one among them.
    root : type of Section
        The whole config, whose other sections may have the key.
    """
    owners = [tag for other in siblings if name in other.model_fields for tag in tags(other)]
    if owners:
        return f"{name} is a key of {section.discriminator}: {any_of(owners)}"
    known = list(section.model_fields)
    hints = [closest(name, known)]
    homes = sorted({dotted(key) for key in _homes(name, root, ())})
    if name in root.model_fields:
        homes = ["the top level"]
    if homes:
        hints.append(f"{name} is a key of {any_of(homes)}")
    return "; ".join(filter(None, hints)) or f"expected {any_of(known)}"


def _homes(name: str, section: type[Section], key: Key) -> Iterator[Key]:
    """Yield the sections that have a key of this name, wherever they stand in a config."""
    if name in section.model_fields:
        yield key
    for field_name, field in section.model_fields.items():
        inner = [*sections(field.annotation), *sections(element(field.annotation))]
        # A stage's keys are those of other sections.
        for other in inner if Stage not in inner else ():
            yield from _homes(name, other, (*key, field_name))
