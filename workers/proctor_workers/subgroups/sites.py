"""What several sites say together: fixed sites stand for themselves, random ones for others too."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import special

from proctor_workers.metrics.metric import Metric, Plan
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.auc import hanley_mcneil_error
from proctor_workers.statistics.heterogeneity import RandomEffects, random_effects
from proctor_workers.subgroups.levels import Level

FEWEST_RANDOM = 5  # sites below which a variance between sites cannot be estimated
FEWEST_SITES = 3  # sites below which the report names it as a limitation


class Sites(StrEnum):
    """What the sites of a study are."""

    FIXED = "fixed"
    RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteValue:
    """One site's value with its patient-clustered variance; without them, `reason` says why."""

    site: str
    n: int
    patients: int
    value: float | None = None
    variance: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SitesTogether:
    """The sites pooled as a sample of sites, back on the quantity's own scale.

    `prediction` is where the value of a site not seen is expected. Without random effects,
    `reason` says why; `limitations` are for the report's list.
    """

    sites: tuple[SiteValue, ...]
    mean: float | None = None
    limits: tuple[float, float] | None = None
    prediction: tuple[float, float] | None = None
    effects: RandomEffects | None = None
    scale: str = "raw"
    reason: str | None = None
    limitations: tuple[str, ...] = ()

    @property
    def pooled(self) -> tuple[SiteValue, ...]:
        """The sites that have a variance, in the order of the random effects' weights."""
        return tuple(one for one in self.sites if one.variance is not None)


def site_value(metric: Metric, sample: Sample, site: Level, plan: Plan) -> SiteValue:
    """Estimate the quantity in one site, with the variance between its patients."""
    part = sample.take(site.rows)
    counted = metric.share_of(part, plan.design)
    inside = part if counted is None else part.take(counted.inside)
    shown = SiteValue(site=site.name, n=len(inside), patients=inside.patients)
    if reason := metric.refusal(part, plan.design):
        return replace(shown, reason=reason)
    value = metric.point(part, plan.design)
    if not math.isfinite(value):
        return replace(shown, reason="not estimable: the quantity is undefined here")
    influence = metric.influence(part, plan.design)
    patients = len(influence)
    spread = float(np.sum(influence**2)) * patients / max(patients - 1, 1)
    value, spread = _off_the_edge(metric, part, plan, value, spread)
    if spread <= 0:
        return replace(shown, value=value, reason="no variation within the site")
    return replace(shown, value=value, variance=spread)


def _off_the_edge(
    metric: Metric, part: Sample, plan: Plan, value: float, spread: float
) -> tuple[float, float]:
    """Move a rate of exactly 0 or 1 inside by half a case, as on the logit it has no variance.

    The variance is then the binomial one, or Hanley & McNeil's for an area.
    """
    if not metric.unit_scale or (0 < value < 1 and spread > 0):
        return value, spread
    counted = metric.share_of(part, plan.design)
    if counted is not None:
        n = len(np.unique(part.patient[counted.inside]))
        inside = (value * n + 0.5) / (n + 1)
        return inside, inside * (1 - inside) / (n + 1)
    if metric.family == "auroc":
        m, n = (len(np.unique(part.patient[rows])) for rows in (part.positive, ~part.positive))
        smaller = min(m, n)
        inside = (value * smaller + 0.5) / (smaller + 1)
        return inside, hanley_mcneil_error(inside, m, n) ** 2
    return value, spread


def together(
    metric: Metric,
    sample: Sample,
    sites: Sequence[Level],
    plan: Plan,
    *,
    taken_as: Sites,
) -> SitesTogether:
    """Put the sites side by side and, where they are a sample of at least five, pool them.

    Rates and areas are pooled on the logit, anything else as it is.
    """
    found = tuple(site_value(metric, sample, site, plan) for site in sites)
    limitations = []
    if len(sites) < FEWEST_SITES:
        limitations.append(f"The cohort has fewer than {FEWEST_SITES} sites.")
    usable = [one for one in found if one.variance is not None]
    if taken_as is Sites.FIXED:
        reason = "sites are fixed: they stand for themselves"
        return SitesTogether(sites=found, reason=reason, limitations=tuple(limitations))
    if len(usable) < FEWEST_RANDOM:
        reason = f"random effects need {FEWEST_RANDOM} sites with an estimate; {len(usable)} have"
        limitations.append(f"Sites were declared random; {reason}.")
        return SitesTogether(sites=found, reason=reason, limitations=tuple(limitations))
    values = np.array([one.value for one in usable], dtype=np.float64)
    variances = np.array([one.variance for one in usable], dtype=np.float64)
    logit = metric.unit_scale and bool(np.all((values > 0) & (values < 1)))
    if logit:
        variances = variances / (values * (1 - values)) ** 2
        values = special.logit(values)
    effects = random_effects(values, variances, level=plan.level)
    return SitesTogether(
        sites=found,
        mean=_back(effects.mean, logit=logit),
        limits=_both(effects.limits, logit=logit),
        prediction=_both(effects.prediction, logit=logit),
        effects=effects,
        scale="logit" if logit else "raw",
        limitations=tuple(limitations),
    )


def _back(value: float, *, logit: bool) -> float:
    return float(special.expit(value)) if logit else value


def _both(limits: tuple[float, float] | None, *, logit: bool) -> tuple[float, float] | None:
    if limits is None:
        return None
    return _back(limits[0], logit=logit), _back(limits[1], logit=logit)
