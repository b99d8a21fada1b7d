"""Areas under AFROC, wAFROC and the patients' ROC curve: rank sums of two weighted samples.

A lesion's rating is that of the mark that hit it, an image's that of its highest false mark; no
mark rates below every mark. The area is the chance that a lesion outrates an image without lesions,
ties counting half, which is the area under the curve with its straight end to (1, 1) (Chakraborty
& Winter, Radiology 1990;174:873; Chakraborty & Zhai, Med Phys 2016;43:2548).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from proctor_workers.metrics.detection.froc import Loop
from proctor_workers.metrics.detection.responses import FreeResponse
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """Weighted ratings of lesions (`positive`) and of images or patients without them."""

    rating: Floats
    positive: Bools
    weight: Floats
    patient: Ints
    patients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaCurve:
    """Operating points from (0, 0) to (1, 1)."""

    fpf: Floats
    llf: Floats


def afroc(response: FreeResponse, *, weighted: bool, every_image: bool = False) -> Ratings:
    """Return what AFROC and, `weighted` by lesion, wAFROC are made of.

    False marks on images with lesions do not count, save with `every_image` (AFROC1, wAFROC1),
    meant for cohorts that have hardly any image without lesions.
    """
    image = np.arange(len(response.patient))
    image = image if every_image else image[response.lesions_on == 0]
    lesion = response.lesion_image
    share = response.lesion_weight if weighted else np.ones(len(lesion))
    rating = np.concatenate([response.lesion_score, response.highest_false[image]])
    return Ratings(
        rating=rating,
        positive=np.arange(len(rating)) < len(lesion),
        weight=np.concatenate([share * response.weight[lesion], response.weight[image]]),
        patient=response.patient[np.concatenate([lesion, image])],
        patients=response.patients,
    )


def patient_roc(response: FreeResponse) -> Ratings:
    """Return each patient's highest rating; positive are those who have a lesion on any image."""
    patient = np.arange(response.patients)
    weight = np.zeros(response.patients)
    np.maximum.at(weight, response.patient, response.weight)
    return Ratings(
        rating=response.highest,
        positive=response.diseased_patient,
        weight=weight,
        patient=patient,
        patients=response.patients,
    )


def _ordered(ratings: Ratings) -> tuple[Bools, Bools, Floats, Ints]:
    """Return positive, end of a tie, weight and patient, from the highest rating down."""
    order = np.lexsort((ratings.patient, ~ratings.positive, -ratings.rating))
    rating = ratings.rating[order]
    return (
        np.ascontiguousarray(ratings.positive[order]),
        np.append(rating[1:] != rating[:-1], True)[: len(rating)],
        np.ascontiguousarray(ratings.weight[order]),
        np.ascontiguousarray(ratings.patient[order]),
    )


def areas(ratings: Ratings) -> Loop:
    """Return the loop for the area (1 value); NaN where a side is empty."""
    return partial(_areas, *_ordered(ratings))


def area(ratings: Ratings) -> float:
    """Return the area."""
    value = np.empty((1, 1))
    areas(ratings)(np.ones((1, ratings.patients), dtype=np.int64), value)
    return float(value[0, 0])


def curve(ratings: Ratings) -> AreaCurve:
    """Return the curve, its straight end from the last mark to (1, 1) included."""
    positive, ends, weight, _ = _ordered(ratings)
    hits = np.cumsum(weight * positive)[ends]
    false = np.cumsum(weight * ~positive)[ends]
    with np.errstate(invalid="ignore"):
        return AreaCurve(
            fpf=np.concatenate([[0.0], false]) / np.sum(weight[~positive]),
            llf=np.concatenate([[0.0], hits]) / np.sum(weight[positive]),
        )


@compiled
def _areas(
    positive: Bools, ends: Bools, weight: Floats, patient: Ints, times: Ints, values: Floats
) -> None:
    for repeat in range(times.shape[0]):
        above, total, wins, tied_one, tied_zero = 0.0, 0.0, 0.0, 0.0, 0.0
        for row in range(len(positive)):
            mass = weight[row] * times[repeat, patient[row]]
            if positive[row]:
                tied_one += mass
            else:
                tied_zero += mass
            if ends[row]:
                wins += tied_zero * (above + tied_one / 2)
                above += tied_one
                total += tied_zero
                tied_one, tied_zero = 0.0, 0.0
        values[repeat, 0] = wins / (above * total) if above > 0 and total > 0 else np.nan


def areas_without(ratings: Ratings) -> Floats:
    """Return the area without each patient in turn (patients, 1), in closed form."""
    positive, ends, weight, patient = _ordered(ratings)
    ones, zeros = weight * positive, weight * ~positive
    outrated = _outrated(ends, ones, zeros)
    pairs = np.column_stack([ones, zeros, outrated])
    own = group_sums(pairs, patient, ratings.patients)
    order = np.argsort(patient, kind="stable")
    own_pairs = np.zeros(ratings.patients)
    run = np.cumsum(np.concatenate([[0], ends[:-1]]))[: len(ends)]
    _own_pairs(patient[order], run[order], ones[order], zeros[order], own_pairs)
    wins = float(np.sum(outrated * positive))
    left = wins - own[:, 2] + own_pairs
    size = (ones.sum() - own[:, 0]) * (zeros.sum() - own[:, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        value: Floats = np.where(size > 0, left / size, np.nan)[:, None]
    return value


def _outrated(ends: Bools, ones: Floats, zeros: Floats) -> Floats:
    """Return each row's weight times what it wins (positive) or loses against."""
    run = np.cumsum(np.concatenate([[0], ends[:-1]]))[: len(ends)].astype(np.int64)
    runs = int(ends.sum())
    of_ones, of_zeros = group_sums(np.column_stack([ones, zeros]), run, runs).T
    above = np.cumsum(of_ones) - of_ones / 2
    below = np.cumsum(of_zeros[::-1])[::-1] - of_zeros / 2
    lost: Floats = ones * below[run] + zeros * above[run]
    return lost


@compiled
def _own_pairs(patient: Ints, run: Ints, ones: Floats, zeros: Floats, pairs: Floats) -> None:
    """Add up the wins between rows of one patient; rows are ordered by patient, rating, positive.

    So the positives of a tie stand before its negatives.
    """
    above, tied = 0.0, 0.0
    for row in range(len(patient)):
        if row and patient[row] != patient[row - 1]:
            above, tied = 0.0, 0.0
        elif row and run[row] != run[row - 1]:
            above, tied = above + tied, 0.0
        pairs[patient[row]] += zeros[row] * (above + tied / 2)
        tied += ones[row]
