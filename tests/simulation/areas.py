"""Areas under the ROC curve of drawn cohorts: normal scores, single rows and clusters."""

from collections.abc import Iterator

import numpy as np
from tests.simulation.cohorts import Patients, limits, scored
from tests.simulation.coverage import Case, Limits, Row, repeated

from proctor_workers.metrics.binary import METRICS

REPETITIONS = 5_000

SINGLE = [
    ("logit_delong", 0.75, 30, 30), ("logit_delong", 0.85, 50, 150),
    ("logit_delong", 0.90, 20, 300), ("logit_delong", 0.95, 100, 100),
    ("logit_delong", 0.95, 30, 60), ("logit_delong", 0.98, 40, 40),
    ("newcombe5", 0.80, 40, 40), ("newcombe5", 0.90, 20, 300),
    ("newcombe5", 0.95, 30, 60), ("newcombe5", 0.98, 40, 40), ("newcombe5", 0.99, 25, 200),
    ("newcombe5", 0.99, 90, 90),
]  # fmt: skip
# Method, area, patients, share of positive rows.
CLUSTERED = [
    ("logit_delong", 0.80, Patients(patients=40, rows=3, correlation=0.5), 0.5),
    ("logit_delong", 0.85, Patients(patients=60, rows=6, correlation=0.3), 0.2),
    ("logit_delong", 0.90, Patients(patients=150, rows=2, correlation=0.8), 0.3),
    ("logit_delong", 0.95, Patients(patients=60, rows=3, correlation=0.5), 0.5),
    ("logit_delong", 0.90, Patients(patients=300, rows=3, correlation=0.5), 0.3),
    ("newcombe5", 0.85, Patients(patients=60, rows=6, correlation=0.3), 0.2),
    ("newcombe5", 0.95, Patients(patients=60, rows=3, correlation=0.5), 0.5),
    ("newcombe5", 0.98, Patients(patients=60, rows=4, correlation=0.3), 0.3),
]
NAMES = {
    ("logit_delong", False): "logit-DeLong",
    ("logit_delong", True): "Obuchowski on the logit",
    ("newcombe5", False): "Newcombe method 5",
    ("newcombe5", True): "Newcombe method 5, effective n",
}


def single_areas(repetitions: int = REPETITIONS) -> Iterator[Row]:
    """One row a patient, the numbers of positives and negatives fixed."""
    for method, area, m, n in SINGLE:
        group = Patients(patients=m + n)

        def draw(
            rng: np.random.Generator,
            *,
            method: str = method,
            area: float = area,
            group: Patients = group,
            counts: tuple[int, int] = (m, n),
        ) -> Limits:
            sample = scored(rng, group, area=area, prevalence=counts)
            return limits(METRICS["auroc"], sample, 1, method=method)

        case = Case(
            method=NAMES[method, False],
            kind="approximate",
            scenario=f"area {area:g}, {m} positive and {n} negative",
            n=m + n,
            clusters=m + n,
        )
        yield repeated(case, draw, area, repetitions=repetitions)


def clustered_areas(repetitions: int = REPETITIONS) -> Iterator[Row]:
    """Several rows a patient, of either status."""
    for method, area, group, share in CLUSTERED:

        def draw(
            rng: np.random.Generator,
            *,
            method: str = method,
            area: float = area,
            group: Patients = group,
            share: float = share,
        ) -> Limits:
            sample = scored(rng, group, area=area, prevalence=share)
            return limits(METRICS["auroc"], sample, 1, method=method)

        case = Case(
            method=NAMES[method, True],
            kind="approximate",
            scenario=f"area {area:g}, {share:.0%} positive, correlation {group.correlation:g}",
            n=round(group.patients * group.rows),
            clusters=group.patients,
        )
        yield repeated(case, draw, area, repetitions=repetitions)
