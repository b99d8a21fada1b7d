"""A device beside its predicate and a reader: from the partner's table to the report."""

import json
import random

import pytest
from tests.flow.lab import Lab, rows

AGAINST = {
    "against": "predicate",
    "hypothesis": "non_inferiority",
    "margin": 0.1,
    "reason": "Readers differ by as much.",
}
ENDPOINTS = [
    {"id": "auroc", "metric": "auroc", "role": "primary", "definition": "Area.",
     "comparison": AGAINST},
    {"id": "sensitivity", "metric": "sensitivity", "operating_point": "main", "role": "secondary",
     "definition": "Share of the patients who died that are called.",
     "comparison": {"against": "reader"}},
]  # fmt: skip


def cases() -> list[dict]:
    draw = random.Random(7)  # noqa: S311 - a fixed cohort
    made = rows(120)
    for number, row in enumerate(made):
        score = min(max(row["input.x"] + draw.gauss(-0.03, 0.06), 0.0), 1.0)
        row["rater.predicate"] = json.dumps({"scores": {"died": round(score, 4)}})
        row["rater.reader"] = str(int(draw.random() < (0.8 if row["reference_value"] else 0.1)))
        row["attr.scanner"] = "AB"[number % 3 == 0]
    return made


@pytest.mark.podman
def test_comparison_reaches_a_signed_report(lab: Lab, public_cohort: str, unruly_archive):
    cohort = lab.cohort(
        cases(), description={"raters": {"predicate": "device", "reader": "reader"}}
    )
    subgroups = [
        {"attribute": "sex", "endpoints": ["auroc"], "margin": 0.05, "family": "bias",
         "adjust_for": ["scanner"]}
    ]  # fmt: skip
    study = lab.study(cohort, public_cohort, endpoints=ENDPOINTS, subgroups=subgroups)
    view = lab.settle(lab.submit(study, unruly_archive))
    assert view["state"] == "DECIDED", view
    body = lab["reviewer"].get(f"/reports/{view['report']}/body")["body"]
    results = {one["id"]: one for one in body["results"]}
    assert results["auroc~predicate"]["method"] == "paired DeLong"
    assert results["auroc~predicate"]["conclusion"] == "criterion met"
    assert results["sensitivity.main~reader"]["method"] == "Tango"
    assert "auroc.sex.F-vs-M.adjusted-for-scanner" in results
    assert results["auroc.site.heterogeneity"]["p_value"] is not None
    sections = {one["id"]: str(one) for one in body["editions"]["submission"]["sections"]}
    assert "auroc~predicate" in sections["comparison"]
    lab.release(view["report"])
