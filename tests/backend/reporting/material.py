# ruff: noqa: E501, PERF401 - a table of invented values reads best in rows
"""A realistic material: invented results of an invented study, in the shapes the workers hand over."""

import math
from typing import Any

from proctor_backend.reporting import DraftMaterial

VENDOR = "Kestrel <script>alert(1)</script> AI"

D = "sha256:" + "ab12" * 16
GROUPS: dict[str, dict[str, tuple[int, int, float, float]]] = {
    # level: patients, with the condition, area, sensitivity
    "sex": {"F": (1190, 300, 0.781, 0.701), "M": (1531, 410, 0.842, 0.801)},
    "race": {
        "white": (2140, 560, 0.817, 0.77),
        "black": (412, 108, 0.809, 0.75),
        "hispanic": (150, 35, 0.8, 0.74),
        "asian": (19, 7, 0.7, 0.57),
    },
    "age": {
        "<50": (640, 120, 0.83, 0.74),
        "50-65": (760, 190, 0.82, 0.76),
        "65-80": (980, 290, 0.81, 0.77),
        "80+": (341, 110, 0.79, 0.76),
    },
}


def interval(point: float, n: int, method: str = "logit DeLong") -> dict[str, Any]:
    half = 1.96 * math.sqrt(max(point * (1 - point), 1e-6) / max(n, 1))
    limits = {"lower": round(max(0.0, point - half), 6), "upper": round(min(1.0, point + half), 6)}
    return limits | {"level": 0.95, "method": method}


def result(name: str, quantity: str, estimate: float | None, n: int, **more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "id": name,
        "quantity": quantity,
        "role": "descriptive",
        "method": "logit DeLong" if quantity == "auroc" else "Clopper-Pearson",
        "definition": f"{quantity} of the whole output.",
        "n": n,
        "patients": n,
        "estimate": estimate,
        "interval": None if estimate is None else interval(estimate, n),
        "group": None,
        "n_positive": None,
        "numerator": None,
        "denominator": None,
        "reference_test": "R01",
        "p_value": None,
        "p_adjusted": None,
        "criterion": None,
        "conclusion": None,
        "scenario": None,
        "flags": [],
        "extra": {},
    }
    return base | more


def overall() -> list[dict[str, Any]]:
    met = {"bound": "lower", "comparator": ">=", "value": 0.75}
    rows = [
        result("auroc", "auroc", 0.8174, 2721, role="primary", criterion=met, n_positive=710,
               conclusion="criterion met"),
        result("sensitivity.main", "sensitivity", 0.7592, 710, role="primary", n_positive=710,
               numerator=539, denominator=710, criterion=met | {"value": 0.7},
               conclusion="criterion met"),
        result("primary_objective", "primary_objective", None, 2721, role="primary",
               conclusion="criterion met", flags=["a conclusion without a number of its own"]),
        result("specificity.main", "specificity", 0.7121, 2011, role="secondary", n_positive=0,
               numerator=1432, denominator=2011),
        result("ppv.main", "ppv", 0.482, 1118, role="secondary", numerator=539, denominator=1118),
        result("npv.main", "npv", 0.8933, 1603, role="secondary", numerator=1432, denominator=1603),
        result("brier", "brier", 0.142, 2721, role="secondary"),
        result("failure_rate", "failure_rate", 0.0011, 2724, numerator=3, denominator=2724),
    ]  # fmt: skip
    for scenario, value in (
        ("excluded", 0.7603),
        ("as_positive", 0.7608),
        ("as_negative", 0.7592),
        ("worst_case", 0.7592),
    ):
        rows.append(
            result(
                f"sensitivity.main@{scenario}",
                "sensitivity",
                value,
                710,
                role="sensitivity",
                scenario=scenario,
            )
        )
    return rows


def groups() -> list[dict[str, Any]]:
    rows = []
    for factor, levels in GROUPS.items():
        for level, (patients, positive, area, sensitivity) in levels.items():
            group = {"factor": factor, "level": level}
            flags = ["unreliable: effective n below 30"] if patients < 30 else []
            rows.append(
                result(
                    f"auroc.{factor}.{level}",
                    "auroc",
                    area,
                    patients,
                    group=group,
                    n_positive=positive,
                    flags=flags,
                )
            )
            rows.append(result(f"sensitivity.main.{factor}.{level}", "sensitivity", sensitivity, positive,
                               group=group, n_positive=positive, numerator=round(sensitivity * positive),
                               denominator=positive, flags=flags))  # fmt: skip
        rows += compared(factor, list(levels))
    return rows


