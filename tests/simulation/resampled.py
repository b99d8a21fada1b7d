"""The patient bootstrap with BCa limits: formulas of the four cells, probabilities, precision."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special
from tests.simulation.cohorts import Patients, called, forecast, limits, scored
from tests.simulation.coverage import Case, Limits, Row, repeated

from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.sample import Sample

REPETITIONS = 2_000
_NODES = 200_001


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A metric, how its cohorts are drawn, and its true value."""

    metric: str
    words: str
    group: Patients
    draw: Callable[[np.random.Generator], Sample]
    truth: float
    decides: str = "lower"


def bootstrapped(repetitions: int = REPETITIONS) -> Iterator[Row]:
    """Every scenario below, in the product's own way."""
    for one in (*_cells(), *_probabilities(), *_precision()):

        def draw(rng: np.random.Generator, *, one: Scenario = one) -> Limits:
            seed = int(rng.integers(2**31))
            return limits(METRICS[one.metric], one.draw(rng), seed)

        case = Case(
            method=f"patient bootstrap, BCa: {one.metric}",
            kind="approximate",
            scenario=one.words,
            n=round(one.group.patients * one.group.rows),
            clusters=one.group.patients,
            decides=one.decides,
        )
        yield repeated(case, draw, one.truth, repetitions=repetitions)


def _cells() -> Iterator[Scenario]:
    designs = (
        (Patients(patients=80), (0.85, 0.90), 0.3),
        (Patients(patients=400), (0.90, 0.95), 0.05),
        (Patients(patients=60, rows=3, correlation=0.5), (0.85, 0.90), 0.3),
    )
    for group, rates, prevalence in designs:
        truths = cell_truths(*rates, prevalence)
        words = f"Se {rates[0]:g}, Sp {rates[1]:g}, prevalence {prevalence:g}{_alike(group)}"
        for metric in ("f1", "mcc", "balanced_accuracy"):
            yield Scenario(
                metric=metric,
                words=words,
                group=group,
                draw=lambda rng, group=group, rates=rates, share=prevalence: called(
                    rng, group, rates=rates, prevalence=share
                ),
                truth=truths[metric],
            )


def cell_truths(sensitivity: float, specificity: float, prevalence: float) -> dict[str, float]:
    """Return the population's F1, Matthews correlation and balanced accuracy."""
    tp, fn = prevalence * sensitivity, prevalence * (1 - sensitivity)
    tn, fp = (1 - prevalence) * specificity, (1 - prevalence) * (1 - specificity)
    margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return {
        "f1": 2 * tp / (2 * tp + fp + fn),
        "mcc": (tp * tn - fp * fn) / margins**0.5,
        "balanced_accuracy": (sensitivity + specificity) / 2,
    }


def _probabilities() -> Iterator[Scenario]:
    single = Patients(patients=250)
    designs = (
        ("brier", single, -1.0, 1.2, "upper"),
        ("brier", Patients(patients=80, rows=3, correlation=0.6), -2.5, 1.0, "upper"),
        ("oe_ratio", single, -1.0, 1.2, ""),
        ("oe_ratio", Patients(patients=400), -3.0, 1.0, ""),
        ("calibration_intercept", single, -1.0, 1.2, ""),
        ("calibration_slope", single, -1.0, 1.2, ""),
        ("calibration_slope", Patients(patients=400), -3.0, 1.0, ""),
    )
    for metric, group, mean, sd, decides in designs:
        yield Scenario(
            metric=metric,
            words=f"logits {mean:g} ({sd:g}), calibrated{_alike(group)}",
            group=group,
            draw=lambda rng, group=group, mean=mean, sd=sd: forecast(rng, group, mean=mean, sd=sd),
            truth=probability_truths(mean, sd)[metric],
            decides=decides,
        )


def probability_truths(mean: float, sd: float) -> dict[str, float]:
    """Return what calibrated probabilities with normal logits have."""
    place = (np.arange(_NODES) + 0.5) / _NODES
    risk = special.expit(mean + sd * special.ndtri(place))
    return {
        "brier": float(np.mean(risk * (1 - risk))),
        "oe_ratio": 1.0,
        "calibration_intercept": 0.0,
        "calibration_slope": 1.0,
    }


def _precision() -> Iterator[Scenario]:
    designs = (
        (Patients(patients=150), 0.85, 0.3),
        (Patients(patients=500), 0.90, 0.05),
        (Patients(patients=80, rows=3, correlation=0.5), 0.85, 0.3),
        (Patients(patients=300, rows=3, correlation=0.5), 0.85, 0.3),
    )
    for group, area, prevalence in designs:
        yield Scenario(
            metric="auprc",
            words=f"area {area:g}, prevalence {prevalence:g}{_alike(group)}",
            group=group,
            draw=lambda rng, group=group, area=area, share=prevalence: scored(
                rng, group, area=area, prevalence=share
            ),
            truth=precision_truth(area, prevalence),
        )


def precision_truth(area: float, prevalence: float) -> float:
    """Return the area under the precision-recall curve of normal scores."""
    shift = np.sqrt(2) * special.ndtri(area)
    recall = (np.arange(_NODES) + 0.5) / _NODES
    cut = shift - special.ndtri(recall)
    found = prevalence * recall
    return float(np.mean(found / (found + (1 - prevalence) * special.ndtr(-cut))))


def _alike(group: Patients) -> str:
    return f", correlation {group.correlation:g}" if group.rows > 1 else ""
