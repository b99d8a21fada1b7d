"""Landmarks: named points held against the reference's, case by case.

Every target of the manifest is a landmark. A case whose reference lacks one is measured by the
others; a landmark that the model does not give counts as not found. Of several points of one name
the one with the highest score counts, the first of equals.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError
from proctor_workers.answers import Answer, Answers, Cases
from proctor_workers.kinds.base import Columns, Described, Setting, one_of
from proctor_workers.kinds.case_valued import Asked, CaseValued, asked, place_of
from proctor_workers.metrics.case_values import CaseMean, goal_share, over_cases
from proctor_workers.metrics.landmarks import PointErrors, point_errors
from proctor_workers.metrics.metric import Metric
from proctor_workers.statistics.arrays import Floats

_LEFT_OUT = "no landmark to compare"


class Landmarks(CaseValued):
    """Columns: `lacking`, and one of values for each quantity, parameters and landmark."""

    name = "landmarks"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a mean or median over cases, or a share of cases."""
        if name == "landmark_goal_share":
            return goal_share(name, float(parameters["goal"]), higher_is_better=False)
        means = {
            one: CaseMean(name=one, left_out=_LEFT_OUT)
            for one in ("detection_success", "correct_keypoints")
        }
        error = over_cases(
            "point_error",
            parameters.get("statistic", "mean"),
            left_out=_LEFT_OUT,
            unit_scale=False,
            complete_cases=True,
        )
        return one_of({"point_error": error, **means}, name, self.name)

    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Measure every landmark's distance and what the endpoints make of it."""
        targets = setting.targets
        pairs = []
        for truth, given in zip(cases.truth(), answers, strict=True):
            reference = _reference(truth, targets)
            pairs.append((reference, _found(given, reference, targets)))
        columns: dict[str, Any] = {
            "lacking": np.array([found is None for _, found in pairs], dtype=np.bool_)
        }
        for metric, parameters, target in asked(setting, self):
            columns[self.column(metric, parameters, target)] = np.array(
                [
                    math.nan
                    if found is None
                    else _value((metric, parameters, target), targets, reference, found)
                    for reference, found in pairs
                ]
            )
        return columns

    def described(self, setting: Setting) -> Sequence[Described]:
        """Show the point error of every landmark."""
        return [Described(metric="point_error", target=target) for target in setting.targets]


def _reference(truth: Sequence[Answer], targets: Sequence[str]) -> Floats:
    """Return the reference's landmarks (targets, axes), rows of NaN for those it lacks.

    Raises:
        DataError: there is none, or one that is no target, or their axes differ.
    """
    rows = [one for one in truth if one.output == "points" and one.location is not None]
    if not rows or not {one.unit for one in rows} <= set(targets):
        raise DataError(
            "A case of the cohort has no landmarks, or one the model does not answer for.",
            cure='Give {"points": [{"name", "point"}]} with the names of the manifest\'s targets.',
        )
    axes = {len(one.location) for one in rows if one.location is not None}
    if len(axes) != 1:
        raise DataError(
            "A case's reference landmarks have not all two or all three coordinates.",
            cure="Correct the cohort.",
        )
    return _positions(rows, targets, axes.pop())


def _found(given: Sequence[Answer], reference: Floats, targets: Sequence[str]) -> Floats | None:
    """Return the model's landmarks (targets, axes), or None if they cannot be compared."""
    rows = [one for one in given if one.output == "points" and one.location is not None]
    axes = reference.shape[1]
    if not any(one.output == "points" for one in given):
        return None
    if any(one.location is not None and len(one.location) != axes for one in rows):
        return None
    return _positions(rows, targets, axes)


def _positions(rows: Sequence[Answer], targets: Sequence[str], axes: int) -> Floats:
    places = np.full((len(targets), axes), np.nan)
    best = dict.fromkeys(targets, -math.inf)
    for one in rows:
        score = 0.0 if one.score is None else one.score
        if one.unit in best and score > best[one.unit]:
            best[one.unit] = score
            places[list(targets).index(one.unit)] = one.location
    return places


def _value(asked_for: Asked, targets: Sequence[str], reference: Floats, found: Floats) -> float:
    """Return one case's value; NaN if the reference has no landmark for it."""
    metric, parameters, target = asked_for
    known = ~np.isnan(reference).any(axis=1)
    if target is not None:
        known &= np.arange(len(targets)) == place_of(target, targets)
    if not known.any():
        return math.nan
    unit = float(parameters.get("mm_per_unit", 1.0))
    errors = point_errors(reference[known] * unit, found[known] * unit)
    if metric == "correct_keypoints":
        return _correct(errors, parameters, targets, reference)
    if metric == "detection_success":
        return errors.detected(float(parameters["radius"]))
    if metric == "landmark_goal_share":
        return math.inf if errors.missing else errors.mean()
    return errors.mean()


def _correct(
    errors: PointErrors, parameters: Mapping[str, Any], targets: Sequence[str], reference: Floats
) -> float:
    ends = [reference[place_of(parameters[name], targets)] for name in ("first", "second")]
    length = math.dist(*ends)
    if not length > 0:  # a landmark that the reference lacks, or both in one place
        return math.nan
    return errors.correct(float(parameters["fraction"]), length)
