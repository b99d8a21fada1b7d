"""The test of two forecasts' losses over one series."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.checks import NotEstimableError, require_finite, require_rows
from proctor_workers.statistics.proportions import student_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class LossDifference:
    """The mean difference of two losses with its test and limits; df of Student's t."""

    difference: float
    statistic: float
    p_value: float
    lower: float
    upper: float
    df: int
    method: str


def diebold_mariano(
    first_loss: Floats, second_loss: Floats, *, horizon: int = 1, level: float = 0.95
) -> LossDifference:
    """Compare two forecasts' losses (times,) at the same times in their order, `horizon` ahead.

    Diebold & Mariano, J Bus Econ Stat 1995;13:253, with the variance from autocovariances below
    the horizon; corrected and set against Student's t by Harvey, Leybourne & Newbold, Int J
    Forecast 1997;13:281. Where that variance is not positive, Bartlett weights are taken. For
    several series, average the loss differences by patient and bootstrap over patients instead.

    Raises:
        ValueError: NaN, an infinity, or a horizon below 1.
        NotEstimableError: fewer than 3 times, a horizon of more than half of them, or losses that
            differ by the same amount at every time.
    """
    require_finite(first_loss=first_loss, second_loss=second_loss)
    if horizon < 1:
        raise ValueError("a horizon has at least one step")
    gap = first_loss - second_loss
    times = len(gap)
    require_rows(times, max(3, 2 * horizon), "the comparison of forecasts over times")
    mean = float(np.mean(gap))
    about = gap - mean
    if not np.any(np.abs(about) > 1e-14 * np.max(np.abs(gap), initial=0)):
        raise NotEstimableError("the losses differ by the same amount at every time")
    products = [float(np.sum(about[lag:] * about[: times - lag])) for lag in range(horizon)]
    covariance = np.array(products) / times
    variance, method = float(covariance[0] + 2 * np.sum(covariance[1:])), "Diebold-Mariano, HLN"
    if variance <= 0:
        weight = 1 - np.arange(1, horizon) / horizon
        variance = float(covariance[0] + 2 * np.sum(weight * covariance[1:]))
        method = "Diebold-Mariano, HLN, Bartlett weights"
    factor = (times + 1 - 2 * horizon + horizon * (horizon - 1) / times) / times
    error = math.sqrt(variance / times / factor)
    half = student_quantile(times - 1, level) * error
    statistic = mean / error
    return LossDifference(
        difference=mean,
        statistic=statistic,
        p_value=float(2 * special.stdtr(times - 1, -abs(statistic))),
        lower=mean - half,
        upper=mean + half,
        df=times - 1,
        method=method,
    )
