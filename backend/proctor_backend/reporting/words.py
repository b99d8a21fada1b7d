"""The report's words for quantities, attributes, roles and flags; decides no number."""

import re
from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.quantities import QUANTITIES
from proctor_backend.domain.result import ACQUISITION
from proctor_backend.reporting.disclosure import CONTRAST, factor_of, levels_of

# What no protocol names: rates, counts and appendix measures that every report has.
OTHERS = {
    "failure_rate": "Rate of failed cases",
    "indeterminate_rate": "Rate of indeterminate cases",
    "selection_rate": "Selection rate (depends on prevalence)",
    "count": "Count",
    "primary_objective": "Primary objective",
    "candidate_cause": "Candidate cause of a difference",
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


READINGS = {"majority": "the majority of readers", "unanimous": "unanimous readers"}
_BRACKETS = re.compile(r" \([^()]*\{[^()]*\)")  # a bracket of parameters
_PLACE = re.compile(r"\{[^{}]*\}")


def plain_words(name: str) -> str:
    """Return a code name as words."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def quantity(name: str, parameters: Mapping[str, Any] | None = None) -> str:
    """Return the quantity's name as a reader knows it, with its parameters in it.

    Where it is named for several endpoints together, without parameters, they are left open.
    """
    known = QUANTITIES.get(name)
    if known is None:
        return OTHERS.get(name, plain_words(name))
    if parameters is None and known.parameters:
        return _PLACE.sub("…", _BRACKETS.sub("", known.label))
    return known.label.format(**known.with_defaults(parameters or {}))


def attribute(name: str) -> str:
    """Return an attribute's name as words."""
    return plain_words(name.removeprefix("attr.").removeprefix(ACQUISITION))


def scenario(name: str) -> str:
    """Return how missing outputs were counted, or what else the reference standard was."""
    kind, _, rater = name.partition(".")
    if kind == "reference":
        return "Against " + READINGS.get(rater, f"reader {rater}")
    return SCENARIOS.get(name, plain_words(name))


def operating_point(result: Mapping[str, Any]) -> str:
    """Return the operating point a result was measured at, or nothing."""
    return str((result.get("extra") or {}).get("operating_point") or "")


def label(result: Mapping[str, Any]) -> str:
    """Return what a result is called in a table: quantity, operating point, group, scenario."""
    if result["quantity"] in {"count", "value"}:
        return str(result["definition"])
    point = operating_point(result)
    said = result.get("extra") or {}
    text = quantity(str(result["quantity"]).removesuffix("_difference"), said.get("parameters"))
    text += f" of {plain_words(said['target']).lower()}" if said.get("target") else ""
    text += f" at “{point}”" if point else ""
    if rater := beside(result):
        text += f", device minus {rater}" if is_contrast(result) else f" of {rater}"
    factor, levels = factor_of(result), levels_of(result)
    if factor:
        compared = " against ".join(levels)
        text += f", {attribute(factor).lower()}" + (f" {compared}" if levels else "")
    aside = str(result["id"]).partition("@")[2]
    counted = scenario(aside)
    return text + (f" ({counted[0].lower()}{counted[1:]})" if aside else "")


def adjusted_for(result: Mapping[str, Any]) -> str:
    """Return the attribute that a difference is adjusted for, or nothing."""
    return str((result.get("group") or {}).get("adjusted_for") or "")


def is_of_acquisition(result: Mapping[str, Any]) -> bool:
    """Say whether a result is of a level of an acquisition's fact, which no protocol names."""
    return (factor_of(result) or "").startswith(ACQUISITION)


def is_pooled_over_sites(result: Mapping[str, Any]) -> bool:
    """Say whether a result takes the sites as a sample of sites."""
    return str(result["id"]).endswith((".site.random-effects", ".site.prediction"))


def beside(result: Mapping[str, Any]) -> str:
    """Return the rater that the device is set beside in a result, or nothing."""
    return str((result.get("extra") or {}).get("against") or "")


def is_contrast(result: Mapping[str, Any]) -> bool:
    """Say whether a result compares groups instead of describing one."""
    if result.get("role") == "appendix":
        return False
    return CONTRAST in str(result["id"]) or str(result["quantity"]).endswith("_difference")


ONLY_ERRORS = (
    "Only cases were questioned in which device and reference differ. A reference standard that is "
    "mended there alone favours the device."
)


def query_rows(asked: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is said of the questions on the reference standard, name by text."""
    rows = [
        (name, str(asked.get(key) or 0))
        for name, key in (
            ("Asked", "asked"),
            ("Answered: the value stands", "stands"),
            ("Answered: a new version will change it", "will_change"),
            ("Not answered", "open"),
            ("On cases judged as the reference says", "concordant"),
        )
    ]
    if asked.get("asked") and not asked.get("concordant"):
        rows.append(("Warning", ONLY_ERRORS))
    return rows
