"""The report's words for quantities, attributes, roles and flags; decides no number."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.reporting.disclosure import CONTRAST, factor_of, levels_of

QUANTITIES = {
    "auroc": "Area under the ROC curve",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "lr_positive": "Positive likelihood ratio",
    "lr_negative": "Negative likelihood ratio",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1 score",
    "mcc": "Matthews correlation coefficient",
    "auprc": "Area under the precision-recall curve",
    "brier": "Brier score",
    "calibration_intercept": "Calibration intercept",
    "calibration_slope": "Calibration slope",
    "oe_ratio": "Observed to expected ratio",
    "nnp": "Number needed to predict",
    "prevalence": "Prevalence",
    "failure_rate": "Rate of failed cases",
    "indeterminate_rate": "Rate of indeterminate cases",
    "selection_rate": "Selection rate (depends on prevalence)",
    "count": "Count",
    "primary_objective": "Primary objective",
}
SCENARIOS = {
    "excluded": "Excluded",
    "exclude": "Excluded",
    "as_positive": "Counted as positive",
    "as_negative": "Counted as negative",
    "worst_case": "Worst case",
    "failed_as_error": "Failed counted as errors",
}
ROLES = {
    "statistician": "Statistician",
    "vendor_regulatory": "Vendor, regulatory affairs",
    "data_partner": "Data partner",
    "study_office": "Study office",
    "reviewer": "Reviewer",
    "releaser": "Releaser",
    "operator": "Operator",
}


def plain_words(name: str) -> str:
    """Return a code name as words."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def quantity(name: str) -> str:
    """Return the quantity's name as a reader knows it."""
    return QUANTITIES.get(name, plain_words(name))


def attribute(name: str) -> str:
    """Return an attribute's name as words."""
    return plain_words(name.removeprefix("attr."))


def scenario(name: str) -> str:
    """Return how missing outputs were counted."""
    return SCENARIOS.get(name, plain_words(name))


def operating_point(result: Mapping[str, Any]) -> str:
    """Return the operating point a result was measured at, or nothing."""
    words = str(result["id"]).partition("@")[0].split(".")
    factor = factor_of(result)
    if len(words) < 2 or words[0] in {"count", "fairlearn"} or words[1] == factor:
        return ""
    return words[1]


def label(result: Mapping[str, Any]) -> str:
    """Return what a result is called in a table: quantity, operating point, group, scenario."""
    if result["quantity"] in {"count", "value"}:
        return str(result["definition"])
    point = operating_point(result)
    text = quantity(str(result["quantity"]).removesuffix("_difference"))
    text += f" at “{point}”" if point else ""
    factor, levels = factor_of(result), levels_of(result)
    if factor:
        compared = " against ".join(levels)
        text += f", {attribute(factor).lower()}" + (f" {compared}" if levels else "")
    aside = str(result["id"]).partition("@")[2]
    return text + (f" ({scenario(aside).lower()})" if aside else "")


def is_contrast(result: Mapping[str, Any]) -> bool:
    """Say whether a result compares groups instead of describing one."""
    if result.get("role") == "appendix":
        return False
    return CONTRAST in str(result["id"]) or str(result["quantity"]).endswith("_difference")
