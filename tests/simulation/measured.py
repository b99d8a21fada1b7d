"""Means, agreement of measurements, concordance of survival, paired areas: drawn from models."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special
from tests.simulation.cohorts import Patients, limits, sample_of
from tests.simulation.coverage import Case, Limits, Row, repeated

from proctor_workers.metrics import agreement, reliability
from proctor_workers.metrics.case_values import over_cases
from proctor_workers.metrics.metric import FormulaOfSums, Metric
from proctor_workers.metrics.survival import concordance, follow_up
from proctor_workers.statistics.auc import delong_paired
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.draws import Stream
from proctor_workers.statistics.limits_of_agreement import limits_of_agreement
from proctor_workers.statistics.means import clustered_mean
from proctor_workers.statistics.paired import compare_shares

REPETITIONS = 2_000
_Z = float(special.ndtri(0.975))


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A method with the model that draws its cohorts and the value it should hold."""

    method: str
    scenario: str
    group: Patients
    draw: Callable[[np.random.Generator], Limits]
    truth: float
    kind: str = "approximate"
    decides: str = "lower"


def measured(repetitions: int = REPETITIONS) -> Iterator[Row]:
    """Every model below."""
    yield from rows_of((*_cases(), *_values(), *_raters(), *_survival(), *_pairs()), repetitions)


def rows_of(models: Iterable[Model], repetitions: int) -> Iterator[Row]:
    """Draw each model's cohorts and judge its method."""
    for one in models:
        case = Case(
            method=one.method,
            kind=one.kind,
            scenario=one.scenario,
            n=round(one.group.patients * one.group.rows),
            clusters=one.group.patients,
            decides=one.decides,
        )
        yield repeated(case, one.draw, one.truth, repetitions=repetitions)


def _cases() -> Iterator[Model]:
    """Overlap by case: a beta distribution with a long tail to the left."""
    shape = (8.0, 1.5)
    for group in (
        Patients(patients=30),
        Patients(patients=40),
        Patients(patients=120),
        Patients(patients=50, rows=3, correlation=0.5),
    ):
        for statistic in ("mean", "median"):
            metric = over_cases(
                "dice", statistic, left_out="no mask", unit_scale=True, complete_cases=True
            )
            middle = special.betaincinv(*shape, 0.5)

            def draw(
                rng: np.random.Generator, *, group: Patients = group, metric: Metric = metric
            ) -> Limits:
                patient = group.draw(rng)
                place = special.ndtr(group.normal(rng, patient))
                value = special.betaincinv(*shape, place)
                return limits(metric, sample_of(patient, value=value), int(rng.integers(2**31)))

            yield Model(
                method=f"patient bootstrap, BCa: {statistic} of cases",
                scenario="overlap, beta(8, 1.5)" + _alike(group),
                group=group,
                draw=draw,
                truth=shape[0] / sum(shape) if statistic == "mean" else float(middle),
            )
    for group in (Patients(patients=12), Patients(patients=25, rows=4, correlation=0.6)):

        def mean(rng: np.random.Generator, *, group: Patients = group) -> Limits:
            patient = group.draw(rng)
            found = clustered_mean(group.normal(rng, patient), patient)
            return found.lower, found.upper

        yield Model(
            method="t interval of a mean",
            scenario="normal differences" + _alike(group),
            group=group,
            draw=mean,
            truth=0.0,
        )


def _values() -> Iterator[Model]:
    """Differences of measurements: their limits of agreement, and concordance with the truth."""
    for n in (15, 60):
        for side, truth in (("lower", -_Z), ("upper", _Z)):

            def bound(rng: np.random.Generator, *, n: int = n, side: str = side) -> Limits:
                found = limits_of_agreement(rng.standard_normal(n))
                return found.lower_limits if side == "lower" else found.upper_limits

            yield Model(
                method="Carkeet, limits of agreement",
                scenario=f"{side} limit, normal differences",
                group=Patients(patients=n),
                draw=bound,
                truth=truth,
                kind="exact",
                decides=side,
            )
    for n, noise in ((20, 0.3), (80, 0.6)):

        def pair(rng: np.random.Generator, *, n: int = n, noise: float = noise) -> Limits:
            reference = rng.standard_normal(n)
            value = reference + 0.2 + noise * rng.standard_normal(n)
            found = reliability.concordance(value, reference)
            return found.lower, found.upper

        yield Model(
            method="Lin z, concordance correlation",
            scenario=f"bias 0.2, noise {noise:g} of the spread",
            group=Patients(patients=n),
            draw=pair,
            truth=2 / (2 + noise**2 + 0.04),
        )


def _raters() -> Iterator[Model]:
    for n, raters in ((15, 3), (40, 2)):

        def rated(rng: np.random.Generator, *, n: int = n, raters: int = raters) -> Limits:
            subject = rng.standard_normal(n)[:, None]
            offset = 0.5 * rng.standard_normal(raters)[None, :]
            ratings = subject + offset + 0.6 * rng.standard_normal((n, raters))
            found = reliability.intraclass(ratings, reliability.Form.THREE_SINGLE)
            return found.lower, found.upper

        yield Model(
            method="F, ICC(3,1)",
            scenario=f"{raters} raters, true value 0.74",
            group=Patients(patients=n),
            draw=rated,
            truth=1 / 1.36,
            kind="exact",
        )


