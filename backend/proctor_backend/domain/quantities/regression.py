"""Quantities of a measured value against its reference, one target at a time."""

from dataclasses import replace

from proctor_backend.domain.quantities.base import SHARE, Parameter, Quantity, tasks

_ERROR = Quantity(
    name="",
    label="",
    definition="",
    tasks=tasks("regression"),
    target="must",
    better="lower",
    bounds=(0, None),
    complete_cases=True,
)
_CORRELATION = replace(_ERROR, better="higher", bounds=(-1, 1))
_LINE = replace(_ERROR, better="target", bounds=(None, None))
_RATIO = {
    "ratio": Parameter(
        meaning="the error variance of the reference over that of the device, above 0.",
        default=1.0,
        low=1e-6,
        high=1e6,
    )
}
_SHARE = {
    "share": Parameter(
        meaning="the share of differences that lies within, such as 0.95.",
        default=0.95,
        low=0.5,
        high=0.999,
    )
}
_PAIRING = {
    "repeats": Parameter(
        meaning="linked: a patient's rows pair value and reference while what is measured varies; "
        "unlinked: both repeat one unchanging value.",
        type=str,
        default="linked",
        choices=("linked", "unlinked"),
    )
}
_REPEATED = {
    "subject": Parameter(
        meaning="the attribute whose value the repeats of one measurement share, or patient.",
        type=str,
        default="patient",
    )
}

QUANTITIES = (
    replace(
        _ERROR,
        name="mean_difference",
        label="Bias (mean difference)",
        definition="Mean of value minus reference over cases.",
        better="target",
        bounds=(None, None),
        parameters={
            "margin": Parameter(
                meaning="a bias below which the two are equivalent, for two one-sided tests; or 0.",
                default=0.0,
                low=0,
            )
        },
    ),
    replace(
        _LINE,
        name="loa_lower",
        label="Lower limit of agreement",
        definition="Bland-Altman limit: mean difference minus z standard deviations of a single "
        "difference; patients weigh equally where they repeat.",
        parameters=_SHARE | _PAIRING,
    ),
    replace(
        _LINE,
        name="loa_upper",
        label="Upper limit of agreement",
        definition="Bland-Altman limit: mean difference plus z standard deviations of a single "
        "difference; patients weigh equally where they repeat.",
        parameters=_SHARE | _PAIRING,
    ),
    replace(
        _ERROR,
        name="mae",
        label="Mean absolute error",
        definition="Mean size of value minus reference.",
    ),
    replace(
        _ERROR,
        name="rmse",
        label="Root mean square error",
        definition="Root of the mean squared difference of value and reference.",
    ),
    replace(
        _ERROR,
        name="median_absolute_error",
        label="Median absolute error",
        definition="Median size of value minus reference.",
    ),
    replace(
        _ERROR,
        name="mape",
        label="Mean absolute relative error",
        definition="Mean size of value minus reference, as a share of the reference's size.",
        written="share",
    ),
    replace(
        _ERROR,
        name="within_allowance",
        label="Within the allowable difference",
        definition="Share of cases whose value lies within the allowable difference: the larger of "
        "an absolute part and a share of the reference.",
        better="higher",
        bounds=(0, 1),
        written="share",
        methods=SHARE,
        complete_cases=False,
        parameters={
            "absolute": Parameter(
                meaning="the absolute allowable difference, in the value's unit.",
                default=0.0,
                low=0,
            ),
            "relative": Parameter(
                meaning="the allowable difference as a share of the reference, such as 0.15.",
                default=0.0,
                low=0,
            ),
        },
    ),
    replace(
        _CORRELATION,
        name="r_squared",
        label="Coefficient of determination",
        definition="1 minus the sum of squared differences over the reference's sum of squares.",
        bounds=(None, 1),
    ),
    replace(
        _CORRELATION,
        name="pearson",
        label="Pearson correlation",
        definition="Product-moment correlation of value and reference.",
    ),
    replace(
        _CORRELATION,
        name="spearman",
        label="Spearman correlation",
        definition="Correlation of the midranks of value and reference.",
    ),
    replace(
        _CORRELATION,
        name="ccc",
        label="Concordance correlation",
        definition="Lin's concordance correlation coefficient, variances with divisor n.",
    ),
    replace(
        _CORRELATION,
        name="icc_2_1",
        label="Intraclass correlation ICC(2,1)",
        definition="Two-way random effects, absolute agreement, single value: device and reference "
        "as two raters (Shrout & Fleiss).",
    ),
    replace(
        _CORRELATION,
        name="icc_3_1",
        label="Intraclass correlation ICC(3,1)",
        definition="Two-way mixed effects, consistency, single value: device and reference as two "
        "raters (Shrout & Fleiss).",
    ),
    replace(
        _LINE,
        name="deming_slope",
        label="Deming slope",
        definition="Slope of the Deming line of value on reference; both err by constant amounts.",
        parameters=_RATIO,
    ),
    replace(
        _LINE,
        name="deming_intercept",
        label="Deming intercept",
        definition="Intercept of the Deming line of value on reference; both err by constant "
        "amounts.",
        parameters=_RATIO,
    ),
    replace(
        _LINE,
        name="weighted_deming_slope",
        label="Weighted Deming slope",
        definition="Slope of the weighted Deming line; both err in proportion to the true value.",
        parameters=_RATIO,
    ),
    replace(
        _LINE,
        name="weighted_deming_intercept",
        label="Weighted Deming intercept",
        definition="Intercept of the weighted Deming line; both err in proportion to the true "
        "value.",
        parameters=_RATIO,
    ),
    replace(
        _LINE,
        name="passing_bablok_slope",
        label="Passing-Bablok slope",
        definition="Shifted median of all pairwise slopes of value on reference.",
    ),
    replace(
        _LINE,
        name="passing_bablok_intercept",
        label="Passing-Bablok intercept",
        definition="Median of value minus Passing-Bablok slope times reference.",
    ),
    replace(
        _ERROR,
        name="within_subject_cv",
        label="Within-subject coefficient of variation",
        definition="Root mean squared coefficient of variation of the device's repeated values.",
        written="share",
        parameters=_REPEATED,
    ),
    replace(
        _ERROR,
        name="repeatability_coefficient",
        label="Repeatability coefficient",
        definition="2.77 within-subject standard deviations of the device's repeated values: 95 % "
        "of pairs of repeats differ by less.",
        parameters=_REPEATED,
    ),
    replace(
        _ERROR,
        name="interval_coverage",
        label="Coverage of the emitted interval",
        definition="Share of cases whose reference lies in the interval that the device emitted.",
        better="target",
        bounds=(0, 1),
        written="share",
        methods=SHARE,
        complete_cases=False,
    ),
)
