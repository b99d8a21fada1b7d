"""The quantities of detection as a protocol names them, made from an endpoint's columns.

Curves, areas and precision are made from `image` (places in the cohort), `failed` (counted as
without output) and the cohort's `response` or `matches` (the same in every row); rates at a
threshold from counts by image; panoptic quality from `sums` by image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from proctor_workers.metrics import instances
from proctor_workers.metrics.detection import areas, average_precision, coco, froc, responses
from proctor_workers.metrics.detection.froc import Loop
from proctor_workers.metrics.detection.intervals import jackknife_spread, on_the_logit
from proctor_workers.metrics.detection.responses import FreeResponse
from proctor_workers.metrics.metric import (
    Estimate,
    FormulaOfSums,
    Hits,
    Metric,
    Plan,
    Weighted,
    absent,
    divide,
    share_limits,
)
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Bools, Floats, Ints
from proctor_workers.statistics.bootstrap import Resampling, jackknife_influence

AS_WORST, AS_BEST = 1, 2  # in `failed`: what an image without output counts as
_NO_PREVALENCE = (
    "refused: false marks depend on the mix of images; sampling was not consecutive, and neither "
    "weights nor a target prevalence are given"
)
_NO_LESIONS = "not estimable: no lesions"
_ALL_DISEASED = "not estimable: every image has a lesion; ask for every_image"
_ONE_KIND = "not estimable: all patients have lesions, or none has"


def _shifted(metric: Metric, sample: Sample, design: Design) -> str | None:
    if not metric.prevalence_bound or design.represents_prevalence:
        return None
    if design.prevalence is None:
        return _NO_PREVALENCE
    diseased = _diseased(sample)
    return None if diseased.any() and not diseased.all() else _ONE_KIND


def _diseased(sample: Sample) -> Bools:
    """Return which rows are of a patient with a lesion."""
    code, stratum = sample.codes()
    return (np.bincount(code, weights=sample.positive, minlength=len(stratum)) > 0)[code]


def _standardised(metric: Metric, sample: Sample, design: Design) -> Sample:
    """Weight the images of patients with lesions to the declared prevalence, where need be."""
    if not metric.prevalence_bound or design.standardised_to is None:
        return sample
    diseased = _diseased(sample)
    total = np.where(diseased, np.sum(diseased), np.sum(~diseased))
    wanted = np.where(diseased, design.standardised_to, 1 - design.standardised_to)
    return replace(sample, weight=wanted / total * len(sample))


def _flags(metric: Metric, sample: Sample, design: Design) -> tuple[str, ...]:
    if metric.prevalence_bound and design.standardised_to is not None:
        return (f"standardised to the declared prevalence {design.standardised_to:g}",)
    return ("weighted by the sampling weights",) if sample.weighted else ()


def of_sample(sample: Sample, cap: int) -> FreeResponse:
    """Return hits and false marks on the sample's images; failed ones as the worst or best case."""
    whole: FreeResponse = sample["response"][0]
    code, _ = sample.codes()
    nobody = np.zeros(len(sample), dtype=np.bool_)
    found = responses.taken(whole, sample["image"], code, sample.weight, nobody)
    worst, best = sample["failed"] == AS_WORST, sample["failed"] == AS_BEST
    found = responses.with_failures(found, worst, cap) if worst.any() else found
    return responses.with_successes(found, best) if best.any() else found


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionShare(FormulaOfSums):
    """The share of lesions that are hit, with exact limits that know the patients."""

    def least_patients(self, sample: Sample, design: Design) -> int:
        """Return the patients with lesions."""
        del design
        return len(np.unique(sample.patient[sample["lesions"] > 0]))

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse a sample without lesions."""
        del design
        return None if sample["lesions"].sum() > 0 else _NO_LESIONS

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the share with Clopper-Pearson or, several lesions a patient, Korn-Graubard."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        if plan.method == "bootstrap_bca":
            return self.bootstrapped(sample, plan)
        lesions = sample["lesions"].astype(np.int64)
        row = np.repeat(np.arange(len(sample)), lesions)
        within = np.arange(len(row)) - np.repeat(np.cumsum(lesions) - lesions, lesions)
        by_lesion = Sample(
            patient=sample.patient[row],
            weight=sample.weight[row],
            stratum=sample.stratum[row],
            columns={},
        )
        hit = within < sample["hits"][row]
        return share_limits(
            Hits(inside=np.ones(len(row), dtype=np.bool_), hit=hit), by_lesion, plan
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRate(FormulaOfSums):
    """The mean number of false marks an image, at the declared prevalence where need be."""

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what an enriched cohort shifts."""
        return FormulaOfSums.refusal(self, sample, design) or _shifted(self, sample, design)

    def point(self, sample: Sample, design: Design) -> float:
        """Return the rate."""
        return FormulaOfSums.point(self, _standardised(self, sample, design), design)

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the rate in each resample."""
        return FormulaOfSums.replicate(self, _standardised(self, sample, design), design, draws)

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return the stratified jackknife's influences."""
        return FormulaOfSums.influence(self, _standardised(self, sample, design), design)

    def flags(self, sample: Sample, design: Design) -> tuple[str, ...]:
        """Name weights and the prevalence that the rate is standardised to."""
        return _flags(self, sample, design)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPatients(Weighted):
    """A statistic of patients that may have the stratified jackknife's limits."""

    refused: Callable[[Sample], str | None]

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what an enriched cohort shifts, and what has nothing to compare."""
        reason = Weighted.refusal(self, sample, design) or _shifted(self, sample, design)
        return reason or self.refused(sample)

    def point(self, sample: Sample, design: Design) -> float:
        """Return the value with every patient drawn once."""
        return Weighted.point(self, _standardised(self, sample, design), design)

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the value in each resample."""
        return Weighted.replicate(self, _standardised(self, sample, design), design, draws)

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return influences, in closed form or by leaving groups of patients out."""
        return Weighted.influence(self, _standardised(self, sample, design), design)

    def flags(self, sample: Sample, design: Design) -> tuple[str, ...]:
        """Name weights and the prevalence that the value is standardised to."""
        return _flags(self, sample, design)

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return value and limits by the bootstrap, or by the jackknife where it is asked for."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        if plan.method != "jackknife":
            return self.bootstrapped(sample, plan)
        value = self.point(sample, plan.design)
        _, stratum = sample.codes()
        half = jackknife_spread(self.influence(sample, plan.design), stratum, plan.level)
        lower, upper = on_the_logit(value, half) or (None, None)
        flags = self.flags(sample, plan.design)
        return Estimate(
            n=len(sample),
            patients=len(stratum),
            n_positive=sample.n_positive,
            method="patient jackknife on the logit, Student",
            value=value,
            lower=lower,
            upper=upper,
            effective_n=float(len(stratum)),
            flags=flags if lower is not None else (*flags, "no interval: value at its end"),
        )


def _one(loop: Loop, outputs: int, number: int) -> Callable[[Ints, Floats], None]:
    """Return a loop for one of several outputs."""

    def fill(times: Ints, values: Floats) -> None:
        block = np.empty((len(times), outputs))
        loop(times, block)
        values[:] = block[:, number]

    return fill


def _influence(sample: Sample, without: Floats) -> Floats:
    return jackknife_influence(without, sample.codes()[1])


def _read(name: str, rates: Floats, number: int, cap: int) -> OfPatients:
    def loop(sample: Sample) -> Callable[[Ints, Floats], None]:
        found = froc.sensitivities(of_sample(sample, cap), rates)
        return _one(found, len(rates) + 1, number)

    def pull(sample: Sample) -> Floats:
        found = froc.sensitivities_without(of_sample(sample, cap), rates)
        return _influence(sample, found[:, number])

    return OfPatients(
        name=name,
        family="froc",
        prevalence_bound=True,
        loop=loop,
        of_patients=pull,
        refused=lambda sample: None if of_sample(sample, cap).lesions_on.any() else _NO_LESIONS,
    )


def _area(name: str, ratings: Callable[[FreeResponse], areas.Ratings], cap: int) -> OfPatients:
    def loop(sample: Sample) -> Callable[[Ints, Floats], None]:
        return _one(areas.areas(ratings(of_sample(sample, cap))), 1, 0)

    def pull(sample: Sample) -> Floats:
        return _influence(sample, areas.areas_without(ratings(of_sample(sample, cap)))[:, 0])

    def refused(sample: Sample) -> str | None:
        positive = ratings(of_sample(sample, cap)).positive
        if 0 < positive.sum() < len(positive):
            return None
        if name == "patient_auroc":
            return _ONE_KIND
        return _ALL_DISEASED if positive.any() else _NO_LESIONS

    return OfPatients(name=name, family="froc", loop=loop, of_patients=pull, refused=refused)


def _matches(sample: Sample, cap: int) -> coco.Matches:
    whole: coco.Matches = sample["matches"][0]
    return coco.taken(whole, sample["image"], sample["failed"] == AS_WORST, cap)


def _has_objects(sample: Sample) -> str | None:
    return None if sample["lesions"].sum() > 0 else _NO_LESIONS


def _precision(parameters: Mapping[str, Any]) -> OfPatients:
    steps = {"50:95": range(10), "50": range(1), "75": range(5, 6)}[parameters["overlap"]]
    wanted = [(list(coco.AREAS).index(parameters["size"]), steps)]
    cap = parameters["false_marks_if_failed"]

    def loop(sample: Sample) -> Callable[[Ints, Floats], None]:
        code, _ = sample.codes()
        found = _matches(sample, cap)
        return _one(average_precision.precisions(found, code, sample.weight, wanted), 1, 0)

    return OfPatients(
        name="average_precision",
        family="average_precision",
        prevalence_bound=True,
        loop=loop,
        refused=_has_objects,
    )


def _recall(parameters: Mapping[str, Any]) -> FormulaOfSums:
    wanted = (list(coco.AREAS).index(parameters["size"]), coco.MOST.index(parameters["marks"]))

    def columns(sample: Sample) -> Floats:
        found = _matches(sample, 0)
        rows = np.arange(len(sample))
        parts = average_precision.recall_sums(found, rows, sample.weight, wanted)
        return np.hstack(parts)

    def formula(sums: Floats) -> Floats:
        half = sums.shape[-1] // 2
        return average_precision.mean_recall(sums[..., :half], sums[..., half:])

    return FormulaOfSums(name="average_recall", family="sums", columns=columns, formula=formula)


def _counted(*names: str) -> Callable[[Sample], Floats]:
    def columns(sample: Sample) -> Floats:
        found: Floats = np.column_stack([sample[name] * sample.weight for name in names])
        return found

    return columns


def _ratio(sums: Floats) -> Floats:
    return divide(sums[..., 0], sums[..., 1])


def _lesion_share(name: str) -> LesionShare:
    return LesionShare(name=name, columns=_counted("hits", "lesions"), formula=_ratio)


def _mark_rate(name: str) -> MarkRate:
    return MarkRate(
        name=name,
        prevalence_bound=True,
        unit_scale=False,
        columns=_counted("false", "images"),
        formula=_ratio,
    )


def _of_instances(name: str) -> FormulaOfSums:
    def columns(sample: Sample) -> Floats:
        table: Floats = sample["sums"] * sample.weight[:, None]
        return table

    def formula(sums: Floats) -> Floats:
        by_class = sums.reshape(*sums.shape[:-1], -1, len(instances.COLUMNS))
        return instances.class_mean(_INSTANCES[name](by_class))

    return FormulaOfSums(
        name=name,
        columns=columns,
        formula=formula,
        reference_test="R20" if name == "panoptic_quality" else None,
    )


_INSTANCES = {
    "panoptic_quality": instances.panoptic_quality,
    "segmentation_quality": instances.segmentation_quality,
    "recognition_quality": instances.recognition_quality,
    "instance_dice": instances.lesionwise_dice,
}


def metrics(parameters: Mapping[str, Any]) -> dict[str, Callable[[], Metric]]:
    """Return how each quantity is made with its parameters."""
    cap = parameters.get("false_marks_if_failed", 0)
    every = parameters.get("every_image", False)
    return {
        "lesion_sensitivity": lambda: _lesion_share("lesion_sensitivity"),
        "llf": lambda: _lesion_share("llf"),
        "false_marks_per_image": lambda: _mark_rate("false_marks_per_image"),
        "nlf": lambda: _mark_rate("nlf"),
        "froc_sensitivity": lambda: _read(
            "froc_sensitivity", np.array([float(parameters["rate"])]), 0, cap
        ),
        "froc_score": lambda: _read(
            "froc_score",
            np.sort(np.array(parameters["rates"], dtype=np.float64)),
            len(parameters["rates"]),
            cap,
        ),
        "afroc_auc": lambda: _area(
            "afroc_auc",
            lambda response: areas.afroc(response, weighted=False, every_image=every),
            cap,
        ),
        "wafroc_auc": lambda: _area(
            "wafroc_auc",
            lambda response: areas.afroc(response, weighted=True, every_image=every),
            cap,
        ),
        "patient_auroc": lambda: _area("patient_auroc", areas.patient_roc, cap),
        "average_precision": lambda: _precision(parameters),
        "average_recall": lambda: _recall(parameters),
    } | {name: partial(_of_instances, name) for name in _INSTANCES}
