"""The mean of rows that repeat within patients: interval, equivalence and non-inferiority."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from proctor_workers.statistics.arrays import Floats, Ints, group_sums
from proctor_workers.statistics.checks import NotEstimableError, codes, require_finite, require_rows
from proctor_workers.statistics.components import one_way
from proctor_workers.statistics.proportions import student_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredMean:
    """A mean with its limits, standard error and degrees of freedom, all in the values' unit."""

    estimate: float
    lower: float
    upper: float
    error: float
    df: float
    patients: int


def clustered_mean(
    value: Floats, patient: Ints, *, weight: Floats | None = None, level: float = 0.95
) -> ClusteredMean:
    """Estimate a (weighted) mean of rows (n,) with a patient-clustered t interval.

    The variance is the bias-reduced linearisation of Bell & McCaffrey (Survey Methodology
    2002;28:169): a patient's residual sum is divided by the root of 1 - its share of the weight.
    The degrees of freedom are Satterthwaite's at the rows' own intraclass correlation. With one
    unweighted row a patient it is Student's interval.

    Raises:
        ValueError: NaN, an infinity, or arrays of unequal length.
        NotEstimableError: fewer than two patients.
    """
    rows = np.ones(len(value)) if weight is None else weight
    require_finite(value=value, weight=rows)
    code, patients = codes(patient)
    require_rows(patients, 2, "the interval of a mean over patients")
    total = float(rows.sum())
    estimate = float(np.sum(rows * value)) / total
    columns = np.column_stack([rows, rows * (value - estimate), rows**2])
    table = group_sums(columns, code, patients)
    share = table[:, 0] / total
    if np.any(share >= 1):
        raise NotEstimableError("one patient carries the whole weight")
    variance = float(np.sum(table[:, 1] ** 2 / (1 - share))) / total**2
    df = _satterthwaite(table[:, 0], table[:, 2], one_way(value, code).intraclass)
    half = student_quantile(df, level) * math.sqrt(variance)
    return ClusteredMean(
        estimate=estimate,
        lower=estimate - half,
        upper=estimate + half,
        error=math.sqrt(variance),
        df=df,
        patients=patients,
    )


def _satterthwaite(weight: Floats, squares: Floats, correlation: float) -> float:
    """Degrees of freedom of the variance when rows correlate within patients.

    `weight` and `squares` are each patient's sums of row weights and of their squares. The
    quadratic form's matrix is diagonal plus rank two, so that its trace and its sum of squares
    need one pass.
    """
    total = float(weight.sum())
    share = weight / total
    factor = 1 / (1 - share)
    own = (1 - correlation) * squares + correlation * weight**2
    every = float(own.sum())
    shared = share**2 * every - 2 * share * own  # the matrix's diagonal without `own`
    trace = float(np.sum(factor * (own + shared)))
    ss, so, oo = (float(np.sum(factor * part)) for part in (share**2, share * own, own**2))
    outer = 2 * ss * oo + 2 * so**2 + (every * ss) ** 2 - 4 * every * so * ss
    diagonal = float(np.sum(factor**2 * ((own + shared) ** 2 - shared**2)))
    return trace**2 / (outer + diagonal)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginTest:
    """A test of a mean against a margin; `lower` and `upper` bound it at level 1 - 2 alpha."""

    p_value: float
    p_lower: float | None
    p_upper: float | None
    lower: float
    upper: float
    shown: bool
    method: str


def equivalence(
    mean: ClusteredMean, *, lower_margin: float, upper_margin: float, alpha: float = 0.05
) -> MarginTest:
    """Test that a mean lies between two margins by two one-sided t tests.

    Schuirmann, J Pharmacokinet Biopharm 1987;15:657. Shown if and only if the interval at level
    1 - 2 alpha lies inside the margins.

    Raises:
        ValueError: the margins are not in order.
    """
    if not lower_margin < upper_margin:
        raise ValueError("the lower margin must lie below the upper one")
    above = _one_sided(mean, lower_margin, "above")
    below = _one_sided(mean, upper_margin, "below")
    return _margin_test(mean, alpha, above, below, "two one-sided t tests, patient-clustered")


def non_inferiority(
    mean: ClusteredMean, *, margin: float, better: Literal["above", "below"], alpha: float = 0.025
) -> MarginTest:
    """Test that a mean lies above (or below) one margin by a one-sided t test."""
    p_value = _one_sided(mean, margin, better)
    above, below = (p_value, None) if better == "above" else (None, p_value)
    return _margin_test(mean, alpha, above, below, "one-sided t test, patient-clustered")


def _one_sided(mean: ClusteredMean, margin: float, side: str) -> float:
    gap = mean.estimate - margin if side == "above" else margin - mean.estimate
    if mean.error == 0:
        return 0.5 if gap == 0 else float(gap < 0)
    return float(special.stdtr(mean.df, -gap / mean.error))


def _margin_test(
    mean: ClusteredMean, alpha: float, above: float | None, below: float | None, method: str
) -> MarginTest:
    p_value = max(part for part in (above, below) if part is not None)
    half = student_quantile(mean.df, 1 - 2 * alpha) * mean.error
    return MarginTest(
        p_value=p_value,
        p_lower=above,
        p_upper=below,
        lower=mean.estimate - half,
        upper=mean.estimate + half,
        shown=p_value <= alpha,
        method=method,
    )
