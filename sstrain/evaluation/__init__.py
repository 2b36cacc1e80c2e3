"""Exact metrics over all classes, in blocks; evaluation and prediction with a saved run."""
