"""The words of report.html: captions, and how to read its figures."""

__all__ = [
    "AGREEMENT",
    "DEFINITIONS",
    "NO_DIAGNOSTICS",
    "PICTURES",
    "TITLE",
    "WEIGHTS",
]

TITLE = "Comparison of samplers"

#: For each picture what stands for it where it cannot be seen, and its caption.
PICTURES = {
    "ranking": (
        "Dot plot of each setting's log-loss above the best of the others, with two intervals",
        "How far each setting's final validation log-loss is from the best of the others; below 0 "
        "only the best can be. Thick bars: simultaneous 95% intervals for the error between seeds "
        "alone. Thin bars: the same with the sampling error of the validation lines. An arrow at "
        "the right edge stands for a setting that is farther off, with its difference. At most 60 "
        "settings are drawn, the best.",
    ),
    "curves": (
        "Validation log-loss against training examples, CPU seconds and candidates scored",
        "Validation log-loss over all classes in the course of training; lines are means over "
        "seeds, bands reach from the lowest to the highest seed. The exact gradient, in black, "
        "is the same in every column. The axis of log-losses is shared and cut above, so that "
        "settings that are far off do not squash the rest; those that end above it are named "
        "with their final log-loss. CPU seconds are those of training alone. Candidates are "
        "the scores computed in training: for each example its own class and the different classes "
        "drawn, or all classes for the exact gradient.",
    ),
    "pareto": (
        "Final validation log-loss against CPU seconds of training, with the Pareto front",
        "Cost and quality of every setting, means over seeds; the larger the marker, the larger K. "
        "Bars: standard deviation of the log-loss over seeds, and lowest to highest CPU seconds. "
        "No setting is both cheaper and better than one on the front (dashed, edged in black), by "
        "means alone: neighbours may not be told apart. Carets at the upper edge stand for "
        "settings that are farther off.",
    ),
    "bias_variance": (
        "Relative bias and relative variance of the sampled gradient against K on log axes",
        "Bias and variance of the sampled gradient, relative to the exact one's norm and its "
        "square, means over seeds. Bars: 95% intervals for the error of finitely many draws. "
        "Crosses: the exact expectation, where there is a closed form. Thin lines: straight lines "
        "by least squares (through the crosses where there are), with their slopes, ± a standard "
        "error where there are three points or more. Arrows that point down: a bias that the "
        "draws do not tell from 0, drawn at the upper end of its interval and left out of the fit. "
        "Settings of one K are moved apart a little.",
    ),
}

WEIGHTS = {
    "reference": "Every setting was measured at the weights that the exact gradient ended with, "
    "so that the settings compare at equal weights.",
    "own": "Every setting was measured at the weights that it ended with itself: the exact "
    "gradient was not trained, and the settings do not compare at equal weights.",
}
NO_DIAGNOSTICS = "Diagnostics were off, or no cell came to its end: nothing was measured."
AGREEMENT = (
    "Where the expectation of a figure is known exactly, the interval from the draws should hold "
    "it in about 95 of 100 cases. Intervals of one setting share their draws, and figures of "
    "one draw depend on each other: the share strays farther from 95% than so many independent "
    "intervals would."
)

DEFINITIONS = (
    (
        "Setting, cell, exact gradient",
        "A setting is an objective, a proposal q with its drawing keys, and a number of samples K. "
        "A cell is a setting trained with one seed. The exact gradient sums over all classes.",
    ),
    ("Log-loss", "Mean over the validation examples of −log p, over all classes, in nats."),
    (
        "Bias, variance, cosine",
        "With d the sampled gradient less the exact one at the same weights: the norm of E[d]; "
        "E‖d − E[d]‖²; and the cosine of the mean sampled gradient and the exact one. Relative: "
        "over the exact gradient's norm (bias) or its square (variance). The draws' own noise is "
        "taken out of the bias; one that they cannot show is 0.",
    ),
    (
        "Of an example, of a batch",
        "Of an example: the root mean square of the norms of the examples' own biases, and the "
        "mean of their variances. Of a batch: the norm of the mean over the batch, the gradient "
        "of one step. Averaging cancels what examples do not have in common: the norm of a mean "
        "is at most the root mean square of the norms. Candidates shared by a batch leave the "
        "figures of an example alone and raise the variance of a batch.",
    ),
    (
        "By the scores, the weights, the bias",
        "Derivatives by an example's scores; by the weights of features, which the update takes; "
        "and by the bias vector, which is the batch's mean derivative by the scores.",
    ),
    (
        "Bias and variance of log Z~, Var(Z~) / Z²",
        "Of the estimate Z~ of the partition function Z.",
    ),
    (
        "Effective sample size",
        "(Σw)² / Σw² over the draws, with w = exp(z) / q: K if q is the model's p.",
    ),
    (
        "KL(p‖q), χ²(p‖q)",
        "Σ p log(p / q) and Σ p² / q − 1: how far the proposal is from the model. Exact.",
    ),
    (
        "Accidental-hit rate, distinct classes, ns a draw",
        "The share of draws that are the example's own class; different classes among K draws; "
        "nanoseconds by the clock that drawing takes for each draw.",
    ),
    (
        "Spread, error by lines",
        "Standard deviation of the final log-loss over seeds; and the standard error that comes "
        "from the choice of validation lines, by a bootstrap over lines.",
    ),
    (
        "Intervals of the ranking",
        "For the distance from the best of the others. Those by seeds, and by seeds and lines, "
        "are Hsu's for comparisons with the best: with 95% probability all of them hold at once; "
        "a setting whose interval starts at 0 is not the best. That by lines alone is the "
        "bootstrap's, for each setting on its own.",
    ),
    (
        "What no interval covers",
        "Another split of the data, other data, other learning rates: every setting has those of "
        "the base, which may suit one better than another. The intervals of the gradient's figures "
        "hold for these weights and these examples; diagnostics.csv has the standard error from "
        "the choice of examples beside them. CPU seconds are of this machine.",
    ),
)
