"""A two-way fit with seeds as blocks, and Hsu's multiple comparisons with the best."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LEVEL",
    "SeedFit",
    "TwoWayFit",
    "best_intervals",
    "could_be_best",
    "critical_value",
    "fit_seeds",
    "fit_two_way",
    "pair_errors",
]

Float64 = NDArray[np.float64]

#: Probability with which all intervals hold at once.
LEVEL = 0.95
#: Arms whose mean is within this share of the best are contenders. Selecting arms by their means
#: does not bias their residual variance, which is independent of them under normal errors.
CONTENDING = 0.05
#: Nodes of each of the two quadratures; the critical values are then right to 3e-6.
_NODES = 256


@dataclass(frozen=True)
class TwoWayFit:
    """Least squares for ``y[a, s] = mean_a + beta_s + e`` with the betas summing to zero.

    Attributes
    ----------
    means : float64 array of shape [A]
    weights : float64 array of shape [A, N]
        The means are ``weights @ values``.
    covariance : float64 array of shape [A, A]
        Of the means, if the variances of the values are those that were given.
    residuals : float64 array of shape [N]
    df : int
        Degrees of freedom of the residuals.
    connected : bool
        Whether seeds link all arms; if not, the betas are left out.
    """

    means: Float64
    weights: Float64
    covariance: Float64
    residuals: Float64
    df: int
    connected: bool

    @property
    def variance(self) -> float:
        """The residuals' variance; 0 without a degree of freedom."""
        return float(self.residuals @ self.residuals) / self.df if self.df else 0.0


def fit_two_way(
    arms: NDArray[np.intp],
    seeds: NDArray[np.intp],
    values: Float64,
    variances: Float64 | None = None,
) -> TwoWayFit:
    """Fit arms and seeds; cells may be missing.

    Parameters
    ----------
    arms, seeds : intp arrays of shape [N]
        Each value's arm, of A that all occur, and seed.
    values : float64 array of shape [N]
    variances : float64 array of shape [A] or None
        Of a value of each arm; 1 by default.
    """
    num_arms = int(arms.max()) + 1
    _, seeds = np.unique(seeds, return_inverse=True)
    num_seeds = int(seeds.max()) + 1
    contrasts = np.vstack([np.eye(num_seeds - 1), -np.ones((1, num_seeds - 1))])
    design = np.hstack([np.eye(num_arms)[arms], contrasts[seeds]])
    connected = bool(np.linalg.matrix_rank(design) == design.shape[1])
    if not connected:
        design = design[:, :num_arms]
    scale = np.ones(len(values)) if variances is None else 1 / np.sqrt(variances)[arms]
    inverse = np.linalg.pinv(scale[:, np.newaxis] * design)
    solution = inverse @ (scale * values)
    return TwoWayFit(
        means=solution[:num_arms],
        weights=inverse[:num_arms] * scale,
        covariance=inverse[:num_arms] @ inverse[:num_arms].T,
        residuals=values - design @ solution,
        df=len(values) - design.shape[1],
        connected=connected,
    )


@dataclass(frozen=True)
class SeedFit:
    """What the seeds say about the arms.

    Attributes
    ----------
    means : float64 array of shape [A]
    weights : float64 array of shape [A, N]
        The means are ``weights @ values``.
    contenders : bool array of shape [A]
        Over whose residuals sigma is pooled.
    sigma : float or None
        Standard deviation of a contender's value; None without a degree of freedom.
    sigma_all : float or None
        The same over all arms.
    df : int
        Degrees of freedom of sigma.
    covariance : float64 array of shape [A, A] or None
        Of the means; None without a degree of freedom.
    connected : bool
        As `TwoWayFit.connected`.
    """

    means: Float64
    weights: Float64
    contenders: NDArray[np.bool_]
    sigma: float | None
    sigma_all: float | None
    df: int
    covariance: Float64 | None
    connected: bool


def fit_seeds(arms: NDArray[np.intp], seeds: NDArray[np.intp], values: Float64) -> SeedFit:
    """Fit arms and seeds with a variance for the contenders and one for each arm outside.

    Far worse arms vary far more between seeds. One pooled variance would make the intervals of
    the contenders too wide, and those of the worst arms too narrow: an arm outside has the largest
    of the contenders' variance, that of all arms and that of its own values, made larger for the
    few seeds that the last rests on.

    Parameters
    ----------
    arms, seeds : intp arrays of shape [N]
        Each value's arm, of A that all occur, and seed.
    values : float64 array of shape [N]
        Positive; smaller is better.
    """
    everyone = fit_two_way(arms, seeds, values)
    contenders = everyone.means <= (1 + CONTENDING) * everyone.means.min()
    pooled = _fit_some(contenders, arms, seeds, values)
    if not pooled.df:
        contenders, pooled = np.ones_like(contenders), everyone
    fit, sigma, sigma_all = everyone, None, None
    if pooled.df:
        sigma, sigma_all = pooled.variance**0.5, everyone.variance**0.5
        own = [
            _own_variance(values[arms == arm], pooled.df, len(contenders))
            for arm in range(len(contenders))
        ]
        outside = np.maximum(own, max(pooled.variance, everyone.variance))
        # Kept above rounding errors, since weights are their inverses.
        floor = (1e-7 * float(np.abs(values).max())) ** 2
        variances = np.maximum(np.where(contenders, pooled.variance, outside), floor)
        fit = fit_two_way(arms, seeds, values, variances)
    return SeedFit(
        fit.means,
        fit.weights,
        contenders,
        sigma,
        sigma_all,
        pooled.df,
        covariance=fit.covariance if pooled.df else None,
        connected=fit.connected,
    )


