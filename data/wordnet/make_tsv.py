"""Make wn_hypernym.tsv.gz from the folder that holds WordNet 3.0's data.noun and data.verb.

python make_tsv.py /usr/share/wordnet wn_hypernym.tsv.gz
"""

import gzip
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path


def synsets(path: Path, kind: str) -> Iterator[tuple[str, str, str | None, str]]:
    """Yield each synset's key and first word, the key of its first hypernym, and its definition."""
    for line in path.read_text("latin-1").splitlines():
        if line.startswith("  "):  # the licence
            continue
        head, gloss = line.split("| ", 1)
        fields = head.split()
        num_words = int(fields[3], 16)
        pointers = fields[5 + 2 * num_words :]
        hypernyms = [
            pointers[i + 2] + pointers[i + 1]
            for i in range(0, 4 * int(fields[4 + 2 * num_words]), 4)
            if pointers[i] in ("@", "@i")
        ]
        # Examples in quotation marks follow the definition.
        definition = re.split(r';\s*"', " ".join(gloss.split()))[0].strip(" ;").lower()
        yield kind + fields[0], fields[4].lower(), next(iter(hypernyms), None), definition


def main(folder: str, output: str) -> None:
    """Write a line for each synset that has a hypernym, of those that are one twice or more."""
    names, rows = {}, []
    for kind, file in (("n", "data.noun"), ("v", "data.verb")):
        for key, word, hypernym, definition in synsets(Path(folder, file), kind):
            names[key] = word
            if hypernym is not None:
                rows.append((hypernym, definition))
    counts = Counter(hypernym for hypernym, _ in rows)
    lines = [f"{names[key]}#{key}\t{text}\n" for key, text in sorted(rows) if counts[key] > 1]
    Path(output).write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
