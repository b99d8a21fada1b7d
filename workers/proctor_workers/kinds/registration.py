"""Registration: a transform from the fixed to the moving image, held against pairs of targets.

The reference standard names each target twice: points of the category "fixed" and of the category
"moving" with one name, [x, y] or [x, y, z] in mm. A matrix maps such points. A displacement field
lies on the fixed image with its first cell's centre at 0; its size counts slices, rows and columns,
its vectors go along x, y, z in mm, x along the columns.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError
from proctor_workers.answers import Answer, Answers, Cases
from proctor_workers.kinds.base import Columns, Described, Setting, one_of
from proctor_workers.kinds.case_valued import CaseValued, asked
from proctor_workers.metrics.case_values import goal_share, over_cases
from proctor_workers.metrics.landmarks import PointErrors
from proctor_workers.metrics.metric import Metric
from proctor_workers.metrics.registration import (
    Affine,
    DisplacementField,
    Transform,
    TransformError,
    target_errors,
)
from proctor_workers.metrics.segmentation.masks import MaskError
from proctor_workers.statistics.arrays import Floats


class Registration(CaseValued):
    """Columns: `lacking`, and one of values for each quantity and its parameters."""

    name = "registration"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a mean or median over cases, or a share of cases."""
        if name == "registration_goal_share":
            return goal_share(name, float(parameters["goal"]), higher_is_better=False)
        valued = {
            one: over_cases(
                one,
                parameters.get("statistic", "mean"),
                left_out="no target to compare",
                unit_scale=one == "folding",
                complete_cases=True,
            )
            for one in ("target_registration_error", "folding")
        }
        return one_of(valued, name, self.name)

    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Map every case's targets and look for folds.

        A transform that is none, has other axes, or does not reach a target counts as failed.
        """
        found = [
            _measured(*_targets(truth), given)
            for truth, given in zip(cases.truth(), answers, strict=True)
        ]
        error = np.array([math.nan if one is None else one[0].mean() for one in found])
        folded = np.array([math.nan if one is None else one[1] for one in found])
        columns: dict[str, Any] = {
            "lacking": np.array([one is None for one in found], dtype=np.bool_)
        }
        for metric, parameters, target in asked(setting, self):
            values = folded if metric == "folding" else error
            columns[self.column(metric, parameters, target)] = values
        return columns

    def described(self, setting: Setting) -> Sequence[Described]:
        """Show error and folding."""
        del setting
        return [Described(metric="target_registration_error"), Described(metric="folding")]


def _targets(truth: Sequence[Answer]) -> tuple[Floats, Floats]:
    """Return the targets in the fixed and in the moving image, (targets, axes) each.

    Raises:
        DataError: a target lacks one of both, or they have not all the same axes.
    """
    places: dict[str, dict[str, Floats]] = {"fixed": {}, "moving": {}}
    for one in truth:
        if one.output == "points" and one.location is not None and one.category in places:
            places[one.category][str(one.unit)] = one.location
    fixed, moving = places["fixed"], places["moving"]
    axes = {len(place) for part in places.values() for place in part.values()}
    if not fixed or fixed.keys() != moving.keys() or len(axes) != 1:
        raise DataError(
            "A case of the cohort has no pairs of targets as its reference standard.",
            cure='Give every target twice, with the categories "fixed" and "moving" and one name.',
        )
    names = sorted(fixed)
    return np.stack([fixed[name] for name in names]), np.stack([moving[name] for name in names])


def _measured(
    fixed: Floats, moving: Floats, given: Sequence[Answer]
) -> tuple[PointErrors, float] | None:
    try:
        transform = _transform(given)
        if transform is None:
            return None
        return target_errors(transform, fixed, moving), transform.folding()
    except (TransformError, MaskError):
        return None


def _transform(given: Sequence[Answer]) -> Transform | None:
    parts = {one.unit: one.location for one in given if one.output == "transform"}
    matrix, frame, vectors = (parts.get(name) for name in ("matrix", "frame", "vectors"))
    if matrix is not None:
        side = math.isqrt(len(matrix))
        return Affine(matrix=matrix.reshape(side, side))
    if frame is None or vectors is None:
        return None
    axes = len(frame) // 2
    size, spacing = frame[:axes].astype(np.int64), frame[axes:]
    if not spacing.all():
        return None  # without spacing a field does not say where it lies
    # From cells counted slices first to axes counted x first, as the vectors' parts are.
    field = vectors.reshape(*size, axes).transpose(*range(axes - 1, -1, -1), axes)
    return DisplacementField(
        displacement=np.ascontiguousarray(field),
        spacing=tuple(float(step) for step in spacing[::-1]),
        origin=(0.0,) * axes,
    )