def _own_variance(values: Float64, df: int, num_arms: int) -> float:
    """Return an arm's variance over its seeds, for intervals made for ``df`` degrees of freedom.

    It rests on fewer, whose critical value is larger, and is raised by the square of their ratio.
    """
    own_df = len(values) - 1
    if own_df < 1 or num_arms < 2:
        return 0.0
    ratio = critical_value(num_arms - 1, min(own_df, df)) / critical_value(num_arms - 1, df)
    return float(np.var(values, ddof=1)) * ratio**2


def _fit_some(
    chosen: NDArray[np.bool_], arms: NDArray[np.intp], seeds: NDArray[np.intp], values: Float64
) -> TwoWayFit:
    """Fit the values of some arms alone."""
    rows = chosen[arms]
    places = np.cumsum(chosen) - 1
    return fit_two_way(places[arms[rows]], seeds[rows], values[rows])


@cache
def critical_value(
    comparisons: int, df: float, *, level: float = LEVEL, two_sided: bool = False
) -> float:
    """Return the quantile of Dunnett's law for comparisons with one mean, of equal sizes.

    With ``T_i = (Z_i - Z_0) / (sqrt(2) U)``, all Z standard normal and ``U^2`` chi-square over its
    df, it is the d with ``P(max_i T_i <= d) = level``. Given ``Z_0 = -z`` and ``U = u`` the T are
    independent, so that the probability is ``E[Phi(z + sqrt(2) d u)^comparisons]``.

    Parameters
    ----------
    comparisons : int
        At least 1.
    df : float
        Degrees of freedom, from 1 to infinity.
    level : float
    two_sided : bool
        Whether ``max_i |T_i|`` is meant.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr
    from scipy.stats import chi2

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    z, z_weights = 9 * nodes, 9 * weights * np.exp(-((9 * nodes) ** 2) / 2) / np.sqrt(2 * np.pi)
    if np.isinf(df):
        u, u_weights = np.ones(1), np.ones(1)
    else:
        # By U's quantiles the law of U is uniform.
        u, u_weights = np.sqrt(chi2.ppf((nodes + 1) / 2, df) / df), weights / 2

    def excess(d: float) -> float:
        reach = np.sqrt(2) * d * u[:, np.newaxis]
        inside = ndtr(z + reach) - (ndtr(z - reach) if two_sided else 0)
        return float(u_weights @ inside**comparisons @ z_weights) - level

    return float(brentq(excess, 0, 1e4, xtol=1e-10))


def pair_errors(covariance: Float64) -> Float64:
    """Return the standard error of each difference of two means, [A, A], from their covariance."""
    variances = np.diag(covariance)
    squares = variances[:, np.newaxis] + variances - 2 * covariance
    return np.sqrt(np.maximum(squares, 0))


def could_be_best(means: Float64, errors: Float64, d: float) -> NDArray[np.bool_]:
    """Return which arms no other arm is certainly better than; the smallest mean always is one.

    Parameters
    ----------
    means : float64 array of shape [A]
    errors : float64 array of shape [A, A]
        Standard error of each difference.
    d : float
        From `critical_value` for A - 1 comparisons.
    """
    return np.asarray((_nearest(means, errors, d) < 0) | (means == means.min()))


def best_intervals(means: Float64, errors: Float64, d: float) -> tuple[Float64, Float64]:
    """Return Hsu's constrained intervals of ``mean_i - min_{j != i} mean_j``.

    All hold at once with the level of d (Edwards and Hsu 1983).

    Parameters
    ----------
    means, errors, d
        As for `could_be_best`; A is at least 2.

    Returns
    -------
    low, high : float64 arrays of shape [A]
        Of each interval at least one end is 0, or 0 lies inside it.
    """
    highest = _without_self(means[:, np.newaxis] - means + d * errors)
    highest[:, ~could_be_best(means, errors, d)] = -np.inf
    return np.minimum(_nearest(means, errors, d), 0), np.maximum(highest.max(axis=1), 0)


def _nearest(means: Float64, errors: Float64, d: float) -> Float64:
    """Return the largest lower bound of an arm's difference to another."""
    return np.asarray(_without_self(means[:, np.newaxis] - means - d * errors).max(axis=1))


def _without_self(bounds: Float64) -> Float64:
    np.fill_diagonal(bounds, -np.inf)
    return bounds
