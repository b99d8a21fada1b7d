"""The numbers of the forecast fan: three cases for reviewers, errors by step for everyone."""

from typing import Any

import numpy as np

from proctor_backend.domain.result import Figure
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import OK

_LEAST = 11  # patients behind a mark that may be published
_LONGEST_HISTORY = 60  # steps drawn before the origin


def forecast_fan(analysis: AnalysisSet) -> Figure | None:
    """Return the forecasts of least, median and largest error, and the error at every step."""
    observed, point = analysis["observed"], analysis["point"]
    known = np.isfinite(observed)
    size = np.where(known, np.abs(point - observed), 0.0).sum(axis=1) / known.sum(axis=1)
    answered = np.flatnonzero((analysis.status == OK) & np.isfinite(size))
    if not len(answered):
        return None
    order = answered[np.argsort(size[answered], kind="stable")]
    chosen = {"least": order[0], "median": order[len(order) // 2], "largest": order[-1]}
    cases = [_case(analysis, int(row), name) for name, row in chosen.items()]
    steps = _steps(analysis, answered)
    return Figure(
        id="forecast_fan",
        kind="forecast_fan",
        title="Forecasts and their errors",
        data={"cases": cases, "steps": steps, "public": {"steps": steps}},
    )


def _case(analysis: AnalysisSet, row: int, error: str) -> dict[str, Any]:
    length = int(np.isfinite(analysis["observed"][row]).sum())
    quantiles = analysis["quantiles"][row]
    return {
        "error": error,
        "history": analysis["history"][row][-_LONGEST_HISTORY:].tolist(),
        "observed": analysis["observed"][row, :length].tolist(),
        "point": analysis["point"][row, :length].tolist(),
        "quantiles": [
            {"level": float(level), "values": values[:length].tolist()}
            for level, values in zip(analysis["levels"][row], quantiles, strict=True)
            if np.all(np.isfinite(values[:length]))
        ],
    }


def _steps(analysis: AnalysisSet, answered: Any) -> list[dict[str, Any]]:
    """Return bias and mean size of the error at each step that at least 11 patients have."""
    gap = analysis["point"][answered] - analysis["observed"][answered]
    patient = analysis.patient[answered]
    found = []
    for step in range(gap.shape[1]):
        rows = np.isfinite(gap[:, step])
        if len(np.unique(patient[rows])) >= _LEAST:
            error = gap[rows, step]
            found.append(
                {
                    "step": step + 1,
                    "bias": float(np.mean(error)),
                    "mae": float(np.mean(np.abs(error))),
                }
            )
    return found