def _survival() -> Iterator[Model]:
    """Proportional hazards, log risks normal, follow-up uniform; the truth of a large cohort."""
    for patients, deviation, end in ((80, 0.8, 2.0), (300, 1.2, 0.6)):
        truth = _large_concordance(deviation, end)

        def cohort(
            rng: np.random.Generator,
            *,
            patients: int = patients,
            deviation: float = deviation,
            end: float = end,
        ) -> Limits:
            data, risk = _followed(rng, patients, deviation, end)
            return concordance.limits(concordance.harrell(data, risk))

        yield Model(
            method="infinitesimal jackknife on the logit, Harrell's C",
            scenario=f"log risk {deviation:g}, follow-up to {end:g}",
            group=Patients(patients=patients),
            draw=cohort,
            truth=truth,
        )


def _followed(
    rng: np.random.Generator, n: int, deviation: float, end: float
) -> tuple[follow_up.FollowUp, np.ndarray]:
    risk = deviation * rng.standard_normal(n)
    time = rng.exponential(size=n) * np.exp(-risk)
    censored = rng.uniform(end / 2, end, n)
    data = follow_up.follow_up(np.minimum(time, censored), time <= censored, np.arange(n))
    return data, risk


def _large_concordance(deviation: float, end: float) -> float:
    data, risk = _followed(np.random.default_rng(1), 400_000, deviation, end)
    return concordance.harrell(data, risk).value


def _pairs() -> Iterator[Model]:
    """Two models on the same cases: areas by DeLong, shares by the patient bootstrap."""
    for area, m, n in ((0.85, 40, 80), (0.95, 40, 80)):

        def scores(
            rng: np.random.Generator, *, area: float = area, m: int = m, n: int = n
        ) -> Limits:
            positive = np.repeat([True, False], [m, n])
            shift = math.sqrt(2) * special.ndtri(area) * positive
            shared = rng.standard_normal(m + n)
            one, two = (
                shift + math.sqrt(0.6) * shared + math.sqrt(0.4) * rng.standard_normal(m + n)
                for _ in range(2)
            )
            found = delong_paired(one, two, positive, np.arange(m + n))
            return found.lower, found.upper

        yield Model(
            method="paired DeLong",
            scenario=f"both areas {area:g}, scores correlate 0.6, {m} and {n} cases",
            group=Patients(patients=m + n),
            draw=scores,
            truth=0.0,
        )
    for patients in (60, 100):
        group = Patients(patients=patients, rows=3, correlation=0.5)

        def calls(rng: np.random.Generator, *, group: Patients = group) -> Limits:
            patient = group.draw(rng)
            cut = special.ndtri(0.85)
            one, two = (group.normal(rng, patient) < cut for _ in range(2))
            plan = Resampling(
                2000,
                np.zeros(group.patients, dtype=np.int64),
                Stream(int(rng.integers(2**31)), "pair"),
            )
            weight = np.ones(len(patient))
            found = compare_shares(one, two, patient=patient, weight=weight, plan=plan, level=0.95)
            return found.difference.lower, found.difference.upper

        yield Model(
            method="patient bootstrap, BCa: paired difference of shares",
            scenario="both 0.85" + _alike(group),
            group=group,
            draw=calls,
            truth=0.0,
        )


def kappas(repetitions: int = REPETITIONS) -> Iterator[Row]:
    """Cohen's kappa of two raters by the patient bootstrap."""
    metric = _kappa_metric()
    for n, share, kappa in ((60, 0.3, 0.7), (150, 0.1, 0.6)):
        off = (1 - kappa) * share * (1 - share)
        cells = [share - off, off, off, 1 - share - off]

        def draw(rng: np.random.Generator, *, n: int = n, cells: list[float] = cells) -> Limits:
            cell = rng.choice(4, n, p=cells)
            sample = sample_of(np.arange(n), first=cell // 2, second=cell % 2)
            return limits(metric, sample, int(rng.integers(2**31)))

        case = Case(
            method="patient bootstrap, BCa: Cohen's kappa",
            kind="approximate",
            scenario=f"kappa {kappa:g}, {share:.0%} positive",
            n=n,
            clusters=n,
        )
        yield repeated(case, draw, kappa, repetitions=repetitions)


def _kappa_metric() -> FormulaOfSums:
    cohen = agreement.COEFFICIENTS["cohen_kappa"]
    return FormulaOfSums(
        name="cohen_kappa",
        columns=lambda sample: cohen.columns(
            agreement.Ratings(
                codes=np.column_stack([sample["first"], sample["second"]]).astype(np.int64),
                categories=2,
            )
        ),
        formula=cohen.formula,
    )


def _alike(group: Patients) -> str:
    return f", correlation {group.correlation:g}" if group.rows > 1 else ""
