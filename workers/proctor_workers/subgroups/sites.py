"""Sites as a sample of sites: their mean, and what may be expected of a site not seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import special

from proctor_workers.metrics.metric import Metric, Plan
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.auc import hanley_mcneil_error
from proctor_workers.statistics.heterogeneity import RandomEffects, random_effects
from proctor_workers.subgroups.levels import Level

FEWEST_RANDOM = 5  # sites below which a variance between sites cannot be estimated


class Sites(StrEnum):
    """What the sites of a study are."""

    FIXED = "fixed"
    RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteValue:
    """One site's value with its patient-clustered variance; without them, `reason` says why.

    `size` is a share's effective number of rows: it counts even where the variance is 0.
    """

    site: str
    n: int
    patients: int
    value: float | None = None
    variance: float | None = None
    size: float | None = None
    reason: str | None = None

    @property
    def usable(self) -> bool:
        """Whether the site can be pooled."""
        return self.value is not None and (self.size is not None or self.variance is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SitesTogether:
    """The sites pooled as a sample of sites, back on the quantity's own scale.

    `prediction` is where the value of a site not seen is expected. Without random effects,
    `reason` says why.
    """

    sites: tuple[SiteValue, ...]
    mean: float | None = None
    limits: tuple[float, float] | None = None
    prediction: tuple[float, float] | None = None
    effects: RandomEffects | None = None
    scale: str = "raw"
    reason: str | None = None

    @property
    def pooled(self) -> tuple[SiteValue, ...]:
        """The sites that are pooled, in the order of the random effects' weights."""
        return tuple(one for one in self.sites if one.usable)


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
    if counted is not None:
        return replace(shown, value=value, size=_effective(value, spread, inside))
    value, spread = _off_the_edge(metric, part, value, spread)
    if spread <= 0:
        return replace(shown, value=value, reason="no variation within the site")
    return replace(shown, value=value, variance=spread)


def _effective(value: float, spread: float, inside: Sample) -> float:
    """Return how many independent rows vary as much; patients where rows do not vary at all."""
    if spread <= 0:
        return float(inside.patients)
    return min(float(len(inside)), value * (1 - value) / spread)


def _off_the_edge(metric: Metric, part: Sample, value: float, spread: float) -> tuple[float, float]:
    """Move an area of exactly 0 or 1 inside by half a case, as on the logit it has no variance.

    The variance is then Hanley & McNeil's.
    """
    if metric.family != "auroc" or (0 < value < 1 and spread > 0):
        return value, spread
    m, n = (len(np.unique(part.patient[rows])) for rows in (part.positive, ~part.positive))
    smaller = min(m, n)
    inside = (value * smaller + 0.5) / (smaller + 1)
    return inside, hanley_mcneil_error(inside, m, n) ** 2


def together(metric: Metric, sample: Sample, sites: Sequence[Level], plan: Plan) -> SitesTogether:
    """Put the sites side by side and, where at least five can be, pool them.

    Shares and areas are pooled on the logit, anything else as it is.
    """
    found = tuple(site_value(metric, sample, site, plan) for site in sites)
    usable = [one for one in found if one.usable]
    if len(usable) < FEWEST_RANDOM:
        reason = f"random effects need {FEWEST_RANDOM} sites with an estimate; {len(usable)} have"
        return SitesTogether(sites=found, reason=reason)
    values, variances, logit = _on_its_scale(metric, usable)
    effects = random_effects(values, variances, level=plan.level)
    return SitesTogether(
        sites=found,
        mean=_back(effects.mean, logit=logit),
        limits=_both(effects.limits, logit=logit),
        prediction=_both(effects.prediction, logit=logit),
        effects=effects,
        scale="logit" if logit else "raw",
    )


def _on_its_scale(metric: Metric, usable: Sequence[SiteValue]) -> tuple[Floats, Floats, bool]:
    """Return values and variances to pool, and whether they are logits.

    A share's empirical logit adds half a case to both cells; its variance takes the share of all
    sites, because one made of the site's own share goes with it and pulls mean and spread down
    (Chang, Waternaux & Lipsitz, Stat Med 2001;20:1947).
    """
    values = np.array([one.value for one in usable], dtype=np.float64)
    if all(one.size is not None for one in usable):
        size = np.array([one.size for one in usable], dtype=np.float64)
        hits = values * size
        common = float((hits.sum() + 0.5) / (size.sum() + 1))
        logits = np.log((hits + 0.5) / (size - hits + 0.5))
        return logits, 1 / (size * common * (1 - common)), True
    variances = np.array([one.variance for one in usable], dtype=np.float64)
    if metric.unit_scale and bool(np.all((values > 0) & (values < 1))):
        return special.logit(values), variances / (values * (1 - values)) ** 2, True
    return values, variances, False


def _back(value: float, *, logit: bool) -> float:
    return float(special.expit(value)) if logit else value


def _both(limits: tuple[float, float] | None, *, logit: bool) -> tuple[float, float] | None:
    if limits is None:
        return None
    return _back(limits[0], logit=logit), _back(limits[1], logit=logit)
