"""Which of the formats a file is in."""

from sstrain.data import FORMATS
from sstrain.data.sample import sample_of
from sstrain.errors import UserError

__all__ = ["guess_format"]

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
    fitting = [name for name, (source, _) in FORMATS.items() if source.fits(sample)]
    if len(fitting) > 1 and _LAST_RESORT in fitting:
        fitting.remove(_LAST_RESORT)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UserError(
            f"{path}: its format cannot be told: it reads as {' and as '.join(fitting)}; give "
            f"format: {' or '.join(fitting)}"
        )
    raise UserError(
        f"{path}: its format cannot be told; found neither text in UTF-8 nor a known kind of "
        f"file; expected one of {', '.join(FORMATS)}"
    )
