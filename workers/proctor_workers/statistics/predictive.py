"""Predictive values at a declared prevalence, and likelihood ratios; both on the log scale."""

import math
from dataclasses import dataclass

from scipy import special

from proctor_workers.statistics.proportions import Limits, normal_quantile


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Sensitivity and specificity with (effective) sizes and their covariance of logs."""

    sensitivity: float
    specificity: float
    positives: float
    negatives: float
    covariance: float = 0.0  # of the two proportions, when patients have rows of both kinds

    @property
    def touches_zero(self) -> bool:
        """Whether a cell of the table is empty."""
        return not (0 < self.sensitivity < 1 and 0 < self.specificity < 1)

    def adjusted(self, level: float) -> "Accuracy":
        """Add z^2/2 to each cell of the table (Mercaldo 2007, adjusted logit)."""
        extra = normal_quantile(level) ** 2
        return Accuracy(
            (self.sensitivity * self.positives + extra / 2) / (self.positives + extra),
            (self.specificity * self.negatives + extra / 2) / (self.negatives + extra),
            self.positives + extra,
            self.negatives + extra,
            self.covariance,
        )


def ppv(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Positive predictive value by Bayes; NaN where no one is called positive."""
    called = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    return sensitivity * prevalence / called if called > 0 else math.nan


def npv(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Negative predictive value by Bayes; NaN where no one is called negative."""
    return ppv(specificity, sensitivity, 1 - prevalence)


def mercaldo(
    accuracy: Accuracy, prevalence: float, *, positive: bool, level: float = 0.95
) -> Limits:
    """Logit limits of PPV or NPV at a known prevalence (Mercaldo, Stat Med 2007;26:2170).

    Where a cell is zero the adjusted logit is used.
    """
    part = accuracy.adjusted(level) if accuracy.touches_zero else accuracy
    se, sp = part.sensitivity, part.specificity
    var_se = se * (1 - se) / part.positives
    var_sp = sp * (1 - sp) / part.negatives
    if positive:  # logit PPV = log(se) - log(1 - sp) + logit(prevalence)
        centre = math.log(se / (1 - sp)) + float(special.logit(prevalence))
        variance = var_se / se**2 + var_sp / (1 - sp) ** 2 + 2 * part.covariance / (se * (1 - sp))
    else:  # logit NPV = log(sp) - log(1 - se) - logit(prevalence)
        centre = math.log(sp / (1 - se)) - float(special.logit(prevalence))
        variance = var_sp / sp**2 + var_se / (1 - se) ** 2 + 2 * part.covariance / (sp * (1 - se))
    half = normal_quantile(level) * math.sqrt(max(variance, 0.0))
    return float(special.expit(centre - half)), float(special.expit(centre + half))


def likelihood_ratio_limits(
    accuracy: Accuracy, *, positive: bool, level: float = 0.95
) -> tuple[float, float, float]:
    """Return (estimate, lower, upper) of LR+ or LR- (Simel, J Clin Epidemiol 1991;44:763).

    With an empty cell, half a case is added to each cell, as is usual for log ratios.
    """
    se, sp, m, n = (
        accuracy.sensitivity,
        accuracy.specificity,
        accuracy.positives,
        accuracy.negatives,
    )
    if accuracy.touches_zero:
        se, sp, m, n = (se * m + 0.5) / (m + 1), (sp * n + 0.5) / (n + 1), m + 1, n + 1
    top, bottom = (se, 1 - sp) if positive else (1 - se, sp)
    variance = (
        se * (1 - se) / m / top**2
        + sp * (1 - sp) / n / bottom**2
        + 2 * accuracy.covariance / (top * bottom)
    )
    half = normal_quantile(level) * math.sqrt(max(variance, 0.0))
    ratio = top / bottom
    return ratio, ratio * math.exp(-half), ratio * math.exp(half)
