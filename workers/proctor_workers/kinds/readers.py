"""What readers of the cohort said of the same cases, as columns for the quantities of readers.

A reader is a rater of the kind "reader". Where readers read in several arms, such as with and
without a device, a rater is named READER@ARM.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import InvalidInputError
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import Cases
from proctor_workers.endpoints import Endpoint
from proctor_workers.kinds.base import Columns, View, nowhere
from proctor_workers.metrics.reader_quantities import unread
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.categories import NONE, category_codes

PREFIX, SCORE = "reader:", "reader_score:"
ARM = "@"


def reader_columns(cases: Cases, categories: Sequence[str]) -> Columns:
    """Return each reader's category code, `reader:NAME`, NONE where there is none.

    Raises:
        UnknownCategoryError: a reader named a category that is not listed.
    """
    return {
        f"{PREFIX}{name}": category_codes(
            [_outputs(said, name).get("category") for said in cases.said()], categories
        )
        for name in _readers(cases)
    }


def binary_reader_columns(cases: Cases, positive: str, points: Sequence[str]) -> Columns:
    """Return each reader's call (1, 0, NONE) and score of the positive class (NaN for none).

    A call is a category, positive if it is the reference standard's positive value, or else the
    call at the operating points where they agree.
    """
    columns: dict[str, Any] = {}
    for name in _readers(cases):
        outputs = [_outputs(said, name) for said in cases.said()]
        columns[f"{PREFIX}{name}"] = np.array(
            [_called(one, positive, points) for one in outputs], dtype=np.int64
        )
        columns[f"{SCORE}{name}"] = np.array([_highest(one) for one in outputs], dtype=np.float64)
    return columns


def _readers(cases: Cases) -> list[str]:
    return [name for name, kind in cases.raters().items() if kind == "reader"]


def _outputs(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = said[name]["outputs"] if name in said else {}
    return found


def _called(outputs: Mapping[str, Any], positive: str, points: Sequence[str]) -> int:
    if "category" in outputs:
        return int(outputs["category"] == positive)
    calls = {bool(call) for point, call in outputs.get("call", {}).items() if point in points}
    return int(calls.pop()) if len(calls) == 1 else NONE


def _highest(outputs: Mapping[str, Any]) -> float:
    """Return the only score: readers rate the positive class."""
    scores = list(outputs.get("scores", {}).values())
    return float(scores[0]) if len(scores) == 1 else np.nan


def agreement_view(analysis: AnalysisSet, categories: int) -> View:
    """Return the categories that readers gave, (cases, readers)."""
    ratings = _side_by_side(analysis, PREFIX, "")
    return View(
        columns={
            "ratings": ratings.astype(np.int64),
            "categories": np.full(len(analysis), categories, dtype=np.int64),
        },
        lacking=nowhere(analysis),
    )


def beside_view(view: View, analysis: AnalysisSet, *, scores: bool) -> View:
    """Add the readers to the device's own scores or calls."""
    readers = _side_by_side(analysis, SCORE if scores else PREFIX, "")
    columns = dict(view.columns) | {"readers": readers if scores else unread(readers)}
    return View(columns=columns, lacking=view.lacking, fills=view.fills)


def arms_view(analysis: AnalysisSet, endpoint: Endpoint) -> View:
    """Return the scores or calls of one arm and of the other, by the same readers.

    Raises:
        InvalidInputError: the arms do not have the same readers.
    """
    prefix = SCORE if endpoint.parameters["figure"] == "auroc" else PREFIX
    arms = {side: str(endpoint.parameters[side]) for side in ("arm", "against")}
    names = {side: _names(analysis, prefix, arm) for side, arm in arms.items()}
    if names["arm"] != names["against"]:
        raise InvalidInputError(
            f"Endpoint '{endpoint.id}' compares arms that not the same readers have read.",
            cure="Name each reader's raters READER@ARM, in both arms.",
        )
    columns: dict[str, Any] = {"positive": analysis["positive"]}
    for side, arm in arms.items():
        outputs = _side_by_side(analysis, prefix, arm)
        columns[side] = outputs if prefix == SCORE else unread(outputs)
    return View(columns=columns, lacking=nowhere(analysis))


def _names(analysis: AnalysisSet, prefix: str, arm: str) -> list[str]:
    found = [name.removeprefix(prefix) for name in analysis.columns if name.startswith(prefix)]
    if not arm:
        return sorted(name for name in found if ARM not in name)
    ending = f"{ARM}{arm}"
    return sorted(name.removesuffix(ending) for name in found if name.endswith(ending))


def _side_by_side(analysis: AnalysisSet, prefix: str, arm: str) -> Floats | Ints:
    ending = f"{ARM}{arm}" if arm else ""
    columns = [analysis[f"{prefix}{name}{ending}"] for name in _names(analysis, prefix, arm)]
    return np.column_stack(columns) if columns else np.empty((len(analysis), 0))
