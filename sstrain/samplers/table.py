"""The table of proposals with a fixed q: a new one is one file and one line here."""

from sstrain.samplers.file import File
from sstrain.samplers.fixed import FixedProposal
from sstrain.samplers.log_uniform import LogUniform
from sstrain.samplers.uniform import Uniform
from sstrain.samplers.unigram import Unigram

__all__ = ["FIXED"]

#: Each may be a part of a mixture too.
FIXED: dict[str, type[FixedProposal]] = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
    "unigram": Unigram,
    "file": File,
}
