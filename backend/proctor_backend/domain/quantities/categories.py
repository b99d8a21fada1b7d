"""Quantities of several categories, with or without an order, and of several labels."""

from dataclasses import replace

from proctor_backend.domain.quantities.base import BOOTSTRAP, SHARE, Parameter, Quantity, tasks

_MULTICLASS = tasks("multiclass_classification")
_ORDINAL = tasks("ordinal_classification")
_BOTH = _MULTICLASS | _ORDINAL
_MULTILABEL = tasks("multilabel_classification")
_KAPPA = BOOTSTRAP | {"linearised"}
_AREA = frozenset({"auto", "bootstrap_bca"})
_POINTS = {
    "points": Parameter(
        meaning="the operating points to decide at, one of each label; none named: the only ones",
        type=str,
        default=(),
        several=True,
    )
}
_BY = {
    "by": Parameter(
        meaning="what cases are ranked by: the called category, or the mean category under the "
        "emitted probabilities",
        type=str,
        default="category",
        choices=("category", "probabilities"),
    )
}

_ALL = Quantity(name="", label="", definition="", tasks=_MULTICLASS, prevalence_bound=True)
_SHARE = replace(_ALL, methods=SHARE, written="share")
_CLASS = replace(_SHARE, target="must", prevalence_bound=False)
_CUTOFF = replace(_CLASS, tasks=_ORDINAL)
_AREAS = replace(_ALL, prevalence_bound=False, methods=_AREA)
_ORDER = replace(_AREAS, tasks=_ORDINAL, parameters=_BY)
_LABELS = replace(_ALL, tasks=_MULTILABEL, parameters=_POINTS)

