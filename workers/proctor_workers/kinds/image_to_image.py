"""Image to image: a produced image held against the reference's, case by case.

A region is a label of the mask that the reference standard gives beside its image.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError
from proctor_workers.answers import Answer, Answers, Cases
from proctor_workers.kinds.base import Columns, Described, Setting, one_of
from proctor_workers.kinds.case_valued import Asked, CaseValued, asked
from proctor_workers.metrics.case_values import goal_share, over_cases
from proctor_workers.metrics.images import (
    ImageError,
    Similarity,
    intensity_errors,
    peak_signal_to_noise,
    structural_similarity,
)
from proctor_workers.metrics.metric import Metric
from proctor_workers.metrics.segmentation.runs import decode_runs
from proctor_workers.statistics.arrays import Bools, Floats, Ints

_LEFT_OUT = "the images are equal, or the reference has not this region"
_VALUED = ("psnr", "ssim", "intensity_mae", "intensity_rmse", "intensity_bias")


class ImageToImage(CaseValued):
    """Columns: `lacking`, and one of values for each quantity and its parameters."""

    name = "image_to_image"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a mean or median over cases, or a share of cases."""
        if name == "image_goal_share":
            return goal_share(name, float(parameters["goal"]), higher_is_better=False)
        valued = {
            one: over_cases(
                one,
                parameters.get("statistic", "mean"),
                left_out=_LEFT_OUT,
                unit_scale=one == "ssim",
                complete_cases=True,
            )
            for one in _VALUED
        }
        return one_of(valued, name, self.name)

    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Compare every case's images; a produced image of another size counts as failed."""
        wanted = list(asked(setting, self))
        values = np.full((len(cases), len(wanted)), np.nan)
        lacking = np.zeros(len(cases), dtype=np.bool_)
        for case, (truth, given) in enumerate(zip(cases.truth(), answers, strict=True)):
            reference, produced = _image(truth), _image(given)
            if reference is None:
                raise DataError(
                    "A case of the cohort has no image as its reference standard.",
                    cure='Give {"image": {"size", "pixels"}} as its reference outputs.',
                )
            lacking[case] = produced is None or produced.shape != reference.shape
            if produced is None or lacking[case]:
                continue
            regions = _regions(truth)
            values[case] = [_value(one, reference, produced, regions) for one in wanted]
        columns: dict[str, Any] = {"lacking": lacking}
        for place, one in enumerate(wanted):
            columns[self.column(*one)] = np.ascontiguousarray(values[:, place])
        return columns

    def described(self, setting: Setting) -> Sequence[Described]:
        """Show the size of the error and its mean over the whole image."""
        del setting
        return [Described(metric="intensity_mae"), Described(metric="intensity_bias")]


def _image(answers: Sequence[Answer]) -> Floats | None:
    parts = {one.unit: one.location for one in answers if one.output == "image"}
    frame, pixels = parts.get("frame"), parts.get("pixels")
    if frame is None or pixels is None:
        return None
    return pixels.reshape(_size(frame))


def _size(frame: Floats) -> Ints:
    return frame[: len(frame) // 2].astype(np.int64)


def _regions(truth: Sequence[Answer]) -> dict[str, Bools]:
    rows = [one for one in truth if one.output == "mask" and one.location is not None]
    if not rows or rows[0].location is None:
        return {}
    size = _size(rows[0].location).tolist()
    return {
        str(one.category): decode_runs({1: one.location.astype(np.int64).reshape(-1, 2)}, size) > 0
        for one in rows[1:]
        if one.location is not None
    }


def _value(
    wanted: Asked, reference: Floats, produced: Floats, regions: Mapping[str, Bools]
) -> float:
    """Return one case's value; NaN where it has none.

    Raises:
        DataError: an image is too small for the similarity's window, or its region is another's.
    """
    metric, parameters, _ = wanted
    try:
        if metric == "psnr":
            found = peak_signal_to_noise(
                reference, produced, data_range=float(parameters["data_range"])
            )
            return found if math.isfinite(found) else math.nan
        if metric == "ssim":
            settings = Similarity(
                data_range=float(parameters["data_range"]), windows=parameters["windows"]
            )
            return structural_similarity(reference, produced, settings)
        region = None
        if parameters["region"]:
            region = regions.get(parameters["region"])
            if region is None or not region.any():
                return math.nan
        errors = intensity_errors(reference, produced, region=region)
    except ImageError as error:
        raise DataError(
            "A case's reference image or region cannot be measured: " + str(error) + ".",
            cure="Correct the cohort, or choose another quantity.",
        ) from error
    return {
        "intensity_rmse": errors.root_mean_square,
        "intensity_bias": errors.bias,
    }.get(metric, errors.mean_absolute)
