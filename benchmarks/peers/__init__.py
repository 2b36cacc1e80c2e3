"""Other trainers of classifiers with many classes, and sstrain, on the same examples.

`python -m peers` (`make bench`) is the runner, in sstrain's own environment. Each measurement is a
process of its own (`peers.cell`) in the environment of the tool that it measures, so `cell`,
`examples`, `evaluation` and `tools` import nothing but numpy and scipy, and a tool's own package
only inside its functions.
"""
