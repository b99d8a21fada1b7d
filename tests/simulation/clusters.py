"""Proportions over several rows a patient: Korn and Graubard's limits."""

from collections.abc import Iterator

import numpy as np
from scipy import special
from tests.simulation.cohorts import Patients
from tests.simulation.coverage import Case, Limits, Row, repeated

from proctor_workers.statistics.proportions import korn_graubard

REPETITIONS = 5_000

SCENARIOS = [
    (0.80, Patients(patients=20, rows=4, correlation=0.5)),
    (0.90, Patients(patients=30, rows=3, correlation=0.3)),
    (0.90, Patients(patients=30, rows=12, correlation=0.6)),
    (0.95, Patients(patients=60, rows=3, correlation=0.8)),
    (0.98, Patients(patients=60, rows=5, correlation=0.2)),
    (0.90, Patients(patients=100, rows=3, correlation=0.8)),
    (0.85, Patients(patients=200, rows=2, correlation=0.5)),
]


def clustered_proportions(repetitions: int = REPETITIONS) -> Iterator[Row]:
    """Rows agree within a patient as thresholded normal scores do; patients have unequal sizes."""
    for p, group in SCENARIOS:
        cut = special.ndtri(p)

        def draw(rng: np.random.Generator, *, group: Patients = group, cut: float = cut) -> Limits:
            patient = group.draw(rng)
            hit = (group.normal(rng, patient) < cut).astype(np.float64)
            found = korn_graubard(hit, patient)
            return found.lower, found.upper

        case = Case(
            method="Korn-Graubard",
            kind="exact",
            scenario=f"p {p:g}, correlation {group.correlation:g}",
            n=round(group.patients * group.rows),
            clusters=group.patients,
        )
        yield repeated(case, draw, p, repetitions=repetitions)
