"""Drawn cohorts of binary tasks whose truth is known, and limits as the product gives them."""

from dataclasses import dataclass

import numpy as np
from scipy import special
from tests.simulation.coverage import Limits

from proctor_workers.metrics.metric import Metric, Plan
from proctor_workers.metrics.sample import Design, Sample

CONSECUTIVE = Design(kind="consecutive", weighted=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patients:
    """How many patients there are, how many rows each, and how alike a patient's rows are.

    Rows a patient are 1 + Poisson(rows - 1), or exactly `rows` where `equal`.
    """

    patients: int
    rows: float = 1.0
    correlation: float = 0.0
    equal: bool = False

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return each row's patient."""
        if self.rows == 1:
            return np.arange(self.patients)
        if self.equal:
            return np.repeat(np.arange(self.patients), int(self.rows))
        return np.repeat(np.arange(self.patients), 1 + rng.poisson(self.rows - 1, self.patients))

    def normal(self, rng: np.random.Generator, patient: np.ndarray) -> np.ndarray:
        """Return standard normal noise (rows,) that correlates within patients."""
        noise = rng.standard_normal(len(patient))
        if not self.correlation:
            return noise
        shared = rng.standard_normal(self.patients)[patient]
        return np.sqrt(self.correlation) * shared + np.sqrt(1 - self.correlation) * noise


def sample_of(patient: np.ndarray, **columns: np.ndarray) -> Sample:
    """Return rows of an unweighted, consecutive cohort, ordered by patient."""
    order = np.argsort(patient, kind="stable")
    return Sample(
        patient=patient[order].astype(np.int64),
        weight=np.ones(len(patient)),
        stratum=np.zeros(len(patient), dtype=np.int64),
        columns={name: column[order] for name, column in columns.items()},
    )


def scored(
    rng: np.random.Generator, group: Patients, *, area: float, prevalence: float | tuple[int, int]
) -> Sample:
    """Draw normal scores with this area; a pair of counts fixes positives and negatives."""
    patient = group.draw(rng)
    if isinstance(prevalence, tuple):
        positive = np.repeat([True, False], prevalence)
    else:
        positive = rng.random(len(patient)) < prevalence
    shift = np.sqrt(2) * special.ndtri(area)
    return sample_of(
        patient, positive=positive, score=group.normal(rng, patient) + shift * positive
    )


def called(
    rng: np.random.Generator, group: Patients, *, rates: tuple[float, float], prevalence: float
) -> Sample:
    """Draw decisions with this sensitivity and specificity."""
    patient = group.draw(rng)
    positive = rng.random(len(patient)) < prevalence
    chance = special.ndtr(group.normal(rng, patient))
    hit = chance < np.where(positive, *rates)
    return sample_of(patient, positive=positive, call=hit == positive)


def forecast(rng: np.random.Generator, group: Patients, *, mean: float, sd: float) -> Sample:
    """Draw calibrated probabilities with normal logits, and outcomes that follow them."""
    patient = group.draw(rng)
    risk = special.expit(mean + sd * group.normal(rng, patient))
    return sample_of(patient, positive=rng.random(len(patient)) < risk, score=risk)


def limits(metric: Metric, sample: Sample, seed: int, **changes: object) -> Limits:
    """Return what the product would print."""
    plan = Plan(design=CONSECUTIVE, seed=seed, **changes)
    found = metric.estimate(sample, plan)
    return found.lower, found.upper
