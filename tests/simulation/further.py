"""Repeats, method comparison, survival at a time, reader studies, points of the ROC curve."""

from collections.abc import Iterator

import numpy as np
from scipy import special
from tests.simulation.cohorts import Patients, limits, scored
from tests.simulation.coverage import Limits, Row
from tests.simulation.measured import Model, rows_of

from proctor_workers.kinds.registry import KINDS
from proctor_workers.metrics import method_comparison, readers, reliability
from proctor_workers.metrics.survival import curves, follow_up
from proctor_workers.statistics.passing_bablok import passing_bablok
from proctor_workers.statistics.reader_covariance import Reading

REPETITIONS = 2_000


def further(repetitions: int = REPETITIONS) -> Iterator[Row]:
    """Every model below."""
    yield from rows_of(
        (*_repeats(), *_lines(), *_at_a_time(), *_readers(), *_points()), repetitions
    )


def _repeats() -> Iterator[Model]:
    for subjects, repeats in ((10, 3), (40, 2)):

        def draw(
            rng: np.random.Generator, *, subjects: int = subjects, repeats: int = repeats
        ) -> Limits:
            subject = np.repeat(np.arange(subjects), repeats)
            value = 5 * rng.standard_normal(subjects)[subject] + rng.standard_normal(len(subject))
            found = reliability.repeatability_coefficient(value, subject)
            return found.lower, found.upper

        yield Model(
            method="chi-squared, repeatability coefficient",
            scenario=f"{repeats} repeats a subject, normal errors",
            group=Patients(patients=subjects, rows=repeats),
            draw=draw,
            truth=float(special.ndtri(0.975)) * 2**0.5,
            kind="exact",
            decides="upper",
        )


def _lines() -> Iterator[Model]:
    """Two methods that both err, by half a unit over a range of ten."""
    for n in (25, 80):

        def pairs(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
            true = rng.uniform(5, 15, n)
            return true + 0.5 * rng.standard_normal(n), 1.05 * true + 0.5 * rng.standard_normal(n)

        def deming(rng: np.random.Generator, *, n: int = n, pairs: object = pairs) -> Limits:
            found = method_comparison.deming(*pairs(rng, n), np.arange(n))
            return found.slope_limits or (None, None)

        def bablok(rng: np.random.Generator, *, n: int = n, pairs: object = pairs) -> Limits:
            found = passing_bablok(*pairs(rng, n))
            return found.slope_limits or (None, None)

        for method, draw in (
            ("patient jackknife, Deming slope", deming),
            ("Passing-Bablok slope", bablok),
        ):
            yield Model(
                method=method,
                scenario="slope 1.05, both methods err alike",
                group=Patients(patients=n),
                draw=draw,
                truth=1.05,
            )


def _at_a_time() -> Iterator[Model]:
    for n, time in ((60, 0.4), (200, 1.0)):

        def draw(rng: np.random.Generator, *, n: int = n, time: float = time) -> Limits:
            event, censored = rng.exponential(size=n), rng.uniform(0.2, 3.0, n)
            data = follow_up.follow_up(np.minimum(event, censored), event <= censored, np.arange(n))
            if data.last < time:
                return None, None
            found = curves.survival_curve(data, np.array([time]))
            return float(found.lower[0]), float(found.upper[0])

        yield Model(
            method="Kaplan-Meier, log-log limits",
            scenario=f"at time {time:g}, where S is {np.exp(-time):.2f}",
            group=Patients(patients=n),
            draw=draw,
            truth=float(np.exp(-time)),
        )


def _readers() -> Iterator[Model]:
    """Roe and Metz's model: readers, cases and their interactions, areas near 0.85."""
    for count, positives, negatives in ((4, 30, 30), (6, 50, 80)):

        def draw(
            rng: np.random.Generator,
            *,
            count: int = count,
            positives: int = positives,
            negatives: int = negatives,
        ) -> Limits:
            positive = np.repeat([True, False], [positives, negatives])
            rating = 1.5 * positive + _effects(rng, count, positive)
            study = readers.analyse(
                readers.auc_figures(
                    Reading(rating=rating, positive=positive, patient=np.arange(len(positive)))
                )
            )
            if study.comparison is None:
                return None, None
            found = study.comparison.contrasts[0]
            return found.lower, found.upper

        yield Model(
            method="Obuchowski-Rockette with Hillis' df",
            scenario=f"{count} readers, two equal modalities, areas near 0.85",
            group=Patients(patients=positives + negatives),
            draw=draw,
            truth=0.0,
        )


def _effects(rng: np.random.Generator, count: int, positive: np.ndarray) -> np.ndarray:
    """Return normal ratings (modalities, readers, cases) of variance 1 within a class."""
    cases = len(positive)
    by_reader = 0.07 * rng.standard_normal((1, count, 2, 1))
    by_both = 0.07 * rng.standard_normal((2, count, 2, 1))
    offsets = (by_reader + by_both)[:, :, positive.astype(np.int64), 0]
    shared = np.sqrt(0.3) * rng.standard_normal((1, 1, cases))
    shared = shared + np.sqrt(0.3) * rng.standard_normal((2, 1, cases))
    shared = shared + np.sqrt(0.2) * rng.standard_normal((1, count, cases))
    noise: np.ndarray = shared + np.sqrt(0.2) * rng.standard_normal((2, count, cases))
    return offsets + noise


def _points() -> Iterator[Model]:
    """Sensitivity where the specificity is 0.9, by the bootstrap."""
    shift = float(2**0.5 * special.ndtri(0.85))
    kind = KINDS["binary_classification"]
    metric = kind.metric("sensitivity_at_specificity", {"specificity": 0.9})
    group = Patients(patients=150)

    def draw(rng: np.random.Generator) -> Limits:
        sample = scored(rng, group, area=0.85, prevalence=0.3)
        return limits(metric, sample, int(rng.integers(2**31)))

    yield Model(
        method="patient bootstrap, BCa: sensitivity at a specificity",
        scenario="specificity 0.9, area 0.85, prevalence 0.3",
        group=group,
        draw=draw,
        truth=float(special.ndtr(shift - special.ndtri(0.9))),
    )
