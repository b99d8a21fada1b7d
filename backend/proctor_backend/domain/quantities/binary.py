"""Quantities of two classes; multiclass and multilabel tasks have them for one target at a time."""

from dataclasses import replace

from proctor_backend.domain.quantities.base import BOOTSTRAP, SHARE, Quantity, tasks

_TASKS = tasks(
    "binary_classification multiclass_classification multilabel_classification "
    "ordinal_classification"
)
_CALLED = _TASKS | tasks("detection instance_segmentation")  # an image with any mark called
_RATE = Quantity(
    name="",
    label="",
    definition="",
    tasks=_TASKS,
    target="may",
    at_operating_point=True,
    two_classes=True,
    written="share",
    methods=SHARE,
)
_FORMULA = replace(_RATE, methods=BOOTSTRAP, written="number")
_SCORE = replace(_FORMULA, at_operating_point=False)

QUANTITIES = (
    replace(
        _RATE,
        name="sensitivity",
        tasks=_CALLED,
        label="Sensitivity",
        definition="Share of reference-positive cases called positive.",
    ),
    replace(
        _RATE,
        name="specificity",
        tasks=_CALLED,
        label="Specificity",
        definition="Share of reference-negative cases called negative.",
    ),
    replace(
        _RATE,
        name="ppv",
        tasks=_CALLED,
        label="Positive predictive value",
        definition="Share of cases called positive that are reference-positive.",
        prevalence_bound=True,
    ),
    replace(
        _RATE,
        name="npv",
        tasks=_CALLED,
        label="Negative predictive value",
        definition="Share of cases called negative that are reference-negative.",
        prevalence_bound=True,
    ),
    replace(
        _RATE,
        name="accuracy",
        label="Accuracy",
        definition="Share of cases called as the reference standard has them.",
        prevalence_bound=True,
    ),
    replace(
        _RATE,
        name="prevalence",
        label="Prevalence",
        definition="Share of cases that are reference-positive.",
        at_operating_point=False,
        better="target",
    ),
    replace(
        _FORMULA,
        name="lr_positive",
        label="Positive likelihood ratio",
        written="ratio",
        definition="Sensitivity divided by (1 - specificity).",
        bounds=(0, None),
    ),
    replace(
        _FORMULA,
        name="lr_negative",
        label="Negative likelihood ratio",
        written="ratio",
        definition="(1 - sensitivity) divided by specificity.",
        bounds=(0, None),
        better="lower",
    ),
    replace(
        _FORMULA,
        name="balanced_accuracy",
        label="Balanced accuracy",
        written="share",
        definition="Mean of sensitivity and specificity.",
    ),
    replace(
        _FORMULA,
        name="f1",
        label="F1 score",
        definition="Harmonic mean of sensitivity and positive predictive value.",
        prevalence_bound=True,
    ),
    replace(
        _FORMULA,
        name="mcc",
        label="Matthews correlation coefficient",
        definition="Matthews correlation of call and reference.",
        prevalence_bound=True,
        bounds=(-1, 1),
    ),
    replace(
        _FORMULA,
        name="nnp",
        label="Number needed to predict",
        written="ratio",
        definition="Number needed to predict: 1 / (PPV + NPV - 1), blank where that sum is <= 1.",
        prevalence_bound=True,
        bounds=(1, None),
        better="lower",
    ),
    replace(
        _SCORE,
        name="auroc",
        label="Area under the ROC curve",
        definition="Chance that a random positive scores above a random negative; ties half.",
        methods=frozenset({"auto", "logit_delong", "newcombe5", "bootstrap_bca"}),
    ),
    replace(
        _SCORE,
        name="auprc",
        label="Area under the precision-recall curve",
        definition="Average precision: precision at each recall step, ties together.",
        prevalence_bound=True,
    ),
    replace(
        _SCORE,
        name="brier",
        label="Brier score",
        definition="Mean squared distance of the emitted probability from the reference.",
        prevalence_bound=True,
        better="lower",
    ),
    replace(
        _SCORE,
        name="oe_ratio",
        label="Observed to expected ratio",
        written="ratio",
        definition="Observed positives divided by the sum of emitted probabilities.",
        prevalence_bound=True,
        bounds=(0, None),
        better="target",
        complete_cases=True,
    ),
    replace(
        _SCORE,
        name="calibration_intercept",
        label="Calibration intercept",
        definition="Intercept of a logistic model with the score's logit as offset.",
        prevalence_bound=True,
        bounds=(None, None),
        better="target",
        complete_cases=True,
    ),
    replace(
        _SCORE,
        name="calibration_slope",
        label="Calibration slope",
        definition="Slope of a logistic model on the score's logit.",
        bounds=(None, None),
        better="target",
        complete_cases=True,
    ),
)
