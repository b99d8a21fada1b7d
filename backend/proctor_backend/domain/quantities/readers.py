"""Quantities of readers who read the same cases: agreement, and a device beside the mean reader."""

from dataclasses import replace

from proctor_backend.domain.quantities.base import Parameter, Quantity, tasks

_BINARY = tasks("binary_classification")
_COVARIANCE = {
    "covariance": Parameter(
        meaning="how the covariance of the readers' areas is estimated",
        type=str,
        default="jackknife",
        choices=("jackknife", "delong", "unbiased"),
    )
}
_MARGIN = {
    "margin": Parameter(
        meaning="the margin of non-inferiority whose one-sided p value stands beside the interval",
        default=0.0,
        low=0,
        high=1,
    )
}
_DIFFERENCE = Quantity(
    name="", label="", definition="", tasks=_BINARY, bounds=(-1, 1), parameters=_MARGIN
)

QUANTITIES = (
    Quantity(
        name="reader_agreement",
        label="Agreement among the readers ({coefficient})",
        definition="Agreement among the cohort's readers on the category of the same cases; the "
        "device has no part in it.",
        tasks=_BINARY | tasks("multiclass_classification ordinal_classification"),
        parameters={
            "coefficient": Parameter(
                meaning="the coefficient of agreement",
                type=str,
                choices=(
                    "percent_agreement",
                    "cohen_kappa",
                    "cohen_kappa_linear",
                    "cohen_kappa_quadratic",
                    "fleiss_kappa",
                    "gwet_ac1",
                    "gwet_ac2_linear",
                    "gwet_ac2_quadratic",
                    "gwet_ac2_ordinal",
                    "krippendorff_nominal",
                    "krippendorff_ordinal",
                    "krippendorff_interval",
                ),
            )
        },
        bounds=(-1, 1),
    ),
    replace(
        _DIFFERENCE,
        name="auroc_minus_readers",
        label="Area under the ROC curve, device less mean reader",
        definition="The device's area under the ROC curve less the mean of the readers' areas, "
        "with readers and cases random.",
        parameters=_COVARIANCE | _MARGIN,
    ),
    replace(
        _DIFFERENCE,
        name="sensitivity_minus_readers",
        label="Sensitivity, device less mean reader",
        definition="The device's sensitivity less the mean of the readers', with readers and "
        "cases random.",
        at_operating_point=True,
        two_classes=True,
    ),
    replace(
        _DIFFERENCE,
        name="specificity_minus_readers",
        label="Specificity, device less mean reader",
        definition="The device's specificity less the mean of the readers', with readers and "
        "cases random.",
        at_operating_point=True,
        two_classes=True,
    ),
    replace(
        _DIFFERENCE,
        name="reader_arm_gain",
        label="Mean reader's {figure}, {arm} less {against}",
        definition="Mean of the readers' figures in one arm less that in another, the same readers "
        "and cases in both.",
        parameters={
            "arm": Parameter(meaning="the arm of interest, as in READER@ARM", type=str),
            "against": Parameter(meaning="the arm that it is compared with", type=str),
            "figure": Parameter(
                meaning="what is averaged over the readers; rates are of their calls",
                type=str,
                default="auroc",
                choices=("auroc", "sensitivity", "specificity"),
            ),
            "inference": Parameter(
                meaning="which of readers and cases stand for others like them",
                type=str,
                default="readers_and_cases",
                choices=("readers_and_cases", "cases", "readers"),
            ),
            **_COVARIANCE,
            **_MARGIN,
        },
    ),
)
