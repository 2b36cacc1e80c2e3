"""One sequence of tokens a line: a verse, a sentence, a session. Every token is a target."""

from typing import Literal

from pydantic import Field

from sstrain.data.base import Fitting, Source


class Sequence(Source):
    """Next-token prediction from the tokens before it in the line."""

    format: Literal["sequence"] = "sequence"
    #: A regular expression that matches one token, or ``whitespace``.
    tokens: str = r"[\w']+"
    lowercase: bool = True
    #: How many of the previous tokens make up the bag.
    context: int = Field(10, ge=0)
    #: How many of the previous tokens are features of their own at each position.
    positions: int = Field(3, ge=0)


class SequenceFitting(Fitting):
    """What a sequence file fits to the training lines alone."""

    #: Tokens that training lines hold fewer times are no classes, but still features.
    min_count: int = Field(1, ge=1)
