"""Quantities of masks: a value for each case and structure, then their mean, median or share."""

from dataclasses import replace

from proctor_backend.domain.quantities.base import BOOTSTRAP, SHARE, Parameter, Quantity, tasks

_STATISTIC = Parameter(
    meaning="what is taken over cases: mean or median",
    type=str,
    default="mean",
    choices=("mean", "median"),
)
_CONVENTION = Parameter(
    meaning="what a border is made of: voxel (border voxels, each counting one, as MONAI and "
    "MetricsReloaded) or surfel (surface elements by area, as surface-distance)",
    type=str,
    default="voxel",
    choices=("voxel", "surfel"),
)
_PERCENTILE = Parameter(
    meaning="larger (the percentile of each direction, the larger one) or pooled (of both "
    "directions' distances together)",
    type=str,
    default="larger",
    choices=("larger", "pooled"),
)
_EMPTY = Parameter(
    meaning="a distance where one mask of two is empty: diagonal (of the image) or exclude (left "
    "out and counted)",
    type=str,
    default="diagonal",
    choices=("diagonal", "exclude"),
)
_TOLERANCE = Parameter(meaning="the tolerance in mm", low=0.0)
_OVERLAP = Quantity(
    name="",
    label="",
    definition="",
    tasks=tasks("segmentation"),
    target="may",
    parameters={"statistic": _STATISTIC},
    methods=BOOTSTRAP,
)
_DISTANCE = replace(
    _OVERLAP,
    better="lower",
    unit="mm",
    bounds=(0, None),
    parameters={
        "statistic": _STATISTIC,
        "convention": _CONVENTION,
        "empty_distance": _EMPTY,
    },
)
_VOLUME = replace(_OVERLAP, better="target", bounds=(None, None), complete_cases=True)

QUANTITIES = (
    replace(
        _OVERLAP,
        name="dice",
        label="Dice coefficient ({statistic})",
        definition="Twice the shared voxels by the voxels of both masks, for each case; left out "
        "and counted where both are empty, 0 where one is.",
    ),
    replace(
        _OVERLAP,
        name="iou",
        label="Intersection over union ({statistic})",
        definition="Shared voxels by voxels of either mask, for each case; left out and counted "
        "where both are empty, 0 where one is.",
    ),
    replace(
        _OVERLAP,
        name="voxel_precision",
        label="Precision of voxels ({statistic})",
        definition="Share of predicted voxels inside the reference, for each case that has any.",
    ),
    replace(
        _OVERLAP,
        name="voxel_recall",
        label="Recall of voxels ({statistic})",
        definition="Share of reference voxels inside the prediction, for each case that has any.",
    ),
    replace(
        _OVERLAP,
        name="nsd",
        label="Normalised surface Dice at {tolerance:g} mm ({convention}, {statistic})",
        definition="Share of both masks' borders within the tolerance of the other, for each "
        "case; left out and counted where both are empty, 0 where one is.",
        parameters={
            "tolerance": _TOLERANCE,
            "convention": _CONVENTION,
            "statistic": _STATISTIC,
        },
    ),
    replace(
        _OVERLAP,
        name="cldice",
        label="Centre-line Dice ({statistic})",
        definition="Harmonic mean of the shares of each mask's skeleton (Lee 1994) inside the "
        "other, for each case; left out and counted where both are empty, 0 where one is.",
    ),
    replace(
        _DISTANCE,
        name="hd",
        label="Hausdorff distance ({convention}, {statistic})",
        definition="Largest distance from either mask's border to the other's, for each case; "
        "left out and counted where both are empty.",
    ),
    replace(
        _DISTANCE,
        name="hd95",
        label="95th percentile Hausdorff distance ({convention}, {percentile}, {statistic})",
        definition="95th percentile of the distances from either mask's border to the other's, "
        "for each case; left out and counted where both are empty.",
        parameters=dict(_DISTANCE.parameters) | {"percentile": _PERCENTILE},
    ),
    replace(
        _DISTANCE,
        name="assd",
        label="Average symmetric surface distance ({convention}, {statistic})",
        definition="Mean distance over both masks' borders together (pooled), for each case; left "
        "out and counted where both are empty.",
    ),
    replace(
        _DISTANCE,
        name="masd",
        label="Mean average surface distance ({convention}, {statistic})",
        definition="Mean of the two directions' mean border distances, for each case; left out "
        "and counted where both are empty.",
    ),
    replace(
        _VOLUME,
        name="volume_error",
        label="Volume error ({statistic})",
        unit="mm³",
        definition="Predicted less reference volume (area in 2-D) of each case.",
    ),
    replace(
        _VOLUME,
        name="absolute_volume_error",
        label="Absolute volume error ({statistic})",
        unit="mm³",
        better="lower",
        bounds=(0, None),
        definition="Size of the difference of predicted and reference volume (area in 2-D) of "
        "each case.",
    ),
    replace(
        _VOLUME,
        name="relative_volume_error",
        label="Relative volume error ({statistic})",
        definition="Predicted less reference volume by the reference volume, for each case whose "
        "reference is not empty.",
    ),
    replace(
        _VOLUME,
        name="absolute_relative_volume_error",
        label="Absolute relative volume error ({statistic})",
        better="lower",
        bounds=(0, None),
        definition="Size of the difference of the volumes by the reference volume, for each case "
        "whose reference is not empty.",
    ),
    replace(
        _OVERLAP,
        name="mask_goal_share",
        label="Share of cases whose {measure} reaches {goal:g}",
        definition="Share of cases whose value is at or beyond the goal; cases of two empty masks "
        "are left out and counted.",
        written="share",
        methods=SHARE,
        parameters={
            "measure": Parameter(
                meaning="the measure: dice, iou, nsd, cldice, hd, hd95, assd or masd",
                type=str,
                choices=("dice", "iou", "nsd", "cldice", "hd", "hd95", "assd", "masd"),
            ),
            "goal": Parameter(meaning="the value that a case has to reach", low=0.0),
            "tolerance": replace(_TOLERANCE, default=1.0, meaning="NSD's tolerance in mm"),
            "convention": _CONVENTION,
            "percentile": _PERCENTILE,
            "empty_distance": _EMPTY,
        },
    ),
)
