"""Areas over several classes of drawn cohorts: Hand and Till's, and the ordinal one."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import special
from tests.simulation.cohorts import Patients, limits, sample_of
from tests.simulation.coverage import Case, Limits, Row, repeated

from proctor_workers.metrics.areas import Area, HandTill
from proctor_workers.metrics.multiclass import one_hot
from proctor_workers.metrics.ordinal import OrdinalArea
from proctor_workers.metrics.sample import Sample

REPETITIONS = 5_000
# Signal in standard deviations, patients, shares of the three classes.
COHORTS = [
    (1.5, Patients(patients=60), (0.6, 0.25, 0.15)),
    (1.5, Patients(patients=150), (0.6, 0.25, 0.15)),
    (1.5, Patients(patients=60, rows=3, correlation=0.4), (0.5, 0.3, 0.2)),
    (2.2, Patients(patients=90), (0.6, 0.25, 0.15)),
    (3.0, Patients(patients=60), (0.4, 0.3, 0.3)),
    (3.0, Patients(patients=150), (0.6, 0.25, 0.15)),
]


def hand_till(signal: float, group: Patients, rng: np.random.Generator, share: tuple) -> Sample:
    """Draw scores that lie `signal` higher in a row's own class."""
    patient = group.draw(rng)
    truth = one_hot(_classes(rng, len(patient), share), 3)
    noise = np.column_stack([group.normal(rng, patient) for _ in range(3)])
    return sample_of(patient, truth=truth, scores=signal * truth + noise)


def ordinal(signal: float, group: Patients, rng: np.random.Generator, share: tuple) -> Sample:
    """Draw ranks that rise by two thirds of `signal` a class."""
    patient = group.draw(rng)
    truth = _classes(rng, len(patient), share)
    rank = signal * 2 / 3 * truth + group.normal(rng, patient)
    return sample_of(patient, truth=one_hot(truth, 3), rank=rank)


def _classes(rng: np.random.Generator, rows: int, share: tuple) -> np.ndarray:
    return rng.choice(3, rows, p=share)


def true_hand_till(signal: float, share: tuple) -> float:
    """Every pair's score differs by the signal with a standard deviation of the root of two."""
    del share
    return float(special.ndtr(signal / np.sqrt(2)))


def true_ordinal(signal: float, share: tuple) -> float:
    """Pairs of neighbours are one step apart, those of the ends two."""
    step = signal * 2 / 3
    near, far = share[0] * share[1] + share[1] * share[2], share[0] * share[2]
    one, two = (float(special.ndtr(step * steps / np.sqrt(2))) for steps in (1, 2))
    return (near * one + far * two) / (near + far)


def class_areas(repetitions: int = REPETITIONS) -> Iterator[Row]:
    """Both areas in every cohort."""
    kinds: list[tuple[str, Area, Callable[..., Sample], Callable[[float, tuple], float]]] = [
        ("Hand-Till", HandTill(), hand_till, true_hand_till),
        ("ordinal area", OrdinalArea(), ordinal, true_ordinal),
    ]
    for name, metric, made, true in kinds:
        for signal, group, share in COHORTS:
            truth = true(signal, share)

            def draw(
                rng: np.random.Generator,
                *,
                metric: Area = metric,
                made: Callable[..., Sample] = made,
                signal: float = signal,
                group: Patients = group,
                share: tuple = share,
            ) -> Limits:
                lower, upper = limits(metric, made(signal, group, rng, share), 1)
                return (np.nan, np.nan) if lower is None else (lower, upper)

            n = round(group.patients * group.rows)
            case = Case(
                method="influence on the logit, Satterthwaite df"
                + (", patient-clustered" if group.rows > 1 else ""),
                kind="approximate",
                scenario=f"{name} {truth:.2f}, classes {share[0]:g}, {share[1]:g}, {share[2]:g}",
                n=n,
                clusters=group.patients,
            )
            yield repeated(case, draw, truth, repetitions=repetitions)
