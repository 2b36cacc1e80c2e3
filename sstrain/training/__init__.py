"""The loop, and the folder that a run leaves: checkpoints, metrics, environment."""
