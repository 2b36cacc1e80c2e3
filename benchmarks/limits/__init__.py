"""What a machine can do at most, and what a step asks of it at least."""
