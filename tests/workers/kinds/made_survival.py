"""A made cohort with censoring: what a runner and a data partner would hand over."""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from proctor_workers.observations import observations_from_predictions

GRID = [50.0, 100.0, 200.0, 365.0, 500.0]
MANIFEST = {
    "task": {"kind": "survival"},
    "operating_points": [{"id": "main", "threshold": 0.0, "comparator": ">="}],
}
OF_RISK_GROUPS = ("restricted_mean_difference", "log_rank")
PARAMETERS: dict[str, dict[str, Any]] = {
    "uno_c": {"horizon": 365},
    "auc_at_time": {"time": 200},
    "mean_auc_over_time": {"times": [100, 200, 365]},
    "brier_at_time": {"time": 200},
    "integrated_brier": {"times": [50, 100, 200, 365]},
    "oe_ratio_at_time": {"time": 200},
    "calibration_intercept_at_time": {"time": 200},
    "calibration_slope_at_time": {"time": 200},
    "restricted_mean_difference": {"horizon": 365},
    "log_rank": {},
}


def endpoint(metric: str, **more: Any) -> dict[str, Any]:
    return {
        "id": metric,
        "metric": metric,
        "role": "secondary",
        "definition": f"The study's {metric}.",
        "interval": {"method": "auto", "level": 0.95},
        "itd_rule": "failed_as_error",
        "operating_point": "main" if metric in OF_RISK_GROUPS else None,
        "parameters": PARAMETERS.get(metric, {}),
        "criterion": None,
    } | more


def protocol(**changes: Any) -> dict[str, Any]:
    goal = {"bound": "lower", "comparator": ">=", "value": 0.6}
    document = {
        "task": "survival",
        "target_population": {},
        "estimand": {"unit": "case", "aggregation_to_patient": "none"},
        "endpoints": [
            endpoint("harrell_c", role="primary", criterion=goal),
            *(endpoint(name) for name in PARAMETERS),
        ],
        "alpha": 0.05,
        "multiplicity": {"primary": "co_primary", "families": [{"id": "bias", "method": "holm"}]},
        "sampling_design": {"kind": "consecutive"},
        "reference_standard": {"equivocal_rule": "exclude"},
        "subgroups": [
            {
                "attribute": "sex",
                "endpoints": ["harrell_c", "brier_at_time"],
                "margin": 0.1,
                "family": "bias",
            }
        ],
        "seeds": {"bootstrap": 11, "permutation": 12},
        "resamples": 200,
    }
    return document | changes


def made_cohort(
    n: int = 240,
    *,
    seed: int = 3,
    failures: float = 0.04,
    with_risk: bool = True,
    with_curve: bool = True,
    order: Any = None,
) -> tuple[pa.Table, pa.Table]:
    """Return (observations, reference): exponential times, rate known to the model with noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    until, censored = rng.exponential(np.exp(-x)) * 300, rng.exponential(400, n)
    time = np.round(np.minimum(until, censored), 1)
    case = [f"cas_{index:05d}" for index in range(n)]
    reference = pa.table(
        {
            "case": case,
            "patient": [f"pat_{index:05d}" for index in range(n)],
            "site": [f"site {index % 3}" for index in range(n)],
            "reference_value": pa.array([None] * n, pa.string()),
            "reference_outputs": [
                json.dumps({"event": {"time": float(t), "observed": bool(seen)}})
                for t, seen in zip(time, until <= censored, strict=True)
            ],
            "reference_status": ["verified"] * n,
            "sampling_weight": [1.0] * n,
            "partition": ["confirmatory"] * n,
            "attr.sex": rng.choice(["F", "M"], n).tolist(),
        }
    )
    risk = x + 0.5 * rng.normal(size=n)
    lost = rng.random(n) < failures
    predictions = [
        {
            "case": name,
            "status": "failed" if gone else "ok",
            "reason": None,
            "outputs": None if gone else {"survival": _output(r, with_risk, with_curve)},
        }
        for name, r, gone in zip(case, risk, lost, strict=True)
    ]
    names = {name: name for name in case}
    observations = observations_from_predictions(predictions, names, reference)
    if order is not None:
        places = np.random.default_rng(order).permutation(n)
        reference = reference.take(places)
        rows = np.random.default_rng(order + 1).permutation(observations.num_rows)
        observations = observations.take(rows)
    return observations, reference


def _output(risk: float, with_risk: bool, with_curve: bool) -> dict[str, Any]:  # noqa: FBT001
    chances = np.exp(-np.array(GRID) * np.exp(risk) / 300)
    found: dict[str, Any] = {}
    if with_risk:
        found["risk"] = round(float(risk), 6)
    if with_curve:
        found |= {"times": GRID, "probabilities": [round(float(one), 9) for one in chances]}
    return found
