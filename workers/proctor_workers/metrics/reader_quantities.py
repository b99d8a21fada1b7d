"""Quantities of readers: their agreement, and a device or an arm beside the mean reader."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from proctor_workers.metrics.agreement import COEFFICIENTS, Ratings, TooFewRatingsError
from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.metric import (
    Estimate,
    FormulaOfSums,
    Metric,
    Plan,
    absent,
    divide,
)
from proctor_workers.metrics.readers import COVARIANCES, analyse
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Floats, Ints, group_sums
from proctor_workers.statistics.auc import patient_auc
from proctor_workers.statistics.bootstrap import (
    Resampling,
    bootstrap_sums,
    jackknife_influence,
)
from proctor_workers.statistics.categories import NONE
from proctor_workers.statistics.obuchowski_rockette import Contrast, against_standalone
from proctor_workers.statistics.reader_covariance import Figures, Reading, share_jackknife

_FEW = "not estimable: fewer than two readers"
_GAPS = "not estimable: a reader has not read every case"
METHOD = "Obuchowski-Rockette, {}, Hillis df, random readers and cases"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderAgreement(FormulaOfSums):
    """A coefficient of agreement among the readers, from `ratings` (rows, readers)."""

    needs: str = "nothing"
    unit_scale: bool = False

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse a sample that no two readers have rated, and a number of readers that is wrong."""
        del design
        if not len(sample) or sample["ratings"].shape[1] < 2:
            return _FEW
        try:
            self.columns(sample)
        except TooFewRatingsError:
            return "not estimable: no case is rated by two readers, or kappa is of more than two"
        return None


def _agreement_columns(coefficient: str, sample: Sample) -> Floats:
    ratings = Ratings(codes=sample["ratings"], categories=int(sample["categories"][0]))
    return COEFFICIENTS[coefficient].columns(ratings) * sample.weight[:, None]


