"""Reads inputs that a fuzzer makes for the branches that they reach, kernels interpreted.

    /path/with/atheris/python tests/fuzz/fuzz_atheris.py --format NAME --inputs 100000

The Python needs ``atheris`` and this package. The first bytes of an input choose the options. A
finding ends the run with a traceback, and the input stands in a file ``crash-...``.
"""

import argparse
import os
import sys
import tempfile
import warnings
from pathlib import Path
from random import Random

# Read when numba is imported: kernels are then Python code, whose branches are seen.
os.environ["NUMBA_DISABLE_JIT"] = "1"

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

with atheris.instrument_imports(include=["sstrain"]):
    from sstrain import kernels
    from sstrain.data import FORMATS

    for kernel in dir(kernels):
        getattr(kernels, kernel)  # loads its module now, which is instrumented then

from subjects import SUBJECTS
from trials import check, trial_of

_OPTION_BYTES = 2
_LONGEST = 2048


def main() -> None:
    """Fuzz one format's reader."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", required=True, choices=sorted(SUBJECTS))
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    name = chosen.format
    assert SUBJECTS[name].format in FORMATS

    def read(data: bytes) -> None:
        options = Random(data[:_OPTION_BYTES])
        check(trial_of(name, options, data[_OPTION_BYTES:]))

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(SUBJECTS[name].seeds):
            for option in range(4):
                data = bytes([number, option]) + seed
                Path(corpus, f"{number}-{option}").write_bytes(data)
        # A hash is a product modulo 2^64, which NumPy warns of where it is not compiled.
        warnings.simplefilter("ignore", RuntimeWarning)
        limits = [f"-max_len={_LONGEST}", "-timeout=20", "-rss_limit_mb=2048"]
        arguments = [f"-runs={chosen.inputs}", f"-seed={chosen.seed}", *limits, corpus]
        atheris.Setup([sys.argv[0], *arguments], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
