"""The numbers of the Bland-Altman plot."""

from typing import Any

import numpy as np

from proctor_backend.domain.result import Figure
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.endpoints import Study
from proctor_workers.kinds.base import Described
from proctor_workers.metrics.regression_quantities import agreement
from proctor_workers.metrics.sample import Sample
from proctor_workers.missing_outputs import apply_rule
from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.checks import NotEstimableError

_LEAST = 11  # patients behind a mark that may be published
_STEPS = 10


def bland_altman(study: Study, analysis: AnalysisSet, target: str) -> Figure | None:
    """Return differences over means with bias and limits of agreement; None if there are none."""
    endpoint = next(
        (one for one in study.endpoints if one.metric == "loa_lower" and one.target == target),
        study.endpoint(Described(metric="loa_lower", target=target)),
    )
    sample = apply_rule(study, analysis, endpoint, "exclude").sample
    share = float(endpoint.parameters["share"])
    try:
        linked = endpoint.parameters["repeats"] == "linked"
        found = agreement(sample, share, endpoint.level, linked=linked)
    except NotEstimableError:
        return None
    lines: dict[str, Any] = {
        "target": target,
        "share": share,
        "level": endpoint.level,
        "method": found.method,
        "bias": [found.bias, *found.bias_limits],
        "lower": [found.lower, *found.lower_limits],
        "upper": [found.upper, *found.upper_limits],
    }
    middle = (sample["value"] + sample["reference"]) / 2
    difference = sample["value"] - sample["reference"]
    exact = {"mean": middle.tolist(), "difference": difference.tolist()}
    return Figure(
        id=f"bland_altman.{target}",
        kind="bland_altman",
        title=f"Differences from the reference: {target}",
        data=lines | exact | {"public": lines | {"steps": _steps(sample, middle, difference)}},
    )


def _steps(sample: Sample, middle: Floats, difference: Floats) -> list[dict[str, Any]]:
    """Return mean and spread of the differences in steps of at least 11 patients each."""
    order = np.argsort(middle, kind="stable")
    wanted = max(1, min(_STEPS, sample.patients // _LEAST))
    steps: list[dict[str, Any]] = []
    rows: list[int] = []
    for part in np.array_split(order, wanted):
        rows += part.tolist()
        if len(np.unique(sample.patient[rows])) >= _LEAST:
            steps.append(_step(rows, middle, difference))
            rows = []
    return steps  # what is left over at the upper end is too few to be shown


def _step(rows: list[int], middle: Floats, difference: Floats) -> dict[str, Any]:
    return {
        "mean": float(np.mean(middle[rows])),
        "difference": float(np.mean(difference[rows])),
        "sd": float(np.std(difference[rows], ddof=1)),
    }
