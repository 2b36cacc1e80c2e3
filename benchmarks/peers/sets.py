"""The sets: two svmlight files each, and their arrays, made once."""

from pathlib import Path
from typing import TextIO

import numpy as np

from peers import examples

#: Where the files of a set lie under the data folder.
FILES = {
    "kjv": ("kjv/kjv.train.svm.gz", "kjv/kjv.test.svm.gz"),
    "novels": ("novels/mid.train.svm.gz", "novels/mid.test.svm.gz"),
    "placenames": ("placenames/pn.train.svm.gz", "placenames/pn.test.svm.gz"),
}
TITLES = {
    "kjv": "KJV: next word, King James Bible",
    "novels": "mid: next word, two novels",
    "placenames": "large: a place's name in any script to its city",
}
ROOT = Path(__file__).parent.parent.parent


def write_quick(folder: Path) -> tuple[Path, Path]:
    """Write the King James Bible as configs/quickstart.yaml reads it, a tenth held out.

    A test row whose label training lacks has the label V, which is no class.
    """
    from sstrain.config.loading import load
    from sstrain.data.loading import read_splits
    from sstrain.data.storage import InMemory

    files = folder / "train.svm", folder / "test.svm"
    config_file = ROOT / "configs" / "quickstart.yaml"
    overrides = ["data.validation=null", "data.test=0.1"]
    config = load(config_file, overrides)
    sources = [config_file, *map(Path, config.data.train.files())]
    newest = max(source.stat().st_mtime for source in sources)
    if not all(file.exists() and file.stat().st_mtime > newest for file in files):
        folder.mkdir(parents=True, exist_ok=True)
        splits = read_splits(config.data, lambda note: None, InMemory())
        assert splits.test is not None
        for file, split in zip(files, (splits.train, splits.test), strict=True):
            unknown = splits.vocabulary.num_classes
            targets = np.where(split.targets < 0, unknown, split.targets)
            with file.open("w") as target:
                write_rows(target, targets, split.indptr, split.indices, split.values)
    return files


def write_rows(
    file: TextIO,
    targets: np.ndarray,
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
) -> None:
    """Write CSR rows as svmlight lines."""
    pairs = [f"{i}:{v:g}" for i, v in zip(indices.tolist(), values.tolist(), strict=True)]
    for target, low, high in zip(targets.tolist(), indptr[:-1], indptr[1:], strict=True):
        file.write(" ".join([str(target), *pairs[low:high]]) + "\n")


def prepare(files: tuple[Path, Path], folder: Path) -> None:
    """Read a set's files into arrays, unless they are there already and newer than the files."""
    done = folder / "num_features.npy"
    newest = max(file.stat().st_mtime for file in files)
    if not done.exists() or done.stat().st_mtime < newest:
        examples.save(examples.read(*files), folder)


def head(files: tuple[Path, Path], rows: int, folder: Path) -> tuple[Path, Path]:
    """Write the first rows of both files, for a trial of the tools; return the new files."""
    import gzip

    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "train.svm", folder / "test.svm"
    for source, target in zip(files, written, strict=True):
        opened = gzip.open if source.suffix == ".gz" else open
        with opened(source, "rt") as lines, target.open("w") as file:
            file.writelines(line for _, line in zip(range(rows), lines, strict=False))
    return written
