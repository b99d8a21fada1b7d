"""Cohorts without any bias: scores are distributed alike in every group, given the truth.

Everything else differs between groups: prevalence, size, rows a patient, missing outputs; and the
factors correlate. The family is the product's: one equality test a factor and endpoint, Holm over
all of them. What rejects is a false alarm.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import numpy as np
from scipy import special
from tests.simulation.cohorts import CONSECUTIVE, sample_of

from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.metric import Plan
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools
from proctor_workers.statistics.multiplicity import holm
from proctor_workers.subgroups import equality
from proctor_workers.subgroups.equality import equality_test

ALPHA = 0.05
ENDPOINTS = ("auroc", "sensitivity", "specificity")
# At most so many false alarms: 5.43 % of 10,000, and 37 of 500.
BOUNDS = {10_000: 543, 500: 37}
_SEED = 20261121
# A tenth of the product's: the p value (1 + count) / (1 + draws) is valid for any number.
_DRAWS = 499


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Rows after missing outputs were left out, and each factor's levels."""

    sample: Sample
    factors: dict[str, list[tuple[str, Bools]]]


def null_cohort(rng: np.random.Generator, patients: int = 320) -> Cohort:
    """Draw a cohort: sex, site and age group, the last two depending on the first."""
    sex = (rng.random(patients) < 0.4).astype(np.int64)
    site = np.where(
        rng.random(patients) < 0.5, sex, np.searchsorted([0.55, 0.94], rng.random(patients))
    )
    age = np.clip(np.floor(rng.normal(1.2 + 0.5 * sex + 0.4 * site, 0.8, patients)), 0, 3)
    rows = 1 + rng.poisson(np.array([0.2, 0.8])[sex] + 0.5 * (site == 1), patients)
    patient = np.repeat(np.arange(patients), rows)
    prevalence = np.clip(0.25 + 0.15 * sex + 0.08 * age - 0.05 * site, 0.05, 0.9)
    # A patient's rows share noise, and mostly their status.
    strain, liability = rng.standard_normal(patients), rng.standard_normal(patients)
    leaning = np.sqrt(0.6) * liability[patient] + np.sqrt(0.4) * rng.standard_normal(len(patient))
    positive = special.ndtr(leaning) < prevalence[patient]
    noise = np.sqrt(0.4) * strain[patient] + np.sqrt(0.6) * rng.standard_normal(len(patient))
    score = 1.6 * positive + noise
    answered = rng.random(len(patient)) >= (0.02 + 0.08 * sex + 0.04 * (site == 2))[patient]
    kept = patient[answered]
    sample = sample_of(
        kept, positive=positive[answered], score=score[answered], call=score[answered] >= 0.8
    )
    return Cohort(
        sample=sample,
        factors={
            "sex": _levels(sex[kept], 2),
            "site": _levels(site[kept], 3),
            "age": _levels(age[kept].astype(np.int64), 4),
        },
    )


def _levels(codes: np.ndarray, levels: int) -> list[tuple[str, Bools]]:
    return [(str(level), codes == level) for level in range(levels)]


def family(cohort: Cohort, seed: int) -> dict[str, float]:
    """Return the adjusted p value of every factor and endpoint, as the product has them."""
    p_values = {}
    for factor, levels in cohort.factors.items():
        for endpoint in ENDPOINTS:
            plan = Plan(design=CONSECUTIVE, seed=seed, stream=f"{endpoint}/{factor}")
            found = equality_test(METRICS[endpoint], cohort.sample, levels, plan)
            p_values[f"{endpoint}.{factor}"] = 1.0 if found.p_value is None else found.p_value
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))


def false_alarms(repetitions: int) -> Iterator[bool]:
    """Say for each of so many null cohorts whether anything rejects."""
    rng = np.random.default_rng([_SEED, repetitions])
    with mock.patch.object(equality, "PERMUTATIONS", _DRAWS):
        for index in range(repetitions):
            adjusted = family(null_cohort(rng), index)
            yield min(adjusted.values()) <= ALPHA
