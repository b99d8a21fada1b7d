"""Made cohorts of several categories or labels: what a runner and a data partner hand over."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from proctor_workers.observations import observations_from_predictions

GRADES = ("none", "mild", "severe")
LABELS = ("edema", "effusion", "nodule")


def manifest(task: str, points: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    targets = LABELS if task == "multilabel_classification" else GRADES
    return {
        "task": {"kind": task, "targets": list(targets)},
        "operating_points": [
            {"id": id_, "target": target, "threshold": 0.5, "comparator": ">="}
            for id_, target in points
        ],
    }


def endpoint(metric: str, **more: Any) -> dict[str, Any]:
    return {"id": metric, "metric": metric, "role": "secondary", "itd_rule": "failed_as_error"} | (
        more
    )


def protocol(task: str, endpoints: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    document = {
        "task": task,
        "target_population": {},
        "estimand": {"unit": "case", "aggregation_to_patient": "none"},
        "endpoints": endpoints,
        "alpha": 0.05,
        "multiplicity": {"primary": "co_primary", "families": [{"id": "bias", "method": "holm"}]},
        "sampling_design": {"kind": "consecutive"},
        "reference_standard": {"equivocal_rule": "exclude"},
        "subgroups": [
            {
                "attribute": "sex",
                "endpoints": [one["id"] for one in endpoints],
                "margin": 0.1,
                "family": "bias",
            }
        ],
        "seeds": {"bootstrap": 11, "permutation": 12},
        "resamples": 200,
    }
    return document | changes


def _table(n: int, value: list[str], patients: int) -> dict[str, list[Any]]:
    patient = [index % patients for index in range(n)]
    return {
        "case": [f"cas_{index:04d}" for index in range(n)],
        "patient": [f"pat_{index:04d}" for index in patient],
        "site": [f"site {index % 2}" for index in patient],
        "reference_value": value,
        "reference_status": ["verified"] * n,
        "attr.sex": ["FM"[index % 2] for index in patient],
    }


def _observed(
    table: dict[str, list[Any]], outputs: list[dict[str, Any]], failing: int
) -> tuple[pa.Table, pa.Table]:
    reference = pa.table(table)
    predictions = [
        {
            "case": case,
            "status": "failed" if row < failing else "ok",
            "outputs": None if row < failing else output,
        }
        for row, (case, output) in enumerate(zip(table["case"], outputs, strict=True))
    ]
    names = {case: case for case in table["case"]}
    return observations_from_predictions(predictions, names, reference), reference


def graded(
    n: int = 240, *, patients: int = 240, failing: int = 4, seed: int = 3, scores: bool = True
) -> tuple[pa.Table, pa.Table]:
    """Return (observations, reference) of three grades with probabilities, or categories alone."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    logit = rng.normal(size=(n, 3)) + 1.6 * np.eye(3)[truth] + 0.5 * np.eye(3)[(truth + 1) % 3]
    share = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
    outputs: list[dict[str, Any]] = [
        {"scores": {name: float(one) for name, one in zip(GRADES, row, strict=True)}}
        if scores
        else {"category": GRADES[int(row.argmax())]}
        for row in share
    ]
    return _observed(_table(n, [GRADES[one] for one in truth], patients), outputs, failing)


def labelled(
    n: int = 240, *, patients: int = 240, failing: int = 4, seed: int = 4
) -> tuple[pa.Table, pa.Table]:
    """Return (observations, reference) of three labels with scores."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 3)) < (0.2, 0.35, 0.5)
    score = np.clip(0.35 + 0.3 * truth + 0.2 * rng.normal(size=(n, 3)), 0, 1)
    value = [
        "|".join(name for name, present in zip(LABELS, row, strict=True) if present) or "none"
        for row in truth
    ]
    outputs = [
        {"scores": {name: float(one) for name, one in zip(LABELS, row, strict=True)}}
        for row in score
    ]
    return _observed(_table(n, value, patients), outputs, failing)
