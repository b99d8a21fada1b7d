"""Quantities of readers: their agreement, and a device or an arm beside the mean reader."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
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
from proctor_workers.metrics.readers import (
    ReaderStudy,
    analyse,
    auc_figures,
    sensitivity_figures,
    specificity_figures,
)
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Floats, Ints, group_sums
from proctor_workers.statistics.auc import patient_auc
from proctor_workers.statistics.bootstrap import (
    Resampling,
    jackknife_influence,
)
from proctor_workers.statistics.categories import NONE
from proctor_workers.statistics.obuchowski_rockette import (
    CASES,
    READERS,
    READERS_AND_CASES,
    Contrast,
    against_standalone,
    beyond_margin,
    dbm_components,
)
from proctor_workers.statistics.reader_covariance import Figures, Reading

_FEW = "not estimable: fewer than two readers"
_GAPS = "not estimable: a reader has not read every case"
_METHOD = "Obuchowski-Rockette, {}, {}"


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


class Merit(ABC):
    """A figure of merit of raters' outputs (n, raters)."""

    @abstractmethod
    def values(self, outputs: Floats, sample: Sample) -> Floats:
        """Return the figure of each rater."""

    @abstractmethod
    def influence(self, output: Floats, sample: Sample) -> Floats:
        """Return each patient's influence on one rater's figure."""

    @abstractmethod
    def drawn(self, output: Floats, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return one rater's figure in each resample of patients."""

    @abstractmethod
    def figures(self, outputs: Floats, sample: Sample) -> Figures:
        """Return the figures of outputs (modalities, raters, n) with their covariance."""


@dataclass(frozen=True, slots=True)
class AreaMerit(Merit):
    """The area under the ROC curve of ratings."""

    covariance: str

    def values(self, outputs: Floats, sample: Sample) -> Floats:
        """Return each rater's area."""
        code, stratum = sample.codes()
        return np.array(
            [patient_auc(one, sample.positive, code, len(stratum)).auc for one in outputs.T]
        )

    def influence(self, output: Floats, sample: Sample) -> Floats:
        """Return each patient's centred placements."""
        code, stratum = sample.codes()
        return patient_auc(output, sample.positive, code, len(stratum)).influence

    def drawn(self, output: Floats, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the area in each resample."""
        rater = replace(sample, columns={"positive": sample.positive, "score": output})
        return METRICS["auroc"].replicate(rater, design, draws)

    def figures(self, outputs: Floats, sample: Sample) -> Figures:
        """Return the areas, with the covariance that the protocol names."""
        code, _ = sample.codes()
        reading = Reading(rating=outputs, positive=sample.positive, patient=code)
        return auc_figures(reading, self.covariance)


@dataclass(frozen=True, slots=True)
class RateMerit(Merit):
    """Sensitivity or specificity of calls (1 or 0)."""

    of_positives: bool

    def _sums(self, output: Floats, sample: Sample) -> tuple[Floats, Ints]:
        """Return each patient's hits and rows that count (patients, 2), and its stratum."""
        code, stratum = sample.codes()
        inside = (sample.positive if self.of_positives else ~sample.positive).astype(np.float64)
        hit = output if self.of_positives else 1 - output
        return group_sums(np.column_stack([hit * inside, inside]), code, len(stratum)), stratum

    def values(self, outputs: Floats, sample: Sample) -> Floats:
        """Return each rater's rate."""
        totals = [self._sums(one, sample)[0].sum(axis=0) for one in outputs.T]
        return np.array([hits / rows for hits, rows in totals])

    def influence(self, output: Floats, sample: Sample) -> Floats:
        """Return the jackknife's influences."""
        sums, stratum = self._sums(output, sample)
        left = sums.sum(axis=0) - sums
        return jackknife_influence(divide(left[:, 0], left[:, 1]), stratum)

    def drawn(self, output: Floats, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the rate in each resample."""
        del design
        found = draws.sums(self._sums(output, sample)[0])
        return divide(found[:, 0], found[:, 1])

    def figures(self, outputs: Floats, sample: Sample) -> Figures:
        """Return the rates with jackknife covariance."""
        rates = sensitivity_figures if self.of_positives else specificity_figures
        return rates(outputs == 1, sample.positive, sample.patient)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderDifference(Metric):
    """A difference of mean figures of merit by Obuchowski and Rockette's model.

    The bootstrap, which a subgroup's contrast or a protocol may ask for, draws patients for these
    very readers.
    """

    merit: Merit
    margin: float = 0.0
    family: str = "readers"
    unit_scale: bool = False

    @abstractmethod
    def sides(self, sample: Sample) -> tuple[Floats, Floats]:
        """Return what is compared, (n, raters) each: the value is mean figure first less second."""

    @abstractmethod
    def contrast(self, sample: Sample, level: float) -> tuple[Contrast, str, dict[str, Any]]:
        """Return the difference with its limits, the method's name and what stands beside it."""

    def point(self, sample: Sample, design: Design) -> float:
        """Return the difference of the mean figures."""
        del design
        first, second = (self.merit.values(side, sample).mean() for side in self.sides(sample))
        return float(first - second)

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return each patient's influence for these readers."""
        del design
        parts = [
            np.mean([self.merit.influence(output, sample) for output in side.T], axis=0)
            for side in self.sides(sample)
        ]
        return np.asarray(parts[0] - parts[1])

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the difference in each resample of patients."""
        parts = [
            np.mean([self.merit.drawn(output, sample, design, draws) for output in side.T], axis=0)
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
        """Return the difference with limits at Hillis' degrees of freedom."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        if plan.method == "bootstrap_bca":
            return self.bootstrapped(sample, plan)
        found, method, more = self.contrast(sample, plan.level)
        return Estimate(
            n=len(sample),
            patients=sample.patients,
            n_positive=sample.n_positive,
            method=method,
            value=found.value,
            lower=found.lower,
            upper=found.upper,
            effective_n=float(sample.patients),
            flags=("not weighted by the sampling weights",) if sample.weighted else (),
            extra={
                "standard_error": found.error,
                "p_value": found.p_value,
                "p_beyond_margin": beyond_margin(found, self.margin),
                "margin": self.margin,
                "readers": max(side.shape[1] for side in self.sides(sample)),
            }
            | ({} if math.isinf(found.df) else {"df": found.df})
            | more,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MinusReaders(ReaderDifference):
    """The device's figure less the mean reader's: `score` or `call`, and `readers` (n, readers)."""

    def sides(self, sample: Sample) -> tuple[Floats, Floats]:
        """Return the device, then the readers."""
        own = sample.score if self.needs == "score" else sample.call.astype(np.float64)
        return own[:, None], sample["readers"]

    def contrast(self, sample: Sample, level: float) -> tuple[Contrast, str, dict[str, Any]]:
        """Return device less mean reader."""
        device, readers = self.sides(sample)
        outputs = np.ascontiguousarray(np.hstack([readers, device]).T[None])
        figures = self.merit.figures(outputs, sample)
        values = figures.values[0]
        found = against_standalone(values[:-1], float(values[-1]), figures.covariance, level)
        turned = replace(found, value=-found.value, lower=-found.upper, upper=-found.lower)
        return turned, _METHOD.format(figures.method, READERS_AND_CASES), {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmGain(ReaderDifference):
    """One arm's mean figure less another's, read by the same readers: `arm` and `against`."""

    inference: str = READERS_AND_CASES

    def sides(self, sample: Sample) -> tuple[Floats, Floats]:
        """Return the two arms."""
        return sample["arm"], sample["against"]

    def contrast(self, sample: Sample, level: float) -> tuple[Contrast, str, dict[str, Any]]:
        """Return arm less arm, with the model's components."""
        outputs = np.ascontiguousarray(np.stack([side.T for side in self.sides(sample)]))
        figures = self.merit.figures(outputs, sample)
        study = analyse(figures, self.inference, level)
        if study.comparison is None:
            raise ValueError("a difference of arms needs two of them")
        method = _METHOD.format(figures.method, self.inference)
        return study.comparison.contrasts[0], method, _components(study)


def _components(study: ReaderStudy) -> dict[str, Any]:
    parts = study.parts
    names = ("ms_t", "ms_r", "ms_tr", "error", "cov1", "cov2", "cov3")
    return {
        "arms": [mean.value for mean in study.means],
        "components": {name: getattr(parts, name) for name in names},
        "dbm": asdict(dbm_components(parts)),
    }


def reader_metric(name: str, parameters: Mapping[str, Any]) -> Metric | None:
    """Return a quantity of readers, None for a name that is none."""
    if name == "reader_agreement":
        return reader_agreement(parameters["coefficient"])
    if name in _MINUS:
        merit, needs = _MINUS[name]
        return MinusReaders(
            name=name,
            needs=needs,
            merit=AreaMerit(parameters["covariance"]) if merit is None else merit,
            margin=float(parameters["margin"]),
        )
    if name == "reader_arm_gain":
        rate = _RATES.get(parameters["figure"])
        return ArmGain(
            name=name,
            needs="nothing",
            merit=AreaMerit(parameters["covariance"]) if rate is None else rate,
            margin=float(parameters["margin"]),
            inference=INFERENCES[parameters["inference"]],
        )
    return None


_RATES: Mapping[str, Merit] = {"sensitivity": RateMerit(True), "specificity": RateMerit(False)}
_MINUS: Mapping[str, tuple[Merit | None, str]] = {
    "auroc_minus_readers": (None, "score"),
    "sensitivity_minus_readers": (_RATES["sensitivity"], "call"),
    "specificity_minus_readers": (_RATES["specificity"], "call"),
}
INFERENCES = {"readers_and_cases": READERS_AND_CASES, "cases": CASES, "readers": READERS}


def unread(readers: Floats | Ints) -> Floats:
    """Return codes as numbers, NaN where a reader gave none."""
    return np.where(readers == NONE, np.nan, readers.astype(np.float64))
