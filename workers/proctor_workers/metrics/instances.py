"""Instance segmentation: which predicted instances are which reference ones, and how well they fit.

Panoptic quality and its parts (Kirillov et al., CVPR 2019), and Dice by instance. Everything is a
sum over cases, so that patients are resampled by their sums.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from proctor_workers.metrics.detection.masks import Runs, shared_pixels
from proctor_workers.metrics.detection.regions import InvalidRegionError
from proctor_workers.statistics.arrays import Bools, Floats, Ints

UNIQUE = 0.5  # beyond this overlap, instances without common pixels have one partner at most
COLUMNS = ("iou", "dice", "matched", "false", "missed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Common pixels (references, predictions) and sizes of the instances of one case.

    `void` is how many pixels of each prediction lie where the reference is void; they are no part
    of its `predicted` size.
    """

    shared: Floats
    reference: Floats
    predicted: Floats
    void: Floats

    @property
    def iou(self) -> Floats:
        """Intersection over union (references, predictions)."""
        union = self.reference[:, None] + self.predicted[None, :] - self.shared
        share: Floats = self.shared / np.maximum(union, 1.0)
        return share

    @property
    def dice(self) -> Floats:
        """Dice coefficient (references, predictions)."""
        both = self.reference[:, None] + self.predicted[None, :]
        share: Floats = 2 * self.shared / np.maximum(both, 1.0)
        return share


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Rows of reference and predicted instances that are partners, and predictions left out."""

    reference: Ints
    predicted: Ints
    left_out: Bools


def overlap(
    reference: NDArray[np.integer],
    predicted: NDArray[np.integer],
    void: NDArray[np.bool_] | None = None,
) -> Overlap:
    """Count what the instances of two label maps of one image share; 0 is background.

    Instances are ordered by label. Pixels under `void` belong to none of them.

    Raises:
        InvalidRegionError: the maps differ in shape, or hold a negative label.
    """
    if reference.shape != predicted.shape or (void is not None and void.shape != reference.shape):
        raise InvalidRegionError(
            "A mask has another shape than its reference.",
            cure="Write the mask on the grid of the image as it was given.",
        )
    if reference.min(initial=0) < 0 or predicted.min(initial=0) < 0:
        raise InvalidRegionError("A mask holds a negative label.", cure="Number instances from 1.")
    hidden = np.zeros(reference.shape, dtype=np.bool_) if void is None else void
    held = (reference > 0) | (predicted > 0)
    labels, row = np.unique(np.where(hidden, 0, reference)[held], return_inverse=True)
    predicted_labels, column = np.unique(predicted[held], return_inverse=True)
    width, inside = len(predicted_labels), ~hidden[held]
    cells = np.bincount((row * width + column)[inside], minlength=len(labels) * width)
    counts = cells.reshape(len(labels), width).astype(np.float64)
    lost = np.bincount(column[~inside], minlength=width).astype(np.float64)
    rows, columns = labels > 0, predicted_labels > 0
    return Overlap(
        shared=counts[rows][:, columns],
        reference=counts[rows].sum(axis=1),
        predicted=counts[:, columns].sum(axis=0),
        void=lost[columns],
    )


def overlap_of_runs(reference: Runs, predicted: Runs) -> Overlap:
    """Count what single masks of one image share; they may overlap each other."""
    rows = np.repeat(np.arange(len(reference)), len(predicted))
    columns = np.tile(np.arange(len(predicted)), len(reference))
    shared = shared_pixels(reference, predicted, (rows, columns))
    return Overlap(
        shared=shared.reshape(len(reference), len(predicted)),
        reference=reference.size,
        predicted=predicted.size,
        void=np.zeros(len(predicted)),
    )


def matched(
    pixels: Overlap,
    classes: tuple[Ints, Ints] | None = None,
    *,
    beyond: float = UNIQUE,
    rule: Literal["unique", "hungarian"] = "unique",
) -> Matched:
    """Find partners whose intersection over union is beyond a threshold.

    Beyond 0.5 no instance has two candidates where instances of one map share no pixel (`unique`);
    below it, and for masks that overlap, the assignment with the highest
    sum of overlaps is taken (`hungarian`). `classes` are those of references and predictions;
    partners have the same. An unmatched prediction that lies in void by more than half is left out.

    Raises:
        ValueError: `unique` where it is not.
    """
    if rule == "unique" and beyond < UNIQUE:
        raise ValueError("overlaps are unique beyond 0.5 only; name the Hungarian rule")
    iou = pixels.iou
    allowed = iou > beyond
    if classes is not None:
        allowed &= classes[0][:, None] == classes[1][None, :]
    value = np.where(allowed, iou, 0.0)
    if rule == "hungarian":
        reference, predicted = linear_sum_assignment(value, maximize=True)
        kept = value[reference, predicted] > 0
        reference, predicted = reference[kept], predicted[kept]
    else:
        reference, predicted = np.nonzero(value)
        if len(np.unique(reference)) < len(reference) or len(np.unique(predicted)) < len(predicted):
            raise ValueError("instances overlap each other; name the Hungarian rule")
    left_out = pixels.void > pixels.predicted
    left_out[predicted] = False
    return Matched(reference=reference, predicted=predicted, left_out=left_out)


def sums(
    pixels: Overlap, found: Matched, classes: tuple[Ints, Ints] | None = None, number: int = 1
) -> Floats:
    """Return a case's sums, one row a class (number, `COLUMNS`).

    Overlap and Dice of partners, and how many instances are matched, false and missed.
    """
    if classes is None:
        classes = (
            np.zeros(len(pixels.reference), dtype=np.int64),
            np.zeros(len(pixels.predicted), dtype=np.int64),
        )
    of_pair = classes[0][found.reference]
    pair = (found.reference, found.predicted)
    partners = np.bincount(of_pair, minlength=number)
    judged = np.bincount(classes[1][~found.left_out], minlength=number)
    return np.column_stack(
        [
            np.bincount(of_pair, weights=pixels.iou[pair], minlength=number),
            np.bincount(of_pair, weights=pixels.dice[pair], minlength=number),
            partners,
            judged - partners,
            np.bincount(classes[0], minlength=number) - partners,
        ]
    )


def instance_dice(pixels: Overlap, found: Matched) -> Floats:
    """Return each reference instance's Dice with its partner, 0 where it has none."""
    dice = np.zeros(len(pixels.reference))
    dice[found.reference] = pixels.dice[found.reference, found.predicted]
    return dice


def panoptic_quality(table: Floats) -> Floats:
    """Return PQ = sum of overlaps / (matched + false / 2 + missed / 2) of sums (..., 5)."""
    return _ratio(table[..., 0], table[..., 2] + (table[..., 3] + table[..., 4]) / 2)


def segmentation_quality(table: Floats) -> Floats:
    """Return SQ, the mean overlap of partners, of sums (..., 5)."""
    return _ratio(table[..., 0], table[..., 2])


def recognition_quality(table: Floats) -> Floats:
    """Return RQ, the F1 of finding instances, of sums (..., 5)."""
    return _ratio(table[..., 2], table[..., 2] + (table[..., 3] + table[..., 4]) / 2)


def lesionwise_dice(table: Floats) -> Floats:
    """Return the mean Dice over all instances, missed and false ones counting 0 (..., 5)."""
    return _ratio(table[..., 1], table[..., 2] + table[..., 3] + table[..., 4])


def class_mean(values: Floats) -> Floats:
    """Return the mean over classes (..., classes) of those that are defined."""
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(defined, values, 0.0).sum(axis=-1) / defined.sum(axis=-1)
    return mean


def _ratio(top: Floats, bottom: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where(bottom > 0, top / bottom, np.nan)
    return ratio
