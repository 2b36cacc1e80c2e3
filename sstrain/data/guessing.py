"""Which of the formats a file is in."""

from sstrain.data import FORMATS
from sstrain.data.base import Source
from sstrain.data.sample import Sample, sample_of
from sstrain.errors import UserError

__all__ = ["guess_format", "share_of"]

#: A file is in a format that so many of its first lines fit: a bad line among them is the format's
#: own to complain of.
_MOST = 0.9
#: Where more lines than this fit a format, the file is taken for nothing else.
_MANY = 0.5
#: Almost any text is lines of tokens, so that this is the answer only where no other fits.
_LAST_RESORT = "sequence"


def guess_format(path: str) -> str:
    """Return the format whose look a file's beginning has.

    Raises
    ------
    UserError
        If the file cannot be read, or several formats fit, or none.
    """
    sample = sample_of(path)
    shares = {name: share_of(source, sample) for name, (source, _) in FORMATS.items()}
    largest = max(shares.values())
    best = [name for name, share in shares.items() if share == largest]
    if largest <= _MANY and sample.is_text:
        return _LAST_RESORT
    if largest <= _MANY:
        raise UserError(
            f"{path}: its format cannot be told; found neither text in UTF-8 nor a known kind of "
            f"file; expected one of {', '.join(FORMATS)}"
        )
    if largest < _MOST:
        raise UserError(_doubt(path, sample, best))
    if len(best) > 1:
        raise UserError(
            f"{path}: its format cannot be told: it reads as {' and as '.join(best)}; give "
            f"format: {' or '.join(best)}"
        )
    return best[0]


def share_of(source: type[Source], sample: Sample) -> float:
    """Return the share of a file's first lines that fit a format, 1 if the file itself does."""
    if source.fits(sample):
        return 1.0
    lines = source.fitting_lines(sample)
    return sum(lines.values()) / max(len(lines), 1)


def _doubt(path: str, sample: Sample, best: list[str]) -> str:
    """Return the message where too many lines fit for another format, and too few for one."""
    lines = FORMATS[best[0]][0].fitting_lines(sample)
    wrong = next(line for line, fits in lines.items() if not fits)
    return (
        f"{path}: its format cannot be told: {sum(lines.values())} of {len(lines)} lines read as "
        f"{' or as '.join(best)}, line {wrong} does not; give format: "
        f"{' or '.join([*best, _LAST_RESORT])}"
    )
