"""What every quantity can do: be refused, be computed, be resampled, say each patient's influence.

A kind of task makes its quantities from three forms: a share of rows, a formula of sums over
patients, and a statistic of how often each patient was drawn. All of them have patient-bootstrap
limits; those with a closed form override `estimate`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from proctor_workers.metrics.sample import Design, Sample, distinct
from proctor_workers.statistics.arrays import Bools, Floats, Ints, group_sums
from proctor_workers.statistics.bootstrap import (
    ColumnSums,
    Drawn,
    Resampling,
    acceleration,
    bca_limits,
    jackknife_influence,
)
from proctor_workers.statistics.draws import Stream
from proctor_workers.statistics.proportions import clopper_pearson, korn_graubard, wilson

Loop = Callable[[Ints, Floats], None]  # how often each patient is drawn (batch, patients) -> values
_MOST_LEFT_OUT = 500  # groups of patients left out where no influence has a closed form


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one quantity is estimated: the design, the interval and the resampling.

    Plans of one study share `drawn`, so that quantities of the same patients see the same draws.
    """

    design: Design
    level: float = 0.95
    method: str = "auto"
    resamples: int = 2000
    seed: int = 0
    stream: str = "estimate"
    planned_auc: float | None = None  # of an endpoint that a criterion decides
    drawn: Drawn = field(default_factory=Drawn, repr=False, compare=False)

    def resampling(self, stratum: Ints) -> Resampling:
        """Return the draws of patients, the same whatever they are for."""
        return self.drawn.of(self.resamples, stratum, Stream(self.seed, self.stream))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with limits and counts; without a value, `reason` says why."""

    n: int
    patients: int
    n_positive: int | None
    method: str
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    effective_n: float | None = None
    reason: str | None = None
    flags: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def absent(sample: Sample, reason: str) -> Estimate:
    """Return an estimate without a value, and why."""
    return Estimate(
        n=len(sample),
        patients=sample.patients,
        n_positive=sample.n_positive,
        method="none",
        reason=reason,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(ABC):
    """One quantity. `family` groups those that are drawn from one stream of resamples.

    `complete_cases`: missing outputs are left out under every rule, and their rate is co-reported.
    `unit_scale`: lies between 0 and 1, so that an interval's width tells of its reliability.
    `logit_scale`: a test compares it on the logit, where its distribution is nearer normal.
    """

    name: str
    family: str = "sums"
    needs: str = "output"
    unit_scale: bool = True
    logit_scale: bool = False
    complete_cases: bool = False
    prevalence_bound: bool = False
    reference_test: str | None = None

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Return why the quantity cannot be given: refused by design, or not estimable."""
        del design
        return None if len(sample) else "not estimable: no cases"

    def share_of(self, sample: Sample, design: Design) -> "Hits | None":
        """Return what is counted where the value is a plain share of rows under this design."""
        del sample, design
        return None

    def least_patients(self, sample: Sample, design: Design) -> int:
        """Return how many patients carry the quantity; decides between Wald and permutation."""
        counted = self.share_of(sample, design)
        inside = sample.patient if counted is None else sample.patient[counted.inside]
        return distinct(inside)

    @abstractmethod
    def point(self, sample: Sample, design: Design) -> float:
        """Return the value; NaN where it is undefined."""

    @abstractmethod
    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the value in each resample of patients (resamples,)."""

    @abstractmethod
    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return each patient's influence on the value (patients,)."""

    def flags(self, sample: Sample, design: Design) -> tuple[str, ...]:
        """Return what a reader must know of the bootstrap estimate."""
        del design
        return ("weighted by the sampling weights",) if sample.weighted else ()

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return value and limits by the rule for this quantity."""
        reason = self.refusal(sample, plan.design)
        return absent(sample, reason) if reason else self.bootstrapped(sample, plan)

    def bootstrapped(self, sample: Sample, plan: Plan) -> Estimate:
        """Return value and patient-bootstrap BCa limits."""
        value = self.point(sample, plan.design)
        if not math.isfinite(value):
            return absent(sample, "not estimable: the quantity is undefined here")
        _, stratum = sample.codes()
        limits = bca_limits(
            value,
            self.replicate(sample, plan.design, plan.resampling(stratum)),
            acceleration(self.influence(sample, plan.design), stratum),
            plan.level,
        )
        flags = self.flags(sample, plan.design)
        if limits.reason:
            flags = (*flags, f"no interval: {limits.reason}")
        return Estimate(
            n=len(sample),
            patients=len(stratum),
            n_positive=sample.n_positive,
            method=f"patient bootstrap, BCa, {plan.resamples} resamples",
            value=value,
            lower=limits.lower,
            upper=limits.upper,
            effective_n=float(len(stratum)),
            flags=flags,
            extra={"undefined_resamples": limits.undefined},
        )


def divide(top: Floats, bottom: Floats) -> Floats:
    """Divide, NaN where the bottom is not above zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where(bottom > 0, top / bottom, np.nan)
    return ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class FormulaOfSums(Metric):
    """A formula (..., k) -> (...) of what the patients' rows add up to, `columns` (rows, k)."""

    columns: Callable[[Sample], Floats]
    formula: Callable[[Floats], Floats]

    def by_patient(self, sample: Sample) -> tuple[Floats, Ints]:
        """Return each patient's sums (patients, k) and stratum."""
        code, stratum = sample.codes()
        return sample.once(
            ("sums", self.columns), lambda: group_sums(self.columns(sample), code, len(stratum))
        ), stratum

    def apply(self, sums: Floats, design: Design) -> Floats:
        """Apply the formula to sums (..., k)."""
        del design
        return self.formula(sums)

    def point(self, sample: Sample, design: Design) -> float:
        """Return the formula of the whole sample's sums."""
        return float(self.apply(self.by_patient(sample)[0].sum(axis=0), design))

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the formula of each resample's sums."""
        kernel = sample.once(
            ("kernel", self.columns), lambda: ColumnSums(self.by_patient(sample)[0])
        )
        return self.apply(draws.replicate(kernel)[0], design)

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return the stratified jackknife's influences."""
        sums, stratum = self.by_patient(sample)
        return jackknife_influence(self.apply(sums.sum(axis=0) - sums, design), stratum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """A share's denominator (rows of the sample) and the hits within it."""

    inside: Bools
    hit: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Share(Metric):
    """The share of hits among the rows that count, with exact limits.

    Clopper-Pearson or Wilson; Korn-Graubard where patients have several rows or rows are weighted.
    """

    hits: Callable[[Sample], Hits]
    family: str = "share"
    reference_test: str | None = "R08"

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse an empty denominator."""
        del design
        return None if self.hits(sample).inside.any() else "not estimable: the denominator is empty"

    def share_of(self, sample: Sample, design: Design) -> Hits | None:
        """Return what is counted."""
        del design
        return self.hits(sample)

    def columns(self, sample: Sample) -> Floats:
        """Return each row's weighted hit and denominator (rows, 2)."""
        counted = self.hits(sample)
        weight = sample.weight * counted.inside
        return np.column_stack([weight * counted.hit, weight])

    def apply(self, sums: Floats, design: Design) -> Floats:
        """Divide the sums (..., 2)."""
        del design
        return share(sums)

    def point(self, sample: Sample, design: Design) -> float:
        """Return the weighted share."""
        del design
        return float(share(self.columns(sample).sum(axis=0)))

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the share in each resample."""
        del design
        code, stratum = sample.codes()
        return share(draws.sums(group_sums(self.columns(sample), code, len(stratum))))

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return the stratified jackknife's influences."""
        del design
        code, stratum = sample.codes()
        sums = group_sums(self.columns(sample), code, len(stratum))
        return jackknife_influence(share(sums.sum(axis=0) - sums), stratum)

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the share with exact, or survey-weighted exact, limits."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        if plan.method == "bootstrap_bca":
            return self.bootstrapped(sample, plan)
        return share_limits(self.hits(sample), sample, plan)


def share(sums: Floats) -> Floats:
    """Divide hits by denominator (..., 2)."""
    return divide(sums[..., 0], sums[..., 1])


def share_limits(counted: Hits, sample: Sample, plan: Plan) -> Estimate:
    """Estimate a share by Clopper-Pearson, Wilson or, clustered or weighted, Korn-Graubard."""
    inside = sample.take(counted.inside)
    hit = counted.hit[counted.inside].astype(np.float64)
    common: dict[str, Any] = {
        "n": len(inside),
        "patients": inside.patients,
        "n_positive": inside.n_positive,
        "numerator": float(hit.sum()),
        "denominator": float(len(hit)),
    }
    if inside.clustered or inside.weighted:
        part = korn_graubard(hit, inside.patient, weight=inside.weight, level=plan.level)
        return Estimate(
            **common,
            method="Korn-Graubard",
            value=part.estimate,
            lower=part.lower,
            upper=part.upper,
            effective_n=part.effective_n,
            flags=("weighted by the sampling weights",) if inside.weighted else (),
        )
    interval = wilson if plan.method == "wilson" else clopper_pearson
    lower, upper = interval(float(hit.sum()), len(hit), plan.level)
    return Estimate(
        **common,
        method="Wilson" if plan.method == "wilson" else "Clopper-Pearson",
        value=float(hit.mean()),
        lower=lower,
        upper=upper,
        effective_n=float(len(hit)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted(Metric):
    """A statistic of how often each patient is drawn; `loop` prepares it once for a sample.

    `of_patients` gives the influences in closed form, (patients,) divided by the number of
    patients of the stratum; without it, groups of patients are left out in turn.
    """

    loop: Callable[[Sample], Loop]
    of_patients: Callable[[Sample], Floats] | None = None
    family: str = "weighted"

    def values(self, sample: Sample, times: Ints) -> Floats:
        """Return the value for each row of draw counts (batch, patients)."""
        found = np.empty(len(times))
        self.loop(sample)(times, found)
        return found

    def point(self, sample: Sample, design: Design) -> float:
        """Return the value with every patient drawn once."""
        del design
        return float(self.values(sample, np.ones((1, sample.patients), dtype=np.int64))[0])

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the value in each resample."""
        del design
        return draws.values(self.loop(sample))

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return influences, in closed form or by leaving groups of patients out."""
        if self.of_patients is not None:
            return self.of_patients(sample)
        _, stratum = sample.codes()
        group = _groups(stratum)
        times = (group[None, :] != np.arange(group.max() + 1)[:, None]).astype(np.int64)
        size = np.bincount(group)
        patients = np.bincount(stratum, minlength=int(stratum.max()) + 1)[stratum].astype(
            np.float64
        )
        value = self.point(sample, design)
        pull = (1 - size[group] / patients) * (value - self.values(sample, times)[group])
        pull[~np.isfinite(pull)] = 0.0
        # The root keeps the sum of squares, from which variances are made, what it is per patient.
        return pull / np.sqrt(size[group])


def _groups(stratum: Ints) -> Ints:
    """Return each patient's group to be left out: patients alone, or groups within a stratum."""
    patients = len(stratum)
    per_group = -(-patients // _MOST_LEFT_OUT)
    order = np.argsort(stratum, kind="stable")
    place = np.empty(patients, dtype=np.int64)
    start = np.searchsorted(stratum[order], stratum[order], side="left")
    place[order] = np.arange(patients) - start
    _, group = np.unique(
        np.column_stack([stratum, place // per_group]), axis=0, return_inverse=True
    )
    return group.reshape(-1).astype(np.int64)
