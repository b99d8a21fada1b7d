"""One quantity in several sites: how much the sites differ, their mean, and a site yet unseen."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.hypotheses import TestOutcome
from proctor_workers.statistics.proportions import Limits, root, student_quantile

_FEWEST_FOR_PREDICTION = 3  # Student's t needs k - 2 >= 1


def cochran_q(values: Floats, variances: Floats) -> TestOutcome:
    """Test that all values (sites,) are equal, by inverse-variance weights.

    Cochran, Biometrics 1954;10:101. With few rows a site it rejects too rarely or too often: use
    the patient-clustered Wald or permutation test there.
    """
    _check(values, variances)
    weight = 1 / variances
    mean = float(np.sum(weight * values) / np.sum(weight))
    statistic = float(np.sum(weight * (values - mean) ** 2))
    df = len(values) - 1
    return TestOutcome(statistic, float(special.chdtrc(df, statistic)), df, "Cochran's Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomEffects:
    """A mean over sites taken as a sample of sites, on the scale of the values given.

    `tau2` is the variance between sites, `i2` the share of the spread that is between sites.
    `prediction` are the limits for a site not seen; None below three sites.
    """

    sites: int
    mean: float
    error: float
    limits: Limits
    prediction: Limits | None
    tau2: float
    i2: float
    q: TestOutcome
    weights: Floats


def random_effects(values: Floats, variances: Floats, *, level: float = 0.95) -> RandomEffects:
    """Pool values (sites,) with known variances by restricted maximum likelihood.

    Mean's limits: Hartung & Knapp (Stat Med 2001;20:3875), Sidik & Jonkman, t with k - 1 degrees
    of freedom, its factor not below 1 so that agreeing sites never narrow the interval. Prediction:
    Higgins, Thompson & Spiegelhalter (JRSS A 2009;172:137), t with k - 2. I2: Higgins & Thompson
    (Stat Med 2002;21:1539) from the estimated tau2.

    Raises:
        ValueError: fewer than two sites, or a variance that is not positive.
    """
    _check(values, variances)
    sites = len(values)
    tau2 = restricted_likelihood_tau2(values, variances)
    weight = 1 / (variances + tau2)
    mean = float(np.sum(weight * values) / np.sum(weight))
    plain = 1 / float(np.sum(weight))
    factor = float(np.sum(weight * (values - mean) ** 2)) / (sites - 1)
    error = math.sqrt(max(factor, 1.0) * plain)
    half = student_quantile(sites - 1, level) * error
    return RandomEffects(
        sites=sites,
        mean=mean,
        error=error,
        limits=(mean - half, mean + half),
        prediction=_prediction(mean, tau2 + error**2, sites, level),
        tau2=tau2,
        i2=tau2 / (tau2 + typical_variance(variances)),
        q=cochran_q(values, variances),
        weights=weight / np.sum(weight),
    )


def _prediction(mean: float, variance: float, sites: int, level: float) -> Limits | None:
    if sites < _FEWEST_FOR_PREDICTION:
        return None
    half = student_quantile(sites - 2, level) * math.sqrt(variance)
    return mean - half, mean + half


def typical_variance(variances: Floats) -> float:
    """Return the sampling variance of a typical site (Higgins & Thompson 2002, equation 9)."""
    weight = 1 / variances
    total = float(np.sum(weight))
    return (len(weight) - 1) * total / (total**2 - float(np.sum(weight**2)))


def restricted_likelihood_tau2(values: Floats, variances: Floats) -> float:
    """Return the restricted maximum likelihood estimate of the variance between sites, >= 0.

    Viechtbauer, J Educ Behav Stat 2005;30:261. The likelihood may have several peaks, so a grid
    comes before the search.
    """
    _check(values, variances)
    widest = float(np.ptp(values)) ** 2 + float(np.max(variances))

    def loss(tau2: float) -> float:
        spread = variances + tau2
        weight = 1 / spread
        total = float(np.sum(weight))
        mean = float(np.sum(weight * values)) / total
        squares = float(np.sum(weight * (values - mean) ** 2))
        return (float(np.sum(np.log(spread))) + math.log(total) + squares) / 2

    def rise(tau2: float) -> float:
        weight = 1 / (variances + tau2)
        total = float(np.sum(weight))
        mean = float(np.sum(weight * values)) / total
        squares = float(np.sum((weight * (values - mean)) ** 2))
        return squares + float(np.sum(weight**2)) / total - total

    grid = np.concatenate(([0.0], np.geomspace(1e-8, 1.0, 60) * widest))
    best = int(np.argmin([loss(float(tau2)) for tau2 in grid]))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])
    # Beside the best point of the grid the likelihood has one peak: where its rise ends.
    return low if rise(low) <= 0 else root(rise, low, high)


def _check(values: Floats, variances: Floats) -> None:
    if len(values) < 2 or len(values) != len(variances):
        raise ValueError("heterogeneity needs two sites at least, each with its variance")
    if not (np.all(np.isfinite(values)) and np.all(np.isfinite(variances) & (variances > 0))):
        raise ValueError("each site needs a finite value and a positive variance")