def compared(factor: str, levels: list[str]) -> list[dict[str, Any]]:
    rows = [
        result(f"auroc.{factor}.heterogeneity", "auroc", None, 2721, role="bias", interval=None,
               group={"factor": factor, "level": "all"}, p_value=0.0004 if factor == "sex" else 0.41,
               p_adjusted=0.0012 if factor == "sex" else 0.82, flags=["a test without an estimate"])
    ]  # fmt: skip
    pairs = [(levels[0], levels[1])] if len(levels) == 2 else [(level, "rest") for level in levels]
    for level, other in pairs:
        gap = -0.061 if factor == "sex" else 0.004
        rows.append(
            result(f"auroc.{factor}.{level}-vs-{other}", "auroc_difference", gap, 2721, role="bias",
                   group={"factor": factor, "level": level, "versus": other}, extra={"margin": 0.05},
                   interval={"lower": gap - 0.03, "upper": gap + 0.03, "level": 0.95, "method": "DeLong"},
                   p_value=0.0004 if factor == "sex" else 0.41, p_adjusted=0.0012 if factor == "sex" else 0.82,
                   conclusion="inconclusive" if factor == "sex" else "no relevant difference shown")
        )  # fmt: skip
    for measure in ("true_positive_rate_difference", "selection_rate_ratio"):
        rows.append(
            result(f"fairlearn.main.{factor}.{measure}", measure, 0.1, 2721, role="appendix", interval=None,
                   group={"factor": factor, "level": "all"}, flags=["no interval, no conclusion"],
                   extra={"expected_under_equality": 0.021})
        )  # fmt: skip
    return rows


def measurement() -> dict[str, Any]:
    steps = [i / 40 for i in range(41)]
    counts = {"cases": 2721, "patients": 2721, "positive": 710}
    return {
        "schema": 1,
        "results": overall() + groups(),
        "figures": [
            {"id": "roc", "kind": "roc", "title": "ROC curve", "data": {
                "false_positive_rate": steps, "true_positive_rate": [x**0.22 for x in steps],
                "operating_points": [{"id": "main", "sensitivity": 0.7592, "specificity": 0.7121}]}},
            {"id": "calibration", "kind": "calibration", "title": "Calibration", "data": {"bins": [
                {"predicted": x / 10, "observed": min(1, x / 10 * 1.05), "lower": max(0, x / 10 - 0.05),
                 "upper": min(1, x / 10 + 0.09)} for x in range(10)]}},
            {"id": "confusion.main", "kind": "confusion", "title": "Calls", "data": {
                "tp": 539, "fp": 579, "fn": 171, "tn": 1432}},
        ],
        "accountability": {
            "enrolled": {"cases": 2730, "patients": 2730},
            "excluded": [{"reason": "reference standard missing", "cases": 6, "patients": 6}],
            "run": {"cases": 2724, "patients": 2724, "positive": 711},
            "ok": counts,
            "indeterminate": {"cases": 0, "patients": 0, "positive": 0},
            "failed": {"cases": 3, "patients": 3, "positive": 1},
            "analysed": {"auroc": counts, "sensitivity.main": counts},
        },
        "baseline": [
            {"attribute": factor, "kind": "level", "level": level, "n": n, "patients": n,
             "share": n / 2721, "positive": positive, "prevalence": positive / n}
            for factor, levels in GROUPS.items() for level, (n, positive, _, _) in levels.items()
        ] + [{"attribute": "age", "kind": "number", "n": 2721, "mean": 63.1, "q1": 53.0, "median": 65.2, "q3": 74.4}],
        "errors": [],
        "methods": [
            {"quantity": "auroc", "method": "logit DeLong", "reference_test": "R01", "results": 12},
            {"quantity": "sensitivity", "method": "Clopper-Pearson", "reference_test": "R08", "results": 12},
        ],
        "versions": {"numpy": "2.2.0", "python": "3.11.7"},
    }  # fmt: skip


