"""A model's free response: on each image its lesions, hit or missed, and its false marks."""

from dataclasses import dataclass, replace

import numpy as np

from proctor_workers.metrics.detection.matching import FALSE
from proctor_workers.statistics.arrays import Bools, Floats, Ints

_UNMARKED = -np.finfo(np.float64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeResponse:
    """Images with their lesions and false marks; patients are codes 0 .. patients - 1.

    `lesion_score` is the score of the mark that hit a lesion, -inf where none did. Scores only
    ever order things. `lesion_weight` adds up to 1 on each image that has lesions.
    """

    patient: Ints
    weight: Floats
    lesion_image: Ints
    lesion_weight: Floats
    lesion_score: Floats
    false_image: Ints
    false_score: Floats
    failed: Bools

    @property
    def patients(self) -> int:
        """Number of patients."""
        return int(self.patient.max(initial=-1)) + 1

    @property
    def lesions_on(self) -> Ints:
        """Number of lesions on each image (images,)."""
        return np.bincount(self.lesion_image, minlength=len(self.patient)).astype(np.int64)

    @property
    def highest_false(self) -> Floats:
        """The highest score of a false mark on each image (images,), -inf where there is none."""
        top = np.full(len(self.patient), -np.inf)
        np.maximum.at(top, self.false_image, self.false_score)
        return top

    @property
    def diseased_patient(self) -> Bools:
        """Whether a patient has a lesion on any image (patients,)."""
        return np.bincount(self.patient[self.lesion_image], minlength=self.patients) > 0

    @property
    def highest(self) -> Floats:
        """The highest score of any mark of each patient (patients,).

        Without marks it is below every mark. A failed image puts a patient without lesions at +inf,
        and one with lesions, if there is no other mark, at -inf: below the unmarked.
        """
        answered = ~self.failed[self.false_image]
        top = np.full(self.patients, _UNMARKED)
        np.maximum.at(top, self.patient[self.lesion_image], self.lesion_score)
        np.maximum.at(top, self.patient[self.false_image[answered]], self.false_score[answered])
        failed = np.bincount(self.patient[self.failed], minlength=self.patients) > 0
        top[failed & ~self.diseased_patient] = np.inf
        top[failed & self.diseased_patient & (top == _UNMARKED)] = -np.inf
        return top


def free_response(
    patient: Ints,
    lesions: tuple[Ints, Bools],
    marks: tuple[Ints, Floats, Ints],
    *,
    weight: Floats | None = None,
    lesion_weight: Floats | None = None,
) -> FreeResponse:
    """Put matched marks and lesions together.

    Args:
        patient: each image's patient code (images,).
        lesions: each lesion's image and whether it is ignored (lesions,).
        marks: each mark's image, score, and the lesion it hit as matching gives it (marks,).
        weight: each image's sampling weight; equal where absent.
        lesion_weight: clinical weights (lesions,), scaled to add up to 1 on each image; lesions of
            an image weigh the same where absent.
    """
    lesion_image, ignored = lesions
    mark_image, score, hit = marks
    best = np.full(len(lesion_image), -np.inf)
    best[hit[hit >= 0]] = score[hit >= 0]
    counted, false = ~ignored, hit == FALSE
    given = np.ones(len(lesion_image)) if lesion_weight is None else lesion_weight
    return FreeResponse(
        patient=patient,
        weight=np.ones(len(patient)) if weight is None else weight,
        lesion_image=lesion_image[counted],
        lesion_weight=_shares(given[counted], lesion_image[counted], len(patient)),
        lesion_score=best[counted],
        false_image=mark_image[false],
        false_score=score[false],
        failed=np.zeros(len(patient), dtype=np.bool_),
    )


def _shares(weight: Floats, image: Ints, images: int) -> Floats:
    total = np.bincount(image, weights=weight, minlength=images)[image]
    if np.any(weight < 0) or np.any(total <= 0):
        raise ValueError("lesion weights must be zero or more, and above zero in sum on an image")
    share: Floats = weight / total
    return share


def with_failures(response: FreeResponse, failed: Bools, cap: int) -> FreeResponse:
    """Return the worst case of images without an output: lesions missed, `cap` false marks each.

    The false marks stand above every threshold.
    """
    kept = ~failed[response.false_image]
    added = np.repeat(np.flatnonzero(failed), cap)
    return replace(
        response,
        lesion_score=np.where(failed[response.lesion_image], -np.inf, response.lesion_score),
        false_image=np.concatenate([response.false_image[kept], added]),
        false_score=np.concatenate([response.false_score[kept], np.full(len(added), np.inf)]),
        failed=response.failed | failed,
    )


def with_successes(response: FreeResponse, failed: Bools) -> FreeResponse:
    """Return the best case of images without an output: every lesion hit, nothing else marked."""
    kept = ~failed[response.false_image]
    return replace(
        response,
        lesion_score=np.where(failed[response.lesion_image], np.inf, response.lesion_score),
        false_image=response.false_image[kept],
        false_score=response.false_score[kept],
    )


def taken(
    response: FreeResponse, images: Ints, patient: Ints, weight: Floats, failed: Bools
) -> FreeResponse:
    """Return the response on some images, numbered anew in the order given.

    `patient` codes, `weight` and `failed` have one entry for each image given.
    """
    last = max(len(response.patient), int(images.max(initial=-1)) + 1)
    place = np.full(last, -1, dtype=np.int64)
    place[images] = np.arange(len(images))
    lesion, false = place[response.lesion_image], place[response.false_image]
    return FreeResponse(
        patient=patient,
        weight=weight,
        lesion_image=lesion[lesion >= 0],
        lesion_weight=response.lesion_weight[lesion >= 0],
        lesion_score=response.lesion_score[lesion >= 0],
        false_image=false[false >= 0],
        false_score=response.false_score[false >= 0],
        failed=failed,
    )
