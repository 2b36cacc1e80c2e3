"""Predictions without a pass over all classes."""
