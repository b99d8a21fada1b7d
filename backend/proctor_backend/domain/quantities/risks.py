"""Further quantities of one score for two classes: parts of the ROC curve, calibration, benefit."""

from dataclasses import replace

from proctor_backend.domain.quantities.base import Parameter, Quantity, tasks

_SCORE = Quantity(
    name="",
    label="",
    definition="",
    tasks=tasks("binary_classification"),
    two_classes=True,
    written="number",
)
_RATE = replace(_SCORE, written="share")
_CALIBRATION = replace(
    _SCORE,
    better="lower",
    prevalence_bound=True,
    two_classes=False,
    complete_cases=True,
    decides=False,
)
_BINS = {
    "bins": Parameter(meaning="the number of bins.", type=int, default=10, low=1, high=100),
    "binning": Parameter(
        meaning="how bins are cut.",
        type=str,
        default="equal_width",
        choices=("equal_width", "equal_mass"),
    ),
    "of": Parameter(
        meaning="whose probability is looked at.",
        type=str,
        default="positive_class",
        choices=("positive_class", "top_label"),
    ),
}
_BINNED = (
    "gap of mean probability and observed share over right-closed bins (bins, binning and the "
    "class looked at stand in the endpoint's parameters)."
)
_DISTANCE = (
    "distance of the probability from the flexible calibration curve (restricted cubic spline of "
    "the logit, four knots)."
)

QUANTITIES = (
    replace(
        _SCORE,
        name="partial_auc",
        label="Partial area under the ROC curve, {over} {low} to {high}",
        definition="Area under the ROC curve over a range of one rate; standardised by McClish, "
        "it is 0.5 for chance and 1 for a perfect curve.",
        parameters={
            "low": Parameter(meaning="the lower end of the range.", low=0, high=1),
            "high": Parameter(meaning="the upper end of the range.", low=0, high=1),
            "over": Parameter(
                meaning="the rate that the range is of.",
                type=str,
                default="specificity",
                choices=("specificity", "sensitivity"),
            ),
            "standardised": Parameter(
                meaning="whether McClish's standardisation is made.", type=bool, default=True
            ),
        },
    ),
    replace(
        _RATE,
        name="sensitivity_at_specificity",
        label="Sensitivity at specificity {specificity}",
        definition="Greatest sensitivity of a threshold whose specificity is at least the given.",
        parameters={
            "specificity": Parameter(meaning="the specificity to reach.", low=0, high=1),
        },
    ),
    replace(
        _RATE,
        name="specificity_at_sensitivity",
        label="Specificity at sensitivity {sensitivity}",
        definition="Greatest specificity of a threshold whose sensitivity is at least the given.",
        parameters={
            "sensitivity": Parameter(meaning="the sensitivity to reach.", low=0, high=1),
        },
    ),
    replace(
        _SCORE,
        name="scaled_brier",
        label="Scaled Brier score",
        definition="1 less the Brier score divided by that of predicting the prevalence.",
        prevalence_bound=True,
        bounds=(None, 1),
    ),
    replace(
        _CALIBRATION,
        name="spiegelhalter_z",
        label="Spiegelhalter's z",
        definition="Departure of the Brier score from what it would be if the probabilities were "
        "true, in standard errors, with its two-sided p value.",
        better="target",
        written="ratio",
        bounds=(None, None),
    ),
    replace(
        _CALIBRATION,
        name="expected_calibration_error",
        label="Expected calibration error",
        definition=f"Mean {_BINNED}",
        parameters=_BINS,
    ),
    replace(
        _CALIBRATION,
        name="maximum_calibration_error",
        label="Maximum calibration error",
        definition=f"Greatest {_BINNED}",
        parameters=_BINS,
    ),
    replace(
        _CALIBRATION,
        name="integrated_calibration_index",
        label="Integrated calibration index",
        definition=f"Mean {_DISTANCE}",
    ),
    replace(
        _CALIBRATION,
        name="calibration_e50",
        label="Median calibration distance (E50)",
        definition=f"Median {_DISTANCE}",
    ),
    replace(
        _CALIBRATION,
        name="calibration_e90",
        label="90th percentile of calibration distance (E90)",
        definition=f"90th percentile of the {_DISTANCE}",
    ),
    replace(
        _SCORE,
        name="net_benefit",
        label="Net benefit at threshold probability {threshold}",
        definition="True positives less false positives times the odds of the threshold "
        "probability, per case.",
        prevalence_bound=True,
        bounds=(None, 1),
        parameters={
            "threshold": Parameter(
                meaning="the threshold probability, such as 0.2.", low=0.001, high=0.999
            ),
        },
    ),
)
