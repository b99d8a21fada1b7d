"""Calibration of two-class probabilities: binned errors, scaled Brier score, Spiegelhalter's z."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from scipy import special

from proctor_workers.metrics.statistic import Loop, Statistic
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums
from proctor_workers.statistics.checks import NotEstimableError, codes, require_finite
from proctor_workers.statistics.draws import Stream
from proctor_workers.statistics.proportions import clopper_pearson, korn_graubard

Binning = Literal["equal width", "equal mass"]
Norm = Literal["mean", "root mean square", "greatest"]
_NORMS: tuple[Norm, ...] = ("mean", "root mean square", "greatest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Risks:
    """Predicted probabilities of the positive class with their outcomes; patient is 0..P-1.

    `prevalence` re-weights both classes to a declared prevalence, in each resample again.
    """

    probability: Floats
    positive: Bools
    patient: Ints
    weight: Floats
    patients: int
    prevalence: float | None = None

    def __len__(self) -> int:
        return len(self.probability)

    def class_weight(self) -> Floats:
        """Return the weights, those of each class adding up to its declared share."""
        if self.prevalence is None:
            return self.weight
        ones = self.weight[self.positive].sum()
        zeros = self.weight[~self.positive].sum()
        whole = ones + zeros
        factor = (self.prevalence * whole / ones, (1 - self.prevalence) * whole / zeros)
        scaled: Floats = self.weight * np.where(self.positive, *factor)
        return scaled


def risks(
    probability: Floats,
    positive: Bools,
    patient: Ints,
    weight: Floats | None = None,
    prevalence: float | None = None,
) -> Risks:
    """Check probabilities and outcomes; `patient` may be any integers.

    Raises:
        ValueError: unequal lengths, a probability outside [0, 1], a weight not above zero, a
            prevalence not between 0 and 1.
        NotEstimableError: no rows, or a prevalence is declared and one class is empty.
    """
    if len(probability) == 0:
        raise NotEstimableError("there are no rows")
    given = np.ones(len(probability)) if weight is None else weight
    require_finite(probability=probability, weight=given)
    if not len(probability) == len(positive) == len(patient):
        raise ValueError("probability, positive and patient are not equally long")
    if np.any((probability < 0) | (probability > 1)):
        raise ValueError("a probability is not between 0 and 1")
    if np.any(given <= 0):
        raise ValueError("a weight is not above zero")
    if prevalence is not None and not 0 < prevalence < 1:
        raise ValueError("a prevalence lies between 0 and 1")
    if prevalence is not None and len(np.unique(positive)) < 2:
        raise NotEstimableError("one of the two classes is empty")
    code, patients = codes(patient)
    return Risks(
        probability=np.ascontiguousarray(probability, dtype=np.float64),
        positive=np.ascontiguousarray(positive),
        patient=code,
        weight=np.ascontiguousarray(given, dtype=np.float64),
        patients=patients,
        prevalence=prevalence,
    )


def top_label(data: Risks) -> tuple[Floats, Bools]:
    """Return the probability of the predicted class and whether it came true; .5 is positive."""
    called = data.probability >= 0.5
    return np.where(called, data.probability, 1 - data.probability), called == data.positive


def positive_class(data: Risks) -> tuple[Floats, Bools]:
    """Return the probability of the positive class and whether it came true."""
    return data.probability, data.positive


def bin_edges(confidence: Floats, bins: int, binning: Binning) -> Floats:
    """Return the upper edges of right-closed bins; the first also holds its lower edge.

    Equal width: k / bins. Equal mass: the observed quantiles at k / bins (inverse of the
    distribution function); equal values stay together, so that bins may be fewer.

    Raises:
        ValueError: fewer than one bin, or another binning.
    """
    if bins < 1:
        raise ValueError("at least one bin is needed")
    share = np.arange(1, bins + 1) / bins
    if binning == "equal width":
        return share
    if binning == "equal mass":
        edges = np.unique(np.quantile(confidence, share, method="inverted_cdf"))
        edges[-1] = 1.0
        return edges
    raise ValueError("bins are of equal width or of equal mass")


def binned_error(
    data: Risks,
    confidence: tuple[Floats, Bools],
    edges: Floats,
    norm: Norm = "mean",
) -> float:
    """Return the gap of mean confidence and observed share, over bins (Naeini, AAAI 2015).

    "mean" is the expected calibration error (gaps weighted by the bins' mass), "greatest" the
    maximum one. `confidence` is `positive_class` or `top_label` of the data, which differ.
    R17: positive class, 5 bins: .315 and .55.
    """
    return error_statistic(data, confidence, edges, norm).value


def error_statistic(
    data: Risks,
    confidence: tuple[Floats, Bools],
    edges: Floats,
    norm: Norm = "mean",
) -> Statistic:
    """Return a binned error with its resamples, in which edges stay as they are.

    Raises:
        ValueError: another norm.
    """
    if norm not in _NORMS:
        raise ValueError(f"a binned error is summed as {', '.join(_NORMS)}")
    shown, came_true = confidence
    bin_of = np.searchsorted(edges, shown, side="left").astype(np.int64)
    loop = partial(
        _error_batch,
        np.ascontiguousarray(shown),
        came_true.astype(np.float64),
        bin_of,
        len(edges),
        _NORMS.index(norm),
        data.positive,
        data.weight,
        data.patient,
        math.nan if data.prevalence is None else data.prevalence,
    )
    value = once(loop, data.patients)
    mass = data.class_weight()
    held = np.bincount(bin_of, weights=mass, minlength=len(edges))
    gap = np.bincount(bin_of, weights=mass * (came_true - shown), minlength=len(edges))
    mean = np.divide(gap, held, out=np.zeros(len(edges)), where=held > 0)
    if norm == "mean":
        row = mass * (np.sign(mean)[bin_of] * (came_true - shown) - value) / mass.sum()
    elif norm == "greatest":
        worst = int(np.argmax(np.abs(mean)))
        row = (bin_of == worst) * mass * np.sign(mean[worst])
        row *= (came_true - shown - mean[worst]) / held[worst]
    else:
        pull = 2 * mean[bin_of] * (came_true - shown) - mean[bin_of] ** 2 - value**2
        row = mass * pull / mass.sum() / (2 * value) if value > 0 else np.zeros(len(data))
    return Statistic(
        value=value, loop=loop, influence=group_sums(row, data.patient, data.patients)[:, 0]
    )


def once(loop: Loop, patients: int) -> float:
    """Return a loop's value with every patient drawn once."""
    value = np.empty(1)
    loop(np.ones((1, patients), dtype=np.int64), value)
    return float(value[0])


@compiled
def class_masses(
    positive: Bools, weight: Floats, patient: Ints, drawn: Ints, prevalence: float, mass: Floats
) -> bool:
    """Fill each row's mass in a resample; False where a declared prevalence meets an empty class.

    Without a declared prevalence (NaN) rows weigh as drawn.
    """
    ones, zeros = 0.0, 0.0
    for row in range(len(mass)):
        mass[row] = weight[row] * drawn[patient[row]]
        if positive[row]:
            ones += mass[row]
        else:
            zeros += mass[row]
    if np.isnan(prevalence):
        return ones + zeros > 0
    if ones <= 0 or zeros <= 0:
        return False
    of_one, of_zero = prevalence / ones, (1 - prevalence) / zeros
    for row in range(len(mass)):
        mass[row] *= (of_one if positive[row] else of_zero) * (ones + zeros)
    return True


@compiled
def _error_batch(  # noqa: PLR0913, PLR0917 - compiled loops take positions
    shown: Floats,
    came_true: Floats,
    bin_of: Ints,
    bins: int,
    norm: int,
    positive: Bools,
    weight: Floats,
    patient: Ints,
    prevalence: float,
    times: Ints,
    values: Floats,
) -> None:
    mass, held, gap = np.empty(len(shown)), np.empty(bins), np.empty(bins)
    for repeat in range(times.shape[0]):
        if not class_masses(positive, weight, patient, times[repeat], prevalence, mass):
            values[repeat] = np.nan
            continue
        held[:] = 0.0
        gap[:] = 0.0
        whole = 0.0
        for row in range(len(shown)):
            held[bin_of[row]] += mass[row]
            gap[bin_of[row]] += mass[row] * (came_true[row] - shown[row])
            whole += mass[row]
        summed = 0.0
        for place in range(bins):
            if held[place] <= 0:
                continue
            if norm == 0:
                summed += abs(gap[place]) / whole
            elif norm == 1:
                summed += gap[place] ** 2 / held[place] / whole
            else:
                summed = max(summed, abs(gap[place]) / held[place])
        values[repeat] = np.sqrt(summed) if norm == 1 else summed


def if_calibrated(
    data: Risks, make: Callable[[Risks], Statistic], stream: Stream, repeats: int = 200
) -> Floats:
    """Return a statistic's values were every probability true and every row by itself.

    Outcomes are drawn from the probabilities; draws that do not determine the statistic are left
    out.
    """
    found = []
    for _, words in stream.batches(repeats, len(data)):
        uniform = (words.view(np.uint32)[:, : len(data)] + 0.5) / 2.0**32
        for drawn in uniform < data.probability:
            try:
                found.append(make(replace(data, positive=drawn)).value)
            except NotEstimableError:
                continue
    values: Floats = np.array([value for value in found if np.isfinite(value)])
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class BrierTest:
    """The Brier score, what it would be were the probabilities true, and a test of that."""

    brier: float
    expected: float
    z: float
    p_value: float
    method: str


def spiegelhalter(data: Risks) -> BrierTest:
    """Test that the probabilities are calibrated by the Brier score's departure from p(1 - p).

    Spiegelhalter, Stat Med 1986;5:421. Where patients have several rows, or rows are weighted, the
    variance is the sum of squares over patients.

    Raises:
        NotEstimableError: every probability is 0, .5 or 1, which leave the departure no variance.
    """
    weight = data.class_weight()
    p = data.probability
    departure = weight * (data.positive - p) * (1 - 2 * p)
    clustered = data.patients < len(data) or bool(np.any(weight != weight[0]))
    if clustered:
        summed = group_sums(departure, data.patient, data.patients)
        variance = float(np.sum(summed**2))
    else:
        variance = float(np.sum((weight * (1 - 2 * p)) ** 2 * p * (1 - p)))
    if variance <= 0:
        raise NotEstimableError("the Brier score has no variance at probabilities of 0, .5 and 1")
    z = float(departure.sum()) / math.sqrt(variance)
    return BrierTest(
        brier=float(np.average((data.positive - p) ** 2, weights=weight)),
        expected=float(np.average(p * (1 - p), weights=weight)),
        z=z,
        p_value=float(2 * special.ndtr(-abs(z))),
        method="Spiegelhalter" + (", variance by patient" if clustered else ""),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """Rows of neighbouring probability: mean prediction against the observed share."""

    n: int
    patients: int
    positive: int
    predicted: float
    observed: float
    lower: float
    upper: float
    method: str


def calibration_bins(data: Risks, ends: Floats, level: float = 0.95) -> list[CalibrationBin]:
    """Return the observed share of each right-closed range of probability that holds rows.

    Clopper-Pearson; Korn-Graubard where patients have several rows or rows are weighted.
    """
    place = np.searchsorted(ends, data.probability, side="left")
    return [_calibration_bin(data, place == one, level) for one in np.unique(place)]


def _calibration_bin(data: Risks, inside: Bools, level: float) -> CalibrationBin:
    hit, patient = data.positive[inside].astype(np.float64), data.patient[inside]
    weight = data.class_weight()[inside]
    patients = len(np.unique(patient))
    if patients < len(hit) or np.any(weight != weight[0]):
        part = korn_graubard(hit, patient, weight=weight, level=level)
        observed, lower, upper = part.estimate, part.lower, part.upper
        method = "Korn-Graubard"
    else:
        observed = float(hit.mean())
        lower, upper = clopper_pearson(float(hit.sum()), len(hit), level)
        method = "Clopper-Pearson"
    return CalibrationBin(
        n=len(hit),
        patients=patients,
        positive=int(hit.sum()),
        predicted=float(np.average(data.probability[inside], weights=weight)),
        observed=observed,
        lower=lower,
        upper=upper,
        method=method,
    )
