"""The quantities of a measured value: each with its own limits where it has them.

Columns: `value`, `reference`; `lower`, `upper` of an emitted interval; `subject` of repeats.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import special

from proctor_workers.metrics import line_metrics, regression, reliability
from proctor_workers.metrics.metric import Estimate, Hits, Metric, Plan, Share, absent
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.metrics.value_metrics import UNWEIGHTED, ErrorFormula, Ranked, analytic
from proctor_workers.statistics import means
from proctor_workers.statistics.arrays import Bools, Floats, Ints
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.limits_of_agreement import (
    LimitsOfAgreement,
    limits_of_agreement,
    linked_replicates,
    unlinked_replicates,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDifference(ErrorFormula):
    """The mean difference with a patient-clustered t interval, and a test against a margin."""

    margin: float = 0.0
    reference_test: str | None = "R14"

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the mean, its limits, and two one-sided tests where a margin is declared."""
        reason = self.refusal(sample, plan.design)
        if reason or plan.method == "bootstrap_bca":
            return absent(sample, reason) if reason else self.bootstrapped(sample, plan)
        difference = sample["value"] - sample["reference"]
        found = means.clustered_mean(
            difference, sample.patient, weight=sample.weight, level=plan.level
        )
        extra: dict[str, Any] = {"standard_error": found.error, "df": found.df}
        if self.margin > 0:
            test = means.equivalence(
                found, lower_margin=-self.margin, upper_margin=self.margin, alpha=1 - plan.level
            )
            extra["equivalence"] = {
                "margin": self.margin,
                "p_value": test.p_value,
                "shown": test.shown,
                "method": test.method,
            }
        clustered = ", patient-clustered" if sample.clustered else ""
        return analytic(
            sample,
            value=found.estimate,
            limits=(found.lower, found.upper),
            method=f"Student t{clustered}",
            weighted=True,
            extra=extra,
        )


def _agreement_columns(sample: Sample, *, linked: bool = True) -> Floats:
    """Return each row's part of the sums over patients that limits of agreement take, (rows, 6).

    Patients, their mean differences, squares of these, inverse numbers of rows, squares
    within, rows. Squares within are of the differences, or unlinked of value and of reference.
    """
    code, _ = sample.codes()
    difference = sample["value"] - sample["reference"]
    size = np.bincount(code).astype(np.float64)
    mean = np.bincount(code, weights=difference) / size
    inverse = 1 / size[code]
    within = np.zeros(len(difference))
    for part in (difference,) if linked else (sample["value"], sample["reference"]):
        within += (part - (np.bincount(code, weights=part) / size)[code]) ** 2
    return np.column_stack(
        [
            inverse,
            inverse * mean[code],
            inverse * mean[code] ** 2,
            inverse**2,
            within,
            np.ones(len(difference)),
        ]
    )


_unlinked_columns = partial(_agreement_columns, linked=False)


