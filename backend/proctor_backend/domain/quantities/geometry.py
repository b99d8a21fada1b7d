"""Quantities of points and of transforms: how far off in mm, and how often near enough."""

from dataclasses import replace

from proctor_backend.domain.quantities.base import BOOTSTRAP, SHARE, Parameter, Quantity, tasks

_STATISTIC = Parameter(
    meaning="what is taken over cases: mean or median",
    type=str,
    default="mean",
    choices=("mean", "median"),
)
_UNIT = Parameter(meaning="mm for one unit of the coordinates", default=1.0, low=1e-9)
_RADIUS = Parameter(meaning="the radius in mm", low=0.0)
_POINTS = Quantity(
    name="",
    label="",
    definition="",
    tasks=tasks("landmarks"),
    target="may",
    unit="mm",
    better="lower",
    bounds=(0, None),
    parameters={"statistic": _STATISTIC, "mm_per_unit": _UNIT},
    methods=BOOTSTRAP,
    complete_cases=True,
)
_SHARE = replace(_POINTS, written="share", unit="", better="higher", bounds=(0, 1))
_TRANSFORM = replace(
    _POINTS,
    tasks=tasks("registration"),
    target="no",
    parameters={"statistic": _STATISTIC},
)

QUANTITIES = (
    replace(
        _POINTS,
        name="point_error",
        label="Point error ({statistic})",
        definition="Distance of a found landmark from its reference; for each case the mean over "
        "its landmarks, those not given left out.",
    ),
    replace(
        _SHARE,
        name="detection_success",
        label="Success detection rate at {radius:g} mm",
        definition="Share of a case's landmarks found within the radius, landmarks not given "
        "counting as not found; the mean over cases.",
        parameters={"radius": _RADIUS, "mm_per_unit": _UNIT},
        complete_cases=False,
    ),
    replace(
        _SHARE,
        name="correct_keypoints",
        label="Percentage of correct keypoints at {fraction:g} of {first} to {second}",
        definition="Share of a case's landmarks found within a fraction of the distance between "
        "two reference landmarks of that case; the mean over cases.",
        parameters={
            "fraction": Parameter(meaning="the fraction of the case's own length", low=1e-9),
            "first": Parameter(meaning="the landmark that the length begins at", type=str),
            "second": Parameter(meaning="the landmark that the length ends at", type=str),
        },
        complete_cases=False,
    ),
    replace(
        _SHARE,
        name="landmark_goal_share",
        label="Share of cases with a point error within {goal:g} mm",
        definition="Share of cases whose mean distance over their landmarks is at most the goal; "
        "a case that lacks a landmark does not reach it.",
        parameters={
            "goal": Parameter(meaning="the largest mean distance in mm", low=0.0),
            "mm_per_unit": _UNIT,
        },
        methods=SHARE,
        complete_cases=False,
    ),
    replace(
        _TRANSFORM,
        name="target_registration_error",
        label="Target registration error ({statistic})",
        definition="Distance of each target, mapped from the fixed image, from its place in the "
        "moving image; for each case the mean over its targets.",
    ),
    replace(
        _TRANSFORM,
        name="folding",
        label="Folded share of space ({statistic})",
        definition="Share of voxels at which the mapping's Jacobian determinant is not above 0; "
        "of a matrix all or nothing.",
        written="share",
        unit="",
        bounds=(0, 1),
    ),
    replace(
        _TRANSFORM,
        name="registration_goal_share",
        label="Share of cases with a target registration error within {goal:g} mm",
        definition="Share of cases whose mean error over their targets is at most the goal.",
        written="share",
        unit="",
        better="higher",
        bounds=(0, 1),
        parameters={"goal": Parameter(meaning="the largest mean error in mm", low=0.0)},
        methods=SHARE,
        complete_cases=False,
    ),
)
