"""Square tables of two labellings: weighted kappa with its error, symmetry, equal margins."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.hypotheses import TestOutcome
from proctor_workers.statistics.proportions import normal_quantile, student_quantile

SCHEMES = ("identity", "linear", "quadratic", "ordinal")
_DEGENERATE = 1e-12  # chance agreement this close to 1 leaves nothing to exceed


def agreement_weights(categories: int, scheme: str) -> Floats:
    """Return how much of an agreement each pair of categories is, (k, k), 1 on the diagonal.

    Linear and quadratic: Cicchetti 1971, Fleiss & Cohen 1973; ordinal: Gwet, Handbook of
    Inter-Rater Reliability, 4th ed. 2014, ch. 3.

    Raises:
        ValueError: the scheme is not one of SCHEMES.
    """
    place = np.arange(categories, dtype=np.float64)
    apart: Floats = np.abs(place[:, None] - place[None, :])
    if scheme == "identity":
        loss = (apart > 0).astype(np.float64)
    elif scheme == "linear":
        loss = apart
    elif scheme == "quadratic":
        loss = apart**2
    elif scheme == "ordinal":
        loss = apart * (apart + 1) / 2
    else:
        raise ValueError(f"weights are one of {', '.join(SCHEMES)}")
    weights: Floats = 1 - loss / loss.max()
    return weights


def kappa(tables: Floats, weights: Floats) -> Floats:
    """Return weighted kappa of tables (..., k, k) (Cohen, Psychol Bull 1968;70:213).

    NaN where chance agreement is complete (one category only) or the table is empty.
    """
    total = tables.sum(axis=(-2, -1))
    rows, columns = tables.sum(axis=-1), tables.sum(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = (tables * weights).sum(axis=(-2, -1)) / total
        chance = ((rows @ weights) * columns).sum(axis=-1) / total**2
        value = (observed - chance) / (1 - chance)
    found: Floats = np.where(1 - chance > _DEGENERATE, value, np.nan)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class KappaEstimate:
    """Weighted kappa with its error, limits, and the test that it is zero."""

    value: float
    error: float
    lower: float
    upper: float
    null_error: float
    p_value: float
    method: str


def kappa_estimate(by_patient: Floats, weights: Floats, level: float = 0.95) -> KappaEstimate:
    """Estimate kappa from each patient's table (patients, k, k).

    One row a patient: the asymptotic errors of Fleiss, Cohen & Everitt (Psychol Bull
    1969;72:323). More: the same linearisation summed over patients (Yang & Zhou, Stat Med
    2014;33:1934), with Student's t.

    Raises:
        ValueError: kappa is undefined on the table.
    """
    table = by_patient.sum(axis=0)
    value = float(kappa(table, weights))
    if not math.isfinite(value):
        raise ValueError("kappa is undefined: both labellings have one and the same category")
    patients, rows = len(by_patient), float(table.sum())
    influence = np.tensordot(by_patient, _cell_influence(table, weights), axes=2)
    variance = float(np.sum(influence**2))
    clustered = bool(np.any(by_patient.sum(axis=(1, 2)) != 1))
    if clustered:
        variance *= patients / max(patients - 1, 1)
    quantile = student_quantile(patients - 1, level) if clustered else normal_quantile(level)
    error = math.sqrt(variance)
    null_error = error if clustered else _null_error(table / rows, weights, rows)
    statistic = value / null_error if null_error > 0 else math.copysign(math.inf, value)
    return KappaEstimate(
        value=value,
        error=error,
        lower=max(-1.0, value - quantile * error),
        upper=min(1.0, value + quantile * error),
        null_error=null_error,
        p_value=float(2 * special.ndtr(-abs(statistic))) if value else 1.0,
        method="linearised, patient-clustered" if clustered else "Fleiss-Cohen-Everitt",
    )


def _cell_influence(table: Floats, weights: Floats) -> Floats:
    """Return what one more row in each cell does to kappa, (k, k)."""
    total = table.sum()
    rows, columns = table.sum(axis=1) / total, table.sum(axis=0) / total
    observed = float((table * weights).sum() / total)
    chance = float(rows @ weights @ columns)
    margins = (weights @ columns)[:, None] + (rows @ weights)[None, :]
    gain = (weights - observed) * (1 - chance) - (1 - observed) * (margins - 2 * chance)
    found: Floats = gain / (1 - chance) ** 2 / total
    return found


def _null_error(share: Floats, weights: Floats, n: float) -> float:
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    chance = float(rows @ weights @ columns)
    margins = (weights @ columns)[:, None] + (rows @ weights)[None, :]
    spread = float(np.sum(np.outer(rows, columns) * (weights - margins) ** 2)) - chance**2
    return math.sqrt(max(spread, 0.0) / n) / (1 - chance)


def bowker(by_patient: Floats) -> TestOutcome:
    """Test that a labelling moves as many from a to b as from b to a (Bowker, JASA 1948;43:572).

    Takes each patient's table (patients, k, k); patients with several rows count as one unit.
    Pairs of categories that are never confused take no degree of freedom.
    """
    upper = np.triu_indices(by_patient.shape[-1], 1)
    gap = by_patient[:, upper[0], upper[1]] - by_patient[:, upper[1], upper[0]]
    return _patient_score_test(gap, "Bowker")


def stuart_maxwell(by_patient: Floats) -> TestOutcome:
    """Test that both labellings have equal margins (Stuart 1955; Maxwell, Br J Psychiatry 1970).

    Takes each patient's table (patients, k, k). For two categories it is McNemar's test; with
    several rows a patient the covariance is that of the patients' sums (Obuchowski, Stat Med
    1998;17:1495).
    """
    gap = by_patient.sum(axis=2) - by_patient.sum(axis=1)
    return _patient_score_test(gap, "Stuart-Maxwell")


def _patient_score_test(gap: Floats, method: str) -> TestOutcome:
    """Refer sum(gap)' [sum gap gap']^- sum(gap) to chi-squared with the covariance's rank."""
    total, covariance = gap.sum(axis=0), gap.T @ gap
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-10 * max(float(values[-1]), 1.0)
    rank = int(kept.sum())
    if not rank:
        return TestOutcome(0.0, 1.0, 0, method)
    along = vectors[:, kept].T @ total
    statistic = float(np.sum(along**2 / values[kept]))
    return TestOutcome(statistic, float(special.chdtrc(rank, statistic)), rank, method)