def reader_agreement(coefficient: str) -> ReaderAgreement:
    """Return the agreement among readers by one of COEFFICIENTS."""
    return ReaderAgreement(
        name="reader_agreement",
        family=f"agreement/{coefficient}",
        columns=partial(_agreement_columns, coefficient),
        formula=COEFFICIENTS[coefficient].formula,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideReaders(Metric):
    """A difference of figures of merit with readers and cases random.

    The bootstrap, which a subgroup's contrast or a protocol may ask for, draws patients for these
    very readers.
    """

    unit_scale: bool = False

    @abstractmethod
    def sides(self, sample: Sample) -> tuple[Floats, Floats]:
        """Return what is compared, (n, raters) each: the value is mean figure first less second."""

    @abstractmethod
    def contrast(self, sample: Sample, level: float) -> tuple[Contrast, str]:
        """Return the difference with its limits, and the covariance's name."""

    @abstractmethod
    def figures(self, outputs: Floats, sample: Sample) -> Floats:
        """Return the figure of merit of each column of outputs (n, raters)."""

    @abstractmethod
    def each(self, output: Floats, sample: Sample) -> Floats:
        """Return each patient's influence on one rater's figure."""

    @abstractmethod
    def drawn(self, output: Floats, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return one rater's figure in each resample."""

    def point(self, sample: Sample, design: Design) -> float:
        """Return the difference of the mean figures."""
        del design
        first, second = (self.figures(side, sample).mean() for side in self.sides(sample))
        return float(first - second)

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return each patient's influence for these readers."""
        del design
        parts = [
            np.mean([self.each(output, sample) for output in side.T], axis=0)
            for side in self.sides(sample)
        ]
        return np.asarray(parts[0] - parts[1])

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the difference in each resample of patients."""
        parts = [
            np.mean([self.drawn(output, sample, design, draws) for output in side.T], axis=0)
            for side in self.sides(sample)
        ]
        return np.asarray(parts[0] - parts[1])

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse fewer than two readers, readings that are not crossed, and too few patients."""
        del design
        sides = self.sides(sample)
        if max(side.shape[1] for side in sides) < 2:
            return _FEW
        if any(np.isnan(side).any() for side in sides):
            return _GAPS
        patients = [
            len(np.unique(sample.patient[rows])) for rows in (sample.positive, ~sample.positive)
        ]
        return None if min(patients) >= 2 else "not estimable: fewer than two patients of a class"

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the difference with Student's limits at Hillis' degrees of freedom."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        if plan.method == "bootstrap_bca":
            return self.bootstrapped(sample, plan)
        found, covariance = self.contrast(sample, plan.level)
        finite = {} if math.isinf(found.df) else {"df": found.df}
        return Estimate(
            n=len(sample),
            patients=sample.patients,
            n_positive=sample.n_positive,
            method=METHOD.format(covariance),
            value=found.value,
            lower=found.lower,
            upper=found.upper,
            effective_n=float(sample.patients),
            flags=("not weighted by the sampling weights",) if sample.weighted else (),
            extra={
                "standard_error": found.error,
                "p_value": found.p_value,
                "readers": max(side.shape[1] for side in self.sides(sample)),
            }
            | finite,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfAreas(BesideReaders):
    """The figure of merit is the area under the ROC curve."""

    covariance: str = "jackknife"

    def figures(self, outputs: Floats, sample: Sample) -> Floats:
        """Return each rater's area."""
        code, stratum = sample.codes()
        return np.array(
            [patient_auc(one, sample.positive, code, len(stratum)).auc for one in outputs.T]
        )

    def each(self, output: Floats, sample: Sample) -> Floats:
        """Return each patient's centred placements."""
        code, stratum = sample.codes()
        return patient_auc(output, sample.positive, code, len(stratum)).influence

    def drawn(self, output: Floats, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return one rater's area in each resample."""
        rater = replace(sample, columns={"positive": sample.positive, "score": output})
        return METRICS["auroc"].replicate(rater, design, draws)

    def _figures(self, ratings: Floats, sample: Sample) -> Figures:
        code, _ = sample.codes()
        reading = Reading(rating=ratings, positive=sample.positive, patient=code)
        return COVARIANCES[self.covariance](reading)


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaMinusReaders(_OfAreas):
    """The device's area less the mean reader's, from `score` and `readers` (n, readers)."""

    name: str = "auroc_minus_readers"
    needs: str = "score"
    family: str = "beside_readers"

    def sides(self, sample: Sample) -> tuple[Floats, Floats]:
        """Return the device, then the readers."""
        return sample.score[:, None], sample["readers"]

    def contrast(self, sample: Sample, level: float) -> tuple[Contrast, str]:
        """Return device less mean reader."""
        device, readers = self.sides(sample)
        ratings = np.hstack([readers, device]).T[None]
        figures = self._figures(np.ascontiguousarray(ratings), sample)
        return _reversed(figures, level), figures.method


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmGain(_OfAreas):
    """One arm's mean area less another's, read by the same readers: `arm` and `against`."""

    name: str = "reader_arm_gain"
    needs: str = "nothing"
    family: str = "reader_arms"

    def sides(self, sample: Sample) -> tuple[Floats, Floats]:
        """Return the two arms."""
        return sample["arm"], sample["against"]

    def contrast(self, sample: Sample, level: float) -> tuple[Contrast, str]:
        """Return arm less arm."""
        arms = np.ascontiguousarray(np.stack([side.T for side in self.sides(sample)]))
        figures = self._figures(arms, sample)
        comparison = analyse(figures, level=level).comparison
        if comparison is None:
            raise ValueError("a difference of arms needs two of them")
        return comparison.contrasts[0], figures.method


@dataclass(frozen=True, slots=True, kw_only=True)
class RateMinusReaders(BesideReaders):
    """The device's sensitivity or specificity less the mean reader's: `call` and `readers`."""

    needs: str = "call"
    family: str = "rate_beside_readers"
    of_positives: bool = True

    def sides(self, sample: Sample) -> tuple[Floats, Floats]:
        """Return whether the device, then the readers, called each row."""
        return sample.call[:, None].astype(np.float64), sample["readers"]

    def _rows(self, sample: Sample) -> tuple[Floats, Any]:
        code, stratum = sample.codes()
        inside = sample.positive if self.of_positives else ~sample.positive
        return inside.astype(np.float64), (code, stratum)

    def _sums(self, output: Floats, sample: Sample) -> tuple[Floats, Any]:
        inside, (code, stratum) = self._rows(sample)
        hit = output if self.of_positives else 1 - output
        return group_sums(np.column_stack([hit * inside, inside]), code, len(stratum)), stratum

    def figures(self, outputs: Floats, sample: Sample) -> Floats:
        """Return each rater's rate."""
        totals = [self._sums(one, sample)[0].sum(axis=0) for one in outputs.T]
        return np.array([hits / rows for hits, rows in totals])

    def each(self, output: Floats, sample: Sample) -> Floats:
        """Return the jackknife's influences."""
        sums, stratum = self._sums(output, sample)
        left = sums.sum(axis=0) - sums
        return jackknife_influence(divide(left[:, 0], left[:, 1]), stratum)

    def drawn(self, output: Floats, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the rate in each resample."""
        del design
        found = bootstrap_sums(self._sums(output, sample)[0], draws)
        return divide(found[:, 0], found[:, 1])

    def contrast(self, sample: Sample, level: float) -> tuple[Contrast, str]:
        """Return device less mean reader."""
        device, readers = self.sides(sample)
        called = np.hstack([readers, device]).T[None] == 1
        hit = called if self.of_positives else ~called
        inside = sample.positive if self.of_positives else ~sample.positive
        figures = share_jackknife(hit, inside, sample.patient)
        return _reversed(figures, level), figures.method


def _reversed(figures: Figures, level: float) -> Contrast:
    """Return device less mean reader from figures (1, readers + 1) with the device last."""
    values = figures.values[0]
    found = against_standalone(values[:-1], float(values[-1]), figures.covariance, level)
    return replace(found, value=-found.value, lower=-found.upper, upper=-found.lower)


def reader_metric(name: str, parameters: Mapping[str, Any]) -> Metric | None:
    """Return a quantity of readers, None for a name that is none."""
    if name == "reader_agreement":
        return reader_agreement(parameters["coefficient"])
    if name == "auroc_minus_readers":
        return AreaMinusReaders(covariance=parameters["covariance"])
    if name == "reader_arm_gain":
        return ArmGain(covariance=parameters["covariance"])
    if name in {"sensitivity_minus_readers", "specificity_minus_readers"}:
        return RateMinusReaders(name=name, of_positives=name.startswith("sensitivity"))
    return None


def unread(readers: Floats | Ints) -> Floats:
    """Return codes as numbers, NaN where a reader gave none."""
    return np.where(readers == NONE, np.nan, readers.astype(np.float64))
