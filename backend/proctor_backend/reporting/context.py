"""Builds what one edition may say; disclosure is applied here, before any section is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proctor_backend.domain.cohort import CountScope
from proctor_backend.reporting.counts import count_results
from proctor_backend.reporting.disclosure import (
    CANDIDATE_CAUSE,
    Rule,
    Withheld,
    factor_of,
    levels_of,
    rule_for,
    withheld_ids,
)
from proctor_backend.reporting.forest import forest_figures
from proctor_backend.reporting.material import DraftMaterial
from proctor_backend.reporting.precision import coarse, rounded
from proctor_backend.reporting.words import (
    adjusted_for,
    is_contrast,
    is_of_acquisition,
    is_pooled_over_sites,
)
from proctor_sdk.report import API_VERSION

ResultDict = Mapping[str, Any]
EXACT, PUBLIC = "exact", "public"
# Made of results or counts by other means: forest plots, the flow, cross tables.
CITED_FIGURES = frozenset({"forest", "flow", "confusion"})
# Whose exact form marks single cases: for partner and reviewers only.
CASE_FIGURES = frozenset({"bland_altman", "case_values", "forecast_fan"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One edition's view of the material: a result is there, or `Withheld` stands in its place."""

    material: DraftMaterial
    edition: str
    rule: Rule
    results: Mapping[str, ResultDict | Withheld]
    figures: tuple[Mapping[str, Any], ...]

    def shown(self, **wanted: Any) -> tuple[ResultDict, ...]:
        """Return the shown results whose fields have these values, in the report's order."""
        return tuple(
            result
            for result in self.results.values()
            if not isinstance(result, Withheld)
            and all(result.get(name) == given for name, given in wanted.items())
        )

    @property
    def withheld(self) -> tuple[str, ...]:
        """Return the ids of what exists and is not shown."""
        return tuple(name for name, row in self.results.items() if isinstance(row, Withheld))

    def described(self, *, rates: bool = False) -> tuple[tuple[str, str, str | None, str], ...]:
        """Return (id, factor, level, quantity) of every group result, shown or withheld.

        That a group exists is in the locked protocol; only what was found of it may be withheld.
        """
        rows = []
        for result in all_results(self.material):
            factor = factor_of(result)
            if factor and not result.get("scenario") and _is_group_result(result, rates=rates):
                levels = levels_of(result)
                level = levels[0] if len(levels) == 1 and not is_contrast(result) else None
                rows.append((str(result["id"]), factor, level, str(result["quantity"])))
        return tuple(rows)

    def figure_ids(self, kind: str) -> tuple[str, ...]:
        """Return the ids of the shown figures of a kind."""
        return tuple(str(figure["id"]) for figure in self.figures if figure["kind"] == kind)

    @property
    def curves(self) -> tuple[str, ...]:
        """Return the ids of the figures that fit the task: all but forest plots and the ROC."""
        aside = CITED_FIGURES | {"roc"}
        return tuple(str(figure["id"]) for figure in self.figures if figure["kind"] not in aside)

    def as_plugin_context(self, needs: Sequence[str]) -> dict[str, Any]:
        """Return what a client's plugin is told: shown results, and no more than it declared."""
        material = self.material
        document: dict[str, Any] = {
            "api": API_VERSION,
            "edition": self.edition,
            "demonstration": material.demonstration,
            "results": [_for_plugin(result) for result in self.shown()],
            "withheld": list(self.withheld),
        }
        offered = {
            "study": {name: material.study.get(name) for name in ("id", "title", "code_name")},
            "cohort": {
                name: material.cohort.get(name) for name in ("id", "version", "description")
            },
            "figures": {str(figure["id"]): figure["title"] for figure in self.figures},
        }
        return document | {name: offered[name] for name in offered if name in needs}


def build_context(material: DraftMaterial, edition: str) -> Context:
    """Apply the edition's rule to every result and figure."""
    rule = rule_for(edition, material.protocol, material.cohort.get("terms") or {})
    results = all_results(material)
    hidden = withheld_ids(results, rule)
    digits = rule.precision
    return Context(
        material=material,
        edition=edition,
        rule=rule,
        results={
            str(row["id"]): Withheld() if row["id"] in hidden else coarse(row, digits)
            for row in results
        },
        figures=disclosed_figures(material, results, rule, edition),
    )


def all_results(material: DraftMaterial) -> list[dict[str, Any]]:
    """Return the measured results, then the counts, each once and in a fixed order."""
    measured = [dict(row) for row in material.measurement["results"]]
    return measured + count_results(material.measurement)


def disclosed_figures(
    material: DraftMaterial, results: Sequence[ResultDict], rule: Rule, edition: str
) -> tuple[Mapping[str, Any], ...]:
    """Return the figures an edition may show.

    A forest plot cites results, so that it can show no group that its edition withholds. Others are
    drawn of the whole cohort only. Where counts are held back, a figure is shown in the public form
    that was measured with it, whose every step holds enough patients, or not at all; where all
    cells are, no curve is shown, because its steps give error cells away. Only the full edition
    marks single cases.
    """
    drawn = []
    for figure in material.measurement.get("figures", ()):
        data = dict(figure.get("data") or {})
        public = data.pop("public", None)
        if figure["kind"] in CITED_FIGURES or data.get("group"):
            continue
        offered = [{**figure, "data": data, "form": EXACT}]
        if public is not None:
            offered.append({**figure, "data": public, "form": PUBLIC})
        chosen = [one for one in offered if may_draw(one, rule, edition)][:1]
        drawn += [_to_digits(one, rule) for one in chosen]
    told = [coarse(result, rule.precision) for result in results]
    return (*drawn, *forest_figures(told))


def _to_digits(figure: dict[str, Any], rule: Rule) -> dict[str, Any]:
    if rule.precision is None:
        return figure
    return figure | {"data": rounded(figure["data"], rule.precision)}


def may_draw(figure: Mapping[str, Any], rule: Rule, edition: str) -> bool:
    """Say whether an edition under this rule may show this form of a figure."""
    if figure["kind"] in CITED_FIGURES:
        return True
    if figure["kind"] in CASE_FIGURES and figure["form"] == EXACT and edition != "full":
        return False
    if rule.least == 0:
        return True
    return figure["form"] == PUBLIC and rule.applies_to is not CountScope.ALL_CELLS


def _is_group_result(result: ResultDict, *, rates: bool) -> bool:
    """Say whether a result stands among the groups, or (`rates`) among the missing outputs."""
    if result["quantity"] in {"count", CANDIDATE_CAUSE} or result.get("role") == "appendix":
        return False
    if adjusted_for(result) or is_pooled_over_sites(result) or is_of_acquisition(result):
        return False
    return rates == str(result["quantity"]).endswith("_rate")


def _for_plugin(result: ResultDict) -> dict[str, Any]:
    levels = levels_of(result)
    kept = (
        "id", "quantity", "role", "method", "definition", "n", "patients", "estimate", "interval",
        "n_positive", "numerator", "denominator", "p_value", "p_adjusted", "conclusion",
        "scenario", "flags",
    )  # fmt: skip
    return {name: result[name] for name in kept if name in result} | {
        "factor": factor_of(result),
        "level": "-vs-".join(levels) or None,
    }
