"""Chooses what a forest plot compares; it cites results and so shows only what an edition may."""

from collections.abc import Mapping, Sequence
from typing import Any

from proctor_backend.reporting import words
from proctor_backend.reporting.disclosure import factor_of, levels_of

ResultDict = Mapping[str, Any]


def forest_figures(results: Sequence[ResultDict]) -> list[dict[str, Any]]:
    """Return one figure per quantity that has groups: the whole cohort, then each level."""
    stems: dict[str, list[ResultDict]] = {}
    for result in results:
        if _describes_group(result):
            stems.setdefault(_stem(result), []).append(result)
    by_id = {str(result["id"]): result for result in results}
    return [_figure(stem, rows, by_id) for stem, rows in stems.items()]


def _describes_group(result: ResultDict) -> bool:
    return (
        factor_of(result) is not None
        and len(levels_of(result)) == 1
        and not words.is_contrast(result)
        and not words.is_of_acquisition(result)
        and result["quantity"] not in {"count", "failure_rate", "indeterminate_rate"}
        and result.get("role") != "appendix"
        and not result.get("scenario")
        and result.get("interval") is not None
    )


def _stem(result: ResultDict) -> str:
    """Return the id of the same quantity in the whole cohort."""
    tail = f".{factor_of(result)}.{levels_of(result)[0]}"
    return str(result["id"]).removesuffix(tail)


def _figure(
    stem: str, rows: Sequence[ResultDict], by_id: Mapping[str, ResultDict]
) -> dict[str, Any]:
    whole = by_id.get(stem)
    named = words.label(whole) if whole else stem
    entries = [{"ref": stem, "factor": "", "level": "Whole cohort"}] if whole else []
    entries += [
        {"ref": str(row["id"]), "factor": str(factor_of(row)), "level": levels_of(row)[0]}
        for row in rows
    ]
    return {
        "id": f"forest.{stem}",
        "kind": "forest",
        "title": f"{named} by group",
        "data": {"rows": entries},
    }
