"""The mathematics of docs/derivation.md once more: float64, numpy alone, nothing from sstrain."""