def _agreement_limit(sums: Floats, z: float) -> Floats:
    """Return bias + z sd of a single difference (Zou 2013), NaN below two patients."""
    with np.errstate(divide="ignore", invalid="ignore"):
        patients, rows = np.where(sums[..., 0] > 1, sums[..., 0], np.nan), sums[..., 5]
        mean = sums[..., 1] / patients
        between = (sums[..., 2] - patients * mean**2) / (patients - 1)
        repeats = rows - patients
        within = np.where(repeats > 0.5, sums[..., 4] / repeats, 0.0)  # a count, but for rounding
        variance = between + (1 - sums[..., 3] / patients) * within
        limit: Floats = mean + z * np.sqrt(np.maximum(variance, 0.0))
    return limit


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOfAgreement(ErrorFormula):
    """One Bland-Altman limit: exact, or by MOVER where patients repeat."""

    columns: Callable[[Sample], Floats] = _agreement_columns
    family: str = "agreement"
    share: float = 0.95
    linked: bool = True
    reference_test: str | None = "R14"

    def flags(self, sample: Sample, design: Design) -> tuple[str, ...]:
        """Say that weights are not used."""
        del design
        return (UNWEIGHTED,) if sample.weighted else ()

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the limit with its own limits."""
        reason = self.refusal(sample, plan.design)
        if reason or plan.method == "bootstrap_bca":
            return absent(sample, reason) if reason else self.bootstrapped(sample, plan)
        try:
            found = agreement(sample, self.share, plan.level, linked=self.linked)
        except NotEstimableError as error:
            return absent(sample, f"not estimable: {error}")
        upper = self.name == "loa_upper"
        return analytic(
            sample,
            value=found.upper if upper else found.lower,
            limits=found.upper_limits if upper else found.lower_limits,
            method=found.method,
            extra={"standard_deviation": found.sd},
        )


def agreement(
    sample: Sample, share: float, level: float, *, linked: bool = True
) -> LimitsOfAgreement:
    """Return limits of agreement of a sample, replicates taken as linked pairs or as unlinked."""
    difference = sample["value"] - sample["reference"]
    if sample.clustered and not linked:
        patient = sample.patient
        return unlinked_replicates(
            sample["value"], patient, sample["reference"], patient, share=share, level=level
        )
    if sample.clustered:
        return linked_replicates(difference, sample.patient, share=share, level=level)
    return limits_of_agreement(difference, share=share, level=level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concordance(ErrorFormula):
    """Lin's coefficient on the z scale, by bootstrap where patients repeat or rows are weighted."""

    reference_test: str | None = "R14"

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the coefficient and its limits."""
        reason = self.refusal(sample, plan.design)
        if reason or plan.method == "bootstrap_bca" or sample.clustered or sample.weighted:
            return absent(sample, reason) if reason else self.bootstrapped(sample, plan)
        try:
            found = reliability.concordance(sample["value"], sample["reference"], level=plan.level)
        except NotEstimableError as error:
            return absent(sample, f"not estimable: {error}")
        return _of_agreement(sample, found)


def _of_agreement(sample: Sample, found: reliability.Agreement) -> Estimate:
    limits = None
    if found.lower is not None and found.upper is not None:
        limits = (found.lower, found.upper)
    return analytic(
        sample,
        value=found.estimate,
        limits=limits,
        method=found.method,
        reason=found.reason,
    )


def _rating_sums(sample: Sample) -> Floats:
    centre = np.median(sample["reference"])
    ratings = np.column_stack([sample["reference"], sample["value"]]) - centre
    weighted: Floats = reliability.rating_columns(ratings) * sample.weight[:, None]
    return weighted


@dataclass(frozen=True, slots=True, kw_only=True)
class Intraclass(ErrorFormula):
    """An intraclass correlation of device and reference with F limits, or by bootstrap."""

    columns: Callable[[Sample], Floats] = _rating_sums
    family: str = "ratings"
    form: reliability.Form
    reference_test: str | None = "R15"

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the coefficient and its limits."""
        reason = self.refusal(sample, plan.design)
        if reason or plan.method == "bootstrap_bca" or sample.clustered or sample.weighted:
            return absent(sample, reason) if reason else self.bootstrapped(sample, plan)
        ratings = np.column_stack([sample["reference"], sample["value"]])
        try:
            found = reliability.intraclass(ratings, self.form, level=plan.level)
        except NotEstimableError as error:
            return absent(sample, f"not estimable: {error}")
        return _of_agreement(sample, found)


def _repeat_columns(sample: Sample) -> Floats:
    """Return each row's degrees of freedom, squares, and relative squares within its subject."""
    _, subject = np.unique(sample["subject"], return_inverse=True)
    size = np.bincount(subject).astype(np.float64)
    mean = np.bincount(subject, weights=sample["value"]) / size
    squares = (sample["value"] - mean[subject]) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(size[subject] > 1, squares / mean[subject] ** 2, 0.0)
    return np.column_stack([1 - 1 / size[subject], squares, relative])


