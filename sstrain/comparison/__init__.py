"""Grids of runs that differ in how their gradient is sampled, and what came of them."""
