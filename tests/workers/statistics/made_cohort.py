"""A made cohort with known properties: what a runner and a data partner would hand over."""

from typing import Any

import numpy as np
import pyarrow as pa

from proctor_workers.observations import observations_from_predictions

MANIFEST = {
    "task": {"kind": "binary_classification", "positive": "died", "negative": "survived"},
    "operating_points": [{"id": "main", "threshold": 0.5, "comparator": ">="}],
}


def endpoint(
    metric: str,
    *,
    role: str = "secondary",
    rule: str = "failed_as_error",
    point: str | None = None,
    criterion: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "id": metric,
        "metric": metric,
        "role": role,
        "definition": f"The study's {metric}.",
        "interval": {"method": "auto", "level": 0.95},
        "itd_rule": rule,
        "operating_point": point,
        "criterion": criterion,
    }


def protocol(**changes: Any) -> dict[str, Any]:
    decisions = ("sensitivity", "specificity", "ppv", "accuracy", "f1", "nnp")
    document = {
        "target_population": {"prevalence": 0.3},
        "estimand": {"unit": "case", "aggregation_to_patient": "none"},
        "endpoints": [
            endpoint(
                "auroc",
                role="primary",
                criterion={"bound": "lower", "comparator": ">=", "value": 0.7},
            ),
            *(endpoint(metric, point="main") for metric in decisions),
            *(endpoint(metric) for metric in ("auprc", "brier", "calibration_intercept")),
        ],
        "alpha": 0.05,
        "multiplicity": {"primary": "co_primary", "families": [{"id": "bias", "method": "holm"}]},
        "sampling_design": {"kind": "consecutive"},
        "reference_standard": {"positive": "1", "equivocal_rule": "exclude"},
        "subgroups": [
            {
                "attribute": name,
                "endpoints": ["auroc", "sensitivity", "specificity"],
                "margin": 0.1,
                "family": "bias",
            }
            | ({"bands": [50, 65]} if name == "age" else {})
            for name in ("sex", "race", "age", "site")
        ],
        "seeds": {"bootstrap": 11, "permutation": 12},
        "resamples": 200,
    }
    return document | changes


def made_cohort(
    n: int = 600,
    *,
    rows_per_patient: int = 1,
    failures: float = 0.03,
    gap: float = 0.0,
    seed: int = 5,
) -> tuple[pa.Table, pa.Table]:
    """Return (observations, reference); `gap` lowers the positives' scores of sex F."""
    rng = np.random.default_rng(seed)
    patients = n // rows_per_patient
    patient = np.repeat(np.arange(patients), rows_per_patient)[:n]
    n = len(patient)
    sex = rng.choice(["F", "M"], patients)
    race = rng.choice(["black", "white", "black|white", None], patients, p=[0.3, 0.5, 0.1, 0.1])
    age = rng.uniform(20, 90, patients)
    positive = rng.random(n) < 0.35
    strain = rng.normal(size=patients)[patient]
    shift = gap * (sex[patient] == "F") * positive
    logit = 1.8 * positive - 1 + 0.5 * strain + rng.normal(size=n) - shift
    score = 1 / (1 + np.exp(-logit))
    case = [f"cas_{index:05d}" for index in range(n)]
    reference = pa.table(
        {
            "case": case,
            "patient": [f"pat_{index:05d}" for index in patient],
            "site": [f"site {index % 3}" for index in patient],
            "reference_value": ["1" if value else "0" for value in positive],
            "reference_status": ["verified"] * n,
            "sampling_weight": [1.0] * n,
            "partition": ["confirmatory"] * n,
            "attr.sex": sex[patient].tolist(),
            "attr.race": race[patient].tolist(),
            "attr.age": [f"{age[index]:.1f}" for index in patient],
        }
    )
    draws = rng.random(n)
    predictions = [
        {
            "case": name,
            "status": status,
            "reason": None,
            "outputs": {"scores": {"died": float(value)}} if status == "ok" else None,
        }
        for name, value, draw in zip(case, score, draws, strict=True)
        for status in [
            "ok" if draw > failures else "failed" if draw > failures / 2 else "indeterminate"
        ]
    ]
    names = {name: name for name in case}
    return observations_from_predictions(predictions, names, reference), reference