def _repeat_formula(sums: Floats, column: int, factor: float) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        value: Floats = factor * np.sqrt(
            np.where(sums[..., 0] > 0, sums[..., column] / sums[..., 0], np.nan)
        )
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats(ErrorFormula):
    """A measure of repeats of one subject, with chi-squared limits where subjects are patients."""

    columns: Callable[[Sample], Floats] = _repeat_columns
    family: str = "repeats"
    closed: Callable[..., reliability.Repeatability]

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse a sample without repeats, and a relative one of values that are not positive."""
        if len(np.unique(sample["subject"])) == len(sample):
            return "not estimable: no measurement is repeated"
        if self.name == "within_subject_cv" and sample["value"].min() <= 0:
            return "not estimable: a value is not positive"
        return ErrorFormula.refusal(self, sample, design)

    def flags(self, sample: Sample, design: Design) -> tuple[str, ...]:
        """Say that weights are not used."""
        del design
        return (UNWEIGHTED,) if sample.weighted else ()

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the measure and its limits."""
        reason = self.refusal(sample, plan.design)
        alone = len(np.unique(sample["subject"])) == sample.patients
        if reason or plan.method == "bootstrap_bca" or not alone:
            return absent(sample, reason) if reason else self.bootstrapped(sample, plan)
        found = self.closed(sample["value"], sample["subject"], level=plan.level)
        return analytic(
            sample,
            value=found.estimate,
            limits=(found.lower, found.upper),
            method=found.method,
            extra={"df": found.df},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueShare(Share):
    """A share of cases, whose missing outputs have a worst place."""

    needs: str = "value"


def _every(hit: Bools) -> Hits:
    return Hits(inside=np.ones(len(hit), dtype=np.bool_), hit=hit)


def covered(sample: Sample) -> Hits:
    """Return whether each reference lies in the emitted interval."""
    reference = sample["reference"]
    return _every((sample["lower"] <= reference) & (reference <= sample["upper"]))


def _within(allowance: regression.Allowance, sample: Sample) -> Hits:
    return _every(allowance.inside(sample["value"], sample["reference"]))


def _by_code(
    loop: Callable[[Floats, Floats, Ints], Callable[[Ints, Floats], None]], sample: Sample
) -> Callable[[Ints, Floats], None]:
    code, _ = sample.codes()
    return loop(sample["value"], sample["reference"], code)


def _z(parameters: Mapping[str, Any], sign: int) -> float:
    return sign * float(special.ndtri(0.5 + float(parameters["share"]) / 2))


def _formula(name: str, parameters: Mapping[str, Any]) -> Metric:
    del parameters
    return ErrorFormula(
        name=name,
        formula=regression.FORMULAS[name],
        unit_scale=name in {"pearson", "r_squared"},
    )


def _limit(name: str, parameters: Mapping[str, Any]) -> Metric:
    z = _z(parameters, 1 if name == "loa_upper" else -1)
    share = float(parameters["share"])
    linked = parameters["repeats"] == "linked"
    return LimitOfAgreement(
        name=name,
        family="agreement" if linked else "agreement.unlinked",
        formula=partial(_agreement_limit, z=z),
        columns=_agreement_columns if linked else _unlinked_columns,
        share=share,
        linked=linked,
    )


def _mean_difference(name: str, parameters: Mapping[str, Any]) -> Metric:
    margin = float(parameters["margin"])
    return MeanDifference(name=name, formula=regression.FORMULAS["bias"], margin=margin)


def allowance_of(parameters: Mapping[str, Any]) -> regression.Allowance:
    """Return the allowable difference that an endpoint's parameters declare."""
    return regression.Allowance(float(parameters["absolute"]), float(parameters["relative"]))


def _allowance(name: str, parameters: Mapping[str, Any]) -> Metric:
    return ValueShare(name=name, hits=partial(_within, allowance_of(parameters)))


def _coverage(name: str, parameters: Mapping[str, Any]) -> Metric:
    del parameters
    return ValueShare(name=name, hits=covered, needs="interval")


def _concordance(name: str, parameters: Mapping[str, Any]) -> Metric:
    del parameters
    return Concordance(name=name, formula=regression.FORMULAS["ccc"], unit_scale=True)


def _intraclass(name: str, parameters: Mapping[str, Any]) -> Metric:
    del parameters
    form = reliability.Form.TWO_SINGLE if name == "icc_2_1" else reliability.Form.THREE_SINGLE
    formula = partial(reliability.intraclass_formula, form=form)
    return Intraclass(name=name, formula=formula, form=form, unit_scale=True)


def _rank(name: str, parameters: Mapping[str, Any]) -> Metric:
    del parameters
    loop = regression.spearman if name == "spearman" else regression.median_absolute_error
    return Ranked(name=name, loop=partial(_by_code, loop), unit_scale=name == "spearman")


def _repeats(name: str, parameters: Mapping[str, Any]) -> Metric:
    del parameters
    if name == "within_subject_cv":
        formula = partial(_repeat_formula, column=2, factor=1.0)
        return Repeats(name=name, formula=formula, closed=reliability.within_subject_cv)
    factor = float(special.ndtri(0.975)) * math.sqrt(2)
    formula = partial(_repeat_formula, column=1, factor=factor)
    return Repeats(name=name, formula=formula, closed=reliability.repeatability_coefficient)


MAKERS: Mapping[str, Callable[[str, Mapping[str, Any]], Metric]] = {
    **line_metrics.MAKERS,
    "mean_difference": _mean_difference,
    "loa_lower": _limit,
    "loa_upper": _limit,
    "mae": _formula,
    "rmse": _formula,
    "median_absolute_error": _rank,
    "mape": _formula,
    "within_allowance": _allowance,
    "r_squared": _formula,
    "pearson": _formula,
    "spearman": _rank,
    "ccc": _concordance,
    "icc_2_1": _intraclass,
    "icc_3_1": _intraclass,
    "within_subject_cv": _repeats,
    "repeatability_coefficient": _repeats,
    "interval_coverage": _coverage,
}
"""What makes each quantity from its parameters, by its name."""