def protocol() -> dict[str, Any]:
    return {
        "schema_version": 1,
        "title": "Blind evaluation of a model for death within 180 days in seriously ill patients",
        "intended_use": "Estimates the risk of death within 180 days from admission data.",
        "claims": ["The area under the curve is at least 0.75."],
        "device_type": "Risk model for adults in hospital",
        "task": "binary_classification",
        "target_population": {"description": "Seriously ill adults", "prevalence": 0.26, "source": "SUPPORT"},
        "hypotheses": {"H0": "area < 0.75", "H1": "area at least 0.75", "margin": 0.05, "reason": "clinical"},
        "estimand": {"unit": "patient", "aggregation_to_patient": "none", "analysis_population": "all run"},
        "endpoints": [
            {"id": "auroc", "metric": "auroc", "role": "primary", "definition": "Area under the curve.",
             "criterion": {"bound": "lower", "comparator": ">=", "value": 0.75}, "itd_rule": "worst_case"},
            {"id": "sensitivity", "metric": "sensitivity", "operating_point": "main", "role": "primary",
             "definition": "Share called.", "criterion": {"bound": "lower", "comparator": ">=", "value": 0.7}},
        ],
        "alpha": 0.05,
        "multiplicity": {"primary": "co_primary", "families": [{"id": "bias", "method": "holm"}]},
        "sample_size": {"assumptions": "area 0.80", "planned_n": 2700, "planned_positive": 700, "power": 0.9},
        "sampling_design": {"kind": "case_control", "description": "By outcome."},
        "reference_standard": {"version": "1", "description": "Death registry", "equivocal_rule": "exclude"},
        "subgroups": [{"attribute": "sex"}, {"attribute": "race"}, {"attribute": "age"}],
        "rerun_rule": "platform_failures_only",
        "input_profile": {"kind": "table", "attributes": ["age", "meanbp"]},
        "seeds": {"bootstrap": 20261121, "permutation": 7},
        "resamples": 2000,
        "disclosure": {"full": {}, "public": {"min_patients": 11, "min_cell": 11}},
    }  # fmt: skip


def material(**changes: Any) -> DraftMaterial:
    given: dict[str, Any] = {
        "report": "rep_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "created_at": "2026-11-21T08:00:00.000Z",
        "study": {"id": "stu_aaaaaaaaaaaaaaaaaaaaaaaaaa", "title": "SUPPORT2", "code_name": "Heron"},
        "protocol": protocol(),
        "protocol_digest": D,
        "cohort": {
            "id": "coh_aaaaaaaaaaaaaaaaaaaaaaaaaa", "version": 1, "root": D, "sites": 2,
            "visibility": "hidden", "terms": {},
            "description": {"Summary": "Internal validation on public data.", "dates": "1989 to 1994"},
        },
        "entry": {"id": "ent_aaaaaaaaaaaaaaaaaaaaaaaaaa", "code_name": "Entry Kestrel", "digests": {"image": D}},
        "manifest": {"operating_points": [{"id": "main", "threshold": 0.28, "comparator": ">=", "chosen": "Youden"}]},
        "evaluation": {"id": "eva_a", "attempts": 1, "window": 1, "isolation": "run", "runtime": "runc",
                       "device": "CPU", "limits": {"memory_mb": 2048}, "started": "2026-11-21T07:00:00.000Z",
                       "finished": "2026-11-21T07:10:00.000Z", "restarts": 0},
        "measurement": measurement(),
        "evidence": {"digest": D, "observations_digest": D},
        "signatures": [
            {"role": "statistician", "person_name": "S. Ahlgren", "meaning": "I locked this protocol", "at": "2026-11-20T10:00:00.000Z"},
            {"role": "vendor_regulatory", "person_name": "V. Endor", "meaning": "I agree", "at": "2026-11-20T11:00:00.000Z"},
        ],
        "looks": [{"at": "2026-10-02T10:00:00.000Z", "entry": "ent_b", "what": "failure", "bits": 2}],
        "demonstration": True,
    }  # fmt: skip
    return DraftMaterial(**(given | changes))
