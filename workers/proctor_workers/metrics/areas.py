"""Areas over several classes: the form they share, Hand and Till's, and means over labels."""

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import special

from proctor_workers.metrics.binary import METRICS as BINARY
from proctor_workers.metrics.metric import Estimate, Loop, Metric, Plan, absent
from proctor_workers.metrics.multiclass import shifted
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics import auc
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.pairwise_auc import (
    SeveralAuc,
    hand_till,
    hand_till_batch,
    mean_auc,
    mean_auc_batch,
    tie_groups,
)
from proctor_workers.statistics.proportions import student_quantile

_HIGH_AREA, _SMALL_CLASS = 0.95, 100  # as for two classes: the logit's lower limit errs there


@dataclass(frozen=True, slots=True, kw_only=True)
class Area(Metric):
    """An area between 0 and 1 whose variance sums influences over patients.

    Limits are Student's on the logit, at Satterthwaite's df over the classes. Where the area or
    its variance leaves no logit, or a criterion decides on an area planned at 0.95 or above with a
    class below 100, Newcombe's method 5 is taken at the two smallest classes' sizes, which no
    other pair of classes would widen.
    """

    needs: str = "scores"
    logit_scale: bool = True

    @abstractmethod
    def loop(self, sample: Sample) -> Loop:
        """Return the area of draw counts."""

    @abstractmethod
    def found(self, sample: Sample) -> SeveralAuc:
        """Return value, patient-clustered variance, df and influence per patient."""

    @abstractmethod
    def classes(self, sample: Sample) -> list[int]:
        """Return how many rows each class has."""

    def point(self, sample: Sample, design: Design) -> float:
        """Return the area."""
        del design
        return self.found(sample).value

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the area in each resample."""
        del design
        return draws.values(self.loop(sample))

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return each patient's centred placements."""
        del design
        return self.found(sample).influence

    def least_patients(self, sample: Sample, design: Design) -> int:
        """Return the rows of the smallest class, at most the patients."""
        del design
        return min([sample.patients, *self.classes(sample)])

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the area with limits on the logit, or bootstrapped where the plan says so."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        if plan.method == "bootstrap_bca":
            return self.bootstrapped(sample, plan)
        found = self.found(sample)
        first, second = sorted(self.classes(sample))[:2]
        deciding = plan.planned_auc is not None and plan.planned_auc >= _HIGH_AREA
        degenerate = not 0 < found.value < 1 or found.variance <= 0
        if degenerate or (deciding and first < _SMALL_CLASS):
            patients = sample.patients / max(len(sample), 1)
            sizes = (max(1.0, first * patients), max(1.0, second * patients))
            lower, upper = auc.newcombe_method5(found.value, *sizes, plan.level)
            method = "Newcombe method 5, two smallest classes"
        else:
            lower, upper = _logit_limits(found, plan.level)
            method = "influence on the logit, Satterthwaite df"
        return Estimate(
            n=len(sample),
            patients=sample.patients,
            n_positive=sample.n_positive,
            method=method + (", patient-clustered" if sample.clustered else ""),
            value=found.value,
            lower=lower,
            upper=upper,
            effective_n=float(min(first, sample.patients)),
            flags=("not weighted by the sampling weights",) if sample.weighted else (),
            extra={"standard_error": math.sqrt(found.variance), "df": found.df},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HandTill(Area):
    """Hand and Till's area over all pairs of categories, from `truth` (one-hot) and `scores`."""

    name: str = "hand_till_auc"
    family: str = "hand_till"

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse a category without a case."""
        del design
        missing = not sample["truth"].any(axis=0).all()
        return "not estimable: a category has no case" if missing else None

    def loop(self, sample: Sample) -> Loop:
        """Return the area of draw counts."""
        code, _ = sample.codes()
        return partial(
            hand_till_batch, *tie_groups(sample["scores"]), _truth(sample), sample.weight, code
        )

    def found(self, sample: Sample) -> SeveralAuc:
        """Return value, variance, df and influence."""
        code, stratum = sample.codes()
        return hand_till(sample["scores"], _truth(sample), code, len(stratum))

    def classes(self, sample: Sample) -> list[int]:
        """Return the cases of each category."""
        return [int(size) for size in sample["truth"].sum(axis=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanArea(Area):
    """The unweighted mean of each column's area against the rest, from `truth` and `scores`."""

    family: str = "mean_auroc"

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse a column of one class, and a rest whose mixture the sampling shifts."""
        present, rows = sample["truth"].sum(axis=0), len(sample)
        one = np.any((present == 0) | (present == rows))
        return shifted(self, design) or (
            "not estimable: a label has cases of one class only" if one else None
        )

    def loop(self, sample: Sample) -> Loop:
        """Return the mean area of draw counts."""
        code, _ = sample.codes()
        positive = np.ascontiguousarray(sample["truth"].T)
        return partial(mean_auc_batch, *tie_groups(sample["scores"]), positive, sample.weight, code)

    def found(self, sample: Sample) -> SeveralAuc:
        """Return value, variance, df and influence."""
        code, stratum = sample.codes()
        return mean_auc(sample["scores"], sample["truth"], code, len(stratum))

    def classes(self, sample: Sample) -> list[int]:
        """Return positives and negatives of the column with the smallest class."""
        present = sample["truth"].sum(axis=0).astype(np.int64)
        smaller = np.minimum(present, len(sample) - present)
        column = int(np.argmin(smaller))
        return [int(present[column]), int(len(sample) - present[column])]


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledArea(Metric):
    """The area of all labels' decisions as one ranking; a case's labels are one cluster."""

    name: str = "label_micro_auroc"
    needs: str = "scores"
    family: str = "pooled_auroc"
    logit_scale: bool = True
    prevalence_bound: bool = True

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse one class, and labels whose mixture the sampling shifts."""
        return shifted(self, design) or BINARY["auroc"].refusal(pooled(sample), design)

    def point(self, sample: Sample, design: Design) -> float:
        """Return the area."""
        return BINARY["auroc"].point(pooled(sample), design)

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the area in each resample."""
        return BINARY["auroc"].replicate(pooled(sample), design, draws)

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return each patient's centred placements."""
        return BINARY["auroc"].influence(pooled(sample), design)

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the area with Obuchowski's limits by patient."""
        found = BINARY["auroc"].estimate(pooled(sample), plan)
        return replace(found, n=len(sample), n_positive=None)


def pooled(sample: Sample) -> Sample:
    """Line up all labels' decisions as rows: a row for each case and label."""
    labels = sample["truth"].shape[1]
    return Sample(
        patient=np.repeat(sample.patient, labels),
        weight=np.repeat(sample.weight, labels),
        stratum=np.repeat(sample.stratum, labels),
        columns={"positive": sample["truth"].ravel(), "score": sample["scores"].ravel()},
    )


def _logit_limits(found: SeveralAuc, level: float) -> tuple[float, float]:
    centre = float(special.logit(found.value))
    error = math.sqrt(found.variance) / (found.value * (1 - found.value))
    half = student_quantile(found.df, level) * error
    return float(special.expit(centre - half)), float(special.expit(centre + half))


def _truth(sample: Sample) -> Ints:
    return np.asarray(sample["truth"].argmax(axis=1), dtype=np.int64)
