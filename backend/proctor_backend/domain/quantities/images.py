"""Quantities of images held against the images they should be."""

from dataclasses import replace

from proctor_backend.domain.quantities.base import BOOTSTRAP, SHARE, Parameter, Quantity, tasks

_STATISTIC = Parameter(
    meaning="what is taken over cases: mean or median",
    type=str,
    default="mean",
    choices=("mean", "median"),
)
_RANGE = Parameter(meaning="the width of the scale both images live on, in their unit", low=1e-12)
_REGION = Parameter(
    meaning="a label of the reference's mask within which is measured; empty for the whole image",
    type=str,
    default="",
)
_LIKENESS = Quantity(
    name="",
    label="",
    definition="",
    tasks=tasks("image_to_image"),
    bounds=(None, None),
    parameters={"data_range": _RANGE, "statistic": _STATISTIC},
    methods=BOOTSTRAP,
    complete_cases=True,
)
_ERROR = replace(
    _LIKENESS,
    better="lower",
    bounds=(0, None),
    parameters={"region": _REGION, "statistic": _STATISTIC},
)

QUANTITIES = (
    replace(
        _LIKENESS,
        name="psnr",
        label="Peak signal to noise ratio ({statistic})",
        unit="dB",
        definition="10 log10 of the squared data range by the mean squared error, for each case; "
        "equal images have none, are left out and counted.",
    ),
    replace(
        _LIKENESS,
        name="ssim",
        label="Structural similarity ({statistic})",
        bounds=(-1, 1),
        definition="Mean structural similarity over windows (Wang 2004, gaussian window of "
        "standard deviation 1.5 over 11 pixels), for each case.",
        parameters=dict(_LIKENESS.parameters)
        | {
            "windows": Parameter(
                meaning="inside (windows within the image, as published and in scikit-image) or "
                "reflected (one around every pixel, the image reflected, as in torchmetrics)",
                type=str,
                default="inside",
                choices=("inside", "reflected"),
            )
        },
    ),
    replace(
        _ERROR,
        name="intensity_mae",
        label="Mean absolute error of intensity ({statistic})",
        definition="Mean size of the error over an image's pixels, in the image's unit (HU for "
        "CT), for each case.",
    ),
    replace(
        _ERROR,
        name="intensity_rmse",
        label="Root mean square error of intensity ({statistic})",
        definition="Root of the mean squared error over an image's pixels, in the image's unit "
        "(HU for CT), for each case.",
    ),
    replace(
        _ERROR,
        name="intensity_bias",
        label="Mean error of intensity ({statistic})",
        better="target",
        bounds=(None, None),
        definition="Mean of produced less reference intensity over an image's pixels, in the "
        "image's unit (HU for CT), for each case.",
    ),
    replace(
        _ERROR,
        name="image_goal_share",
        label="Share of cases whose mean absolute error is within {goal:g}",
        better="higher",
        written="share",
        bounds=(0, 1),
        definition="Share of cases whose mean absolute error of intensity is at most the goal.",
        parameters={
            "region": _REGION,
            "goal": Parameter(meaning="the largest mean absolute error", low=0.0),
        },
        methods=SHARE,
        complete_cases=False,
    ),
)
