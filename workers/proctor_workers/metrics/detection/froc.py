"""The FROC curve: lesions found against false marks an image, and what is read from it.

LLF and NLF are the shares of lesions and the mean number of false marks an image at a threshold
(Bunch et al., Proc SPIE 1977;127:124; Chakraborty, Med Phys 1989;16:561). Between operating
points the curve is a straight line, beyond the last it stays level; equal scores enter together.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from proctor_workers.metrics.detection.responses import FreeResponse
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # false marks an image (Setio et al., MIA 2017)


class Loop(Protocol):
    """Turns how often each patient was drawn (batch, patients) into values (batch, k)."""

    def __call__(self, times: Ints, values: Floats) -> None:
        """Fill `values`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Operating points from the highest threshold down, beginning with none marked."""

    threshold: Floats
    nlf: Floats
    llf: Floats


class Events(NamedTuple):
    """Hits and false marks from the highest score down; `ends` closes a run of equal scores.

    `mass` is an event's sampling weight; `images` and `lesions` are weighted sums a patient. A
    named tuple, since compiled loops take it whole.
    """

    score: Floats
    hit: Bools
    ends: Bools
    patient: Ints
    mass: Floats
    images: Floats
    lesions: Floats


def events(response: FreeResponse) -> Events:
    """Order what the curve is made of."""
    weight, patient = response.weight, response.patient
    found = response.lesion_score > -np.inf
    score = np.concatenate([response.lesion_score[found], response.false_score])
    image = np.concatenate([response.lesion_image[found], response.false_image])
    hit = np.arange(len(score)) < found.sum()
    order = np.lexsort((patient[image], ~hit, -score))
    ordered = score[order]
    on_lesion = response.lesion_image
    return Events(
        score=ordered,
        hit=hit[order],
        ends=np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)],
        patient=np.ascontiguousarray(patient[image][order]),
        mass=np.ascontiguousarray(weight[image][order]),
        images=group_sums(weight, patient, response.patients)[:, 0],
        lesions=group_sums(weight[on_lesion], patient[on_lesion], response.patients)[:, 0],
    )


def curve(response: FreeResponse) -> Curve:
    """Return the empirical curve; NaN where there are no images or no lesions."""
    found = events(response)
    hits = np.cumsum(found.mass * found.hit)[found.ends]
    false = np.cumsum(found.mass * ~found.hit)[found.ends]
    images, lesions = found.images.sum(), found.lesions.sum()
    with np.errstate(invalid="ignore"):
        return Curve(
            threshold=np.concatenate([[np.inf], found.score[found.ends]]),
            nlf=np.concatenate([[0.0], false]) / images,
            llf=np.concatenate([[0.0], hits]) / lesions,
        )


def at_threshold(response: FreeResponse, threshold: float) -> Floats:
    """Return each image's hits, lesions and false marks at a threshold, and 1 (images, 4).

    The ratio of the first two in sum is the lesion sensitivity, of the last two the number of false
    marks an image.
    """
    images = len(response.patient)
    called = response.lesion_score >= threshold
    alarmed = response.false_score >= threshold
    return np.column_stack(
        [
            np.bincount(response.lesion_image, weights=called, minlength=images),
            response.lesions_on,
            np.bincount(response.false_image, weights=alarmed, minlength=images),
            np.ones(images),
        ]
    )


def sensitivities(response: FreeResponse, rates: Floats) -> Loop:
    """Return the loop for the sensitivity at each of the rising `rates` and their mean (k + 1)."""
    return partial(_read, events(response), rates)


def sensitivity(response: FreeResponse, rates: Floats) -> Floats:
    """Return the sensitivity at each of the rising `rates` and their mean (k + 1,).

    The mean over `RATES` is the competition performance metric of lung nodule detection.
    """
    values = np.empty((1, len(rates) + 1))
    once = np.ones((1, response.patients), dtype=np.int64)
    sensitivities(response, rates)(once, values)
    found: Floats = values[0]
    return found


@compiled
def _read(events: Events, rates: Floats, times: Ints, values: Floats) -> None:
    asked = len(rates)
    for repeat in range(times.shape[0]):
        seen, sought = 0.0, 0.0
        for one in range(len(events.images)):
            seen += events.images[one] * times[repeat, one]
            sought += events.lesions[one] * times[repeat, one]
        if sought <= 0.0:
            values[repeat, :] = np.nan
            continue
        hits, false, hits_before, false_before, rate, total = 0.0, 0.0, 0.0, 0.0, 0, 0.0
        for event in range(len(events.hit)):
            mass = events.mass[event] * times[repeat, events.patient[event]]
            if events.hit[event]:
                hits += mass
            else:
                false += mass
            if not events.ends[event]:
                continue
            while rate < asked and rates[rate] * seen < false:
                along = (rates[rate] * seen - false_before) / (false - false_before)
                values[repeat, rate] = (hits_before + (hits - hits_before) * along) / sought
                total += values[repeat, rate]
                rate += 1
            if rate == asked:
                break
            hits_before, false_before = hits, false
        while rate < asked:
            values[repeat, rate] = hits / sought
            total += values[repeat, rate]
            rate += 1
        values[repeat, asked] = total / asked


class _Steps(NamedTuple):
    """The curve as sums at each operating point, and each patient's own part of its runs."""

    hits: Floats
    false: Floats
    own: Ints
    run: Ints
    own_hits: Floats
    own_false: Floats