QUANTITIES = (
    replace(
        _SHARE,
        name="category_accuracy",
        label="Accuracy",
        definition="Share of cases called the category that the reference standard has.",
        tasks=_BOTH,
    ),
    replace(
        _ALL,
        name="macro_recall",
        label="Balanced accuracy (mean recall)",
        definition="Unweighted mean over the categories of the share of their cases called right.",
        tasks=_BOTH,
        prevalence_bound=False,
        written="share",
    ),
    replace(
        _ALL,
        name="macro_precision",
        label="Macro precision",
        definition="Unweighted mean of the categories' precisions; one never called counts 0.",
    ),
    replace(
        _ALL,
        name="macro_f1",
        label="Macro F1",
        definition="Unweighted mean of the categories' F1.",
    ),
    *(
        replace(
            _SHARE,
            name=f"micro_{name}",
            label=f"Micro {label}",
            definition=f"{label[0].upper()}{label[1:]} of all decisions together; with one "
            "category a case, the accuracy.",
        )
        for name, label in (("recall", "recall"), ("precision", "precision"), ("f1", "F1"))
    ),
    *(
        replace(
            _ALL,
            name=f"weighted_{name}",
            label=f"Weighted {label}",
            definition=f"Mean of the categories' {label}, weighted by their cases.",
        )
        for name, label in (("recall", "recall"), ("precision", "precision"), ("f1", "F1"))
    ),
    replace(
        _ALL,
        name="category_mcc",
        label="Matthews correlation coefficient, several categories",
        definition="Gorodkin's correlation of called and reference category.",
        bounds=(-1, 1),
    ),
    replace(
        _ALL,
        name="kappa",
        label="Cohen's kappa",
        definition="Agreement of called and reference category beyond chance.",
        tasks=_BOTH,
        bounds=(-1, 1),
        methods=_KAPPA,
    ),
    *(
        replace(
            _ALL,
            name=f"kappa_{scheme}",
            label=f"Cohen's kappa, {scheme} weights",
            definition="Agreement of called and reference category beyond chance, with "
            f"{scheme} weights over the order of the categories.",
            tasks=_BOTH,
            bounds=(-1, 1),
            methods=_KAPPA,
        )
        for scheme in ("linear", "quadratic")
    ),
    replace(
        _AREAS,
        name="hand_till_auc",
        label="Hand-Till area",
        definition="Mean over ordered pairs of categories of the chance that a case of the first "
        "scores higher on it than a case of the second; ties half.",
    ),
    replace(
        _AREAS,
        name="macro_auroc",
        label="Mean area, one against the rest",
        definition="Unweighted mean of the categories' areas under the ROC curve, each against "
        "the rest.",
        prevalence_bound=True,
    ),
    replace(
        _SHARE,
        name="top_k_accuracy",
        label="Top-{k} accuracy",
        definition="Share of cases whose category is among the k highest scores; scores tied at "
        "the edge share the places left.",
        parameters={
            "k": Parameter(meaning="how many of the highest scores count", type=int, low=1)
        },
    ),
    replace(
        _CLASS,
        name="class_recall",
        label="Recall",
        definition="Share of the category's cases that are called it.",
    ),
    replace(
        _CLASS,
        name="class_specificity",
        label="Specificity, against the rest",
        definition="Share of all other cases that are not called it.",
    ),
    replace(
        _CLASS,
        name="class_precision",
        label="Precision",
        definition="Share of the cases called it that have the category.",
        prevalence_bound=True,
    ),
    replace(
        _CLASS,
        name="class_npv",
        label="Negative predictive value, against the rest",
        definition="Share of the cases not called it that do not have the category.",
        prevalence_bound=True,
    ),
    replace(
        _CLASS,
        name="class_f1",
        label="F1, against the rest",
        definition="Harmonic mean of the category's recall and precision.",
        prevalence_bound=True,
        methods=BOOTSTRAP,
        written="number",
    ),
    replace(
        _ALL,
        name="mean_category_error",
        label="Mean category error",
        definition="Mean number of categories between call and reference standard.",
        tasks=_ORDINAL,
        better="lower",
        bounds=(0, None),
    ),
    replace(
        _SHARE,
        name="within_one",
        label="Within one category",
        definition="Share of cases called at most one category beside the reference standard.",
        tasks=_ORDINAL,
    ),
    replace(
        _ORDER,
        name="ordinal_auc",
        label="Ordinal area",
        definition="Chance that of two cases of different categories the higher one ranks higher; "
        "ties half.",
        prevalence_bound=True,
    ),
    replace(
        _ORDER,
        name="somers_d",
        label="Somers' D",
        definition="Concordant minus discordant share of the pairs of different categories.",
        prevalence_bound=True,
        bounds=(-1, 1),
    ),
    replace(
        _ORDER,
        name="kendall_tau_b",
        label="Kendall's tau-b",
        definition="Rank correlation of output and reference category, corrected for ties.",
        prevalence_bound=True,
        bounds=(-1, 1),
    ),
    *(
        replace(
            _CUTOFF,
            name=f"cutoff_{rate}",
            label=f"{label} at the cut-off",
            definition=definition,
            prevalence_bound=rate in {"ppv", "npv"},
        )
        for rate, label, definition in (
            (
                "sensitivity",
                "Sensitivity",
                "Share of the cases of this category or above that are called so.",
            ),
            (
                "specificity",
                "Specificity",
                "Share of the cases below this category that are called below it.",
            ),
            (
                "ppv",
                "Positive predictive value",
                "Share of the cases called this category or above that reach it.",
            ),
            (
                "npv",
                "Negative predictive value",
                "Share of the cases called below this category that are below it.",
            ),
        )
    ),
    replace(
        _LABELS,
        name="subset_accuracy",
        label="Subset accuracy",
        definition="Share of cases right in every label.",
        methods=SHARE,
        written="share",
    ),
    replace(
        _LABELS,
        name="hamming_loss",
        label="Hamming loss",
        definition="Share of wrong decisions among those on all labels of all cases.",
        better="lower",
    ),
    *(
        replace(
            _LABELS,
            name=f"label_{average}_{name}",
            label=f"{average.capitalize()} {label} over labels",
            definition=definition,
            prevalence_bound=(average, name) != ("macro", "recall"),
        )
        for average, name, label, definition in (
            ("macro", "recall", "recall", "Unweighted mean of the labels' sensitivities."),
            (
                "macro",
                "precision",
                "precision",
                "Unweighted mean of the labels' precisions; one never called counts 0.",
            ),
            ("macro", "f1", "F1", "Unweighted mean of the labels' F1."),
            ("micro", "recall", "recall", "Share called of all labels that are present."),
            ("micro", "precision", "precision", "Share present of all labels that are called."),
            ("micro", "f1", "F1", "F1 of the decisions on all labels together."),
        )
    ),
    replace(
        _AREAS,
        name="label_macro_auroc",
        label="Mean area over labels",
        definition="Unweighted mean of the labels' areas under the ROC curve.",
        tasks=_MULTILABEL,
    ),
    replace(
        _AREAS,
        name="label_micro_auroc",
        label="Pooled area over labels",
        definition="Area under the ROC curve of all labels' scores in one ranking.",
        tasks=_MULTILABEL,
        prevalence_bound=True,
    ),
)