def _steps(found: Events) -> _Steps:
    hits, false = found.mass * found.hit, found.mass * ~found.hit
    run = np.cumsum(np.concatenate([[1], found.ends[:-1]]))[: len(found.ends)]
    order = np.argsort(found.patient, kind="stable")
    return _Steps(
        hits=np.concatenate([[0.0], np.cumsum(hits)[found.ends]]),
        false=np.concatenate([[0.0], np.cumsum(false)[found.ends]]),
        own=np.searchsorted(found.patient[order], np.arange(len(found.images) + 1)),
        run=run[order].astype(np.int64),
        own_hits=hits[order],
        own_false=false[order],
    )


def sensitivities_without(response: FreeResponse, rates: Floats) -> Floats:
    """Return the same numbers without each patient in turn (patients, k + 1).

    The curve without a patient is the whole one less a step function, so that each rate's place is
    found by bisection: O(patients log events).
    """
    found = events(response)
    values = np.empty((response.patients, len(rates) + 1))
    _read_without(_steps(found), found.images, found.lesions, rates, values)
    values[:, -1] = values[:, :-1].mean(axis=1)
    return values


@compiled
def _without(steps: _Steps, patient: int, point: int) -> tuple[float, float]:
    """Return hits and false marks at an operating point without one patient's."""
    hits, false = steps.hits[point], steps.false[point]
    for event in range(steps.own[patient], steps.own[patient + 1]):
        if steps.run[event] > point:
            break
        hits -= steps.own_hits[event]
        false -= steps.own_false[event]
    return hits, false


@compiled
def _read_without(
    steps: _Steps, images: Floats, lesions: Floats, rates: Floats, values: Floats
) -> None:
    seen, sought = images.sum(), lesions.sum()
    for one in range(len(images)):
        left = sought - lesions[one]
        for rate in range(len(rates)):
            if left <= 0.0:
                values[one, rate] = np.nan
                continue
            target = rates[rate] * (seen - images[one])
            below, above = 0, len(steps.hits)
            while above - below > 1:  # the last point whose false marks do not exceed the target
                middle = (below + above) // 2
                if _without(steps, one, middle)[1] > target:
                    above = middle
                else:
                    below = middle
            found, start = _without(steps, one, below)
            if above < len(steps.hits):
                beyond, end = _without(steps, one, above)
                found += (beyond - found) * (target - start) / (end - start)
            values[one, rate] = found / left
