"""What a case scores: each label's measures by the declared definitions and empty-mask policy."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from proctor_workers.metrics.segmentation import distances
from proctor_workers.metrics.segmentation.borders import Convention
from proctor_workers.metrics.segmentation.distances import (
    PercentileRule,
    SurfaceDistances,
    surface_distances,
)
from proctor_workers.metrics.segmentation.masks import Bits, Grid, LabelCounts, Labels, MaskPair
from proctor_workers.metrics.segmentation.skeleton import centreline_dice

Empty = Literal["none", "both", "reference", "predicted"]
OVERLAPS = ("dice", "iou", "precision", "recall")
VOLUMES = (
    "volume_error",
    "absolute_volume_error",
    "relative_volume_error",
    "absolute_relative_volume_error",
)
DISTANCES = ("hd", "hd95", "assd", "masd")
MEASURES = (*OVERLAPS, "nsd", "cldice", *DISTANCES, *VOLUMES)
_SURFACE = {"nsd", *DISTANCES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """Which of the field's definitions are meant.

    `tolerance` in mm is NSD's; `empty_distance` says what a distance is if one mask of two is
    empty: the image's diagonal, or none ("exclude": left out of the mean, and counted). A measure
    of two empty masks is always left out and counted.
    """

    convention: Convention = "voxel"
    percentile: PercentileRule = "larger"
    tolerance: float = 1.0
    empty_distance: Literal["diagonal", "exclude"] = "diagonal"

    def __post_init__(self) -> None:
        """Refuse a tolerance that is no length."""
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise ValueError("a tolerance is a length in mm, 0 or more")

    def sentence(self, measure: str) -> str:
        """Return a measure's definition as it stands beside its number."""
        elements = _ELEMENTS[self.convention]
        return _SENTENCES[measure].format(
            elements=elements, tolerance=self.tolerance, percentile=_PERCENTILES[self.percentile]
        )


_ELEMENTS = {
    "voxel": "border voxels, each counting one",
    "surfel": "surface elements, by their area",
}
_PERCENTILES = {
    "larger": "of each direction, the larger one",
    "pooled": "of both directions together",
}
_SENTENCES = {
    "dice": "Twice the shared voxels by the voxels of both masks.",
    "iou": "Shared voxels by voxels of either mask.",
    "precision": "Share of predicted voxels inside the reference.",
    "recall": "Share of reference voxels inside the prediction.",
    "nsd": "Share of both surfaces within {tolerance:g} mm of the other; {elements}.",
    "cldice": "Harmonic mean of the shares of each skeleton (Lee 1994) inside the other mask.",
    "hd": "Largest distance from either surface to the other, mm; {elements}.",
    "hd95": "95th percentile of surface distances {percentile}, mm; {elements}.",
    "assd": "Mean distance over both surfaces together, mm; {elements}.",
    "masd": "Mean of the two directions' mean surface distances, mm; {elements}.",
    "volume_error": "Predicted less reference volume, mm³ (2-D: mm²).",
    "absolute_volume_error": "Absolute difference of the volumes, mm³ (2-D: mm²).",
    "relative_volume_error": "Predicted less reference volume, by the reference volume.",
    "absolute_relative_volume_error": "Absolute difference of the volumes, by the reference's.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScores:
    """One label of one case. A value is NaN where the policy leaves the case out; `empty` says why.

    `values` holds the measures that were asked for, by name.
    """

    label: int
    reference_voxels: int
    predicted_voxels: int
    empty: Empty
    values: Mapping[str, float]


def score_case(
    reference: Labels,
    predicted: Labels,
    *,
    spacing: Sequence[float],
    labels: Sequence[int],
    measures: Sequence[str] = MEASURES,
    definitions: Definitions,
) -> tuple[LabelScores, ...]:
    """Score every label of one case; a function of its arguments alone, for a pool of processes.

    Args:
        reference: (rows, columns) or (planes, rows, columns), whole numbers.
        predicted: the same shape.
        spacing: mm for each axis.
        labels: the declared labels without the background.
        measures: which of MEASURES; what is not asked for is not computed.
        definitions: which definitions they follow.

    Raises:
        MaskError: shapes, spacing or labels do not fit.
    """
    if unknown := set(measures) - set(MEASURES):
        raise ValueError(f"there is no measure {', '.join(sorted(unknown))}")
    pair = MaskPair.of(reference, predicted, spacing=spacing, labels=labels)
    return tuple(_score(pair, counts, measures, definitions) for counts in pair.counts)


def _score(
    pair: MaskPair, counts: LabelCounts, measures: Sequence[str], definitions: Definitions
) -> LabelScores:
    empty = emptiness(counts)
    values = {name: _counted(name, counts, pair.grid.voxel_volume) for name in measures}
    if empty == "none":
        bits = pair.cropped(counts) if {*measures} & {*_SURFACE, "cldice"} else None
        if bits is not None:
            values |= _measured(bits, pair.grid, measures, definitions)
    else:
        values |= _by_policy(measures, empty, pair.grid, definitions)
    return LabelScores(
        label=counts.label,
        reference_voxels=counts.reference,
        predicted_voxels=counts.predicted,
        empty=empty,
        values=values,
    )


def emptiness(counts: LabelCounts) -> Empty:
    """Say which of both masks hold nothing of a label."""
    if counts.reference and counts.predicted:
        return "none"
    if not counts.reference and not counts.predicted:
        return "both"
    return "predicted" if counts.reference else "reference"


def _counted(name: str, counts: LabelCounts, volume: float) -> float:
    reference, predicted, shared = counts.reference, counts.predicted, counts.shared
    extra = float(predicted - reference)
    top, bottom = {
        "dice": (2.0 * shared, reference + predicted),
        "iou": (float(shared), reference + predicted - shared),
        "precision": (float(shared), predicted),
        "recall": (float(shared), reference),
        "volume_error": (extra * volume, 1),
        "absolute_volume_error": (abs(extra) * volume, 1),
        "relative_volume_error": (extra, reference),
        "absolute_relative_volume_error": (abs(extra), reference),
    }.get(name, (math.nan, 1))
    return top / bottom if bottom else math.nan


def _measured(
    bits: Bits, grid: Grid, measures: Sequence[str], definitions: Definitions
) -> dict[str, float]:
    values: dict[str, float] = {}
    asked = [name for name in measures if name in _SURFACE]
    if asked:
        found = surface_distances(bits, grid, definitions.convention)
        values |= {name: _surface_measure(name, found, definitions) for name in asked}
    if "cldice" in measures:
        values["cldice"] = centreline_dice(bits, flat=grid.flat)
    return values


def _surface_measure(name: str, found: SurfaceDistances, definitions: Definitions) -> float:
    if name == "nsd":
        return distances.surface_dice(found, definitions.tolerance)
    if name == "hd95":
        return distances.hausdorff_percentile(found, rule=definitions.percentile)
    return {
        "hd": distances.hausdorff,
        "assd": distances.average_symmetric,
        "masd": distances.mean_average,
    }[name](found)


def _by_policy(
    measures: Sequence[str], empty: Empty, grid: Grid, definitions: Definitions
) -> dict[str, float]:
    """Both empty: nothing to measure. One empty: nothing is shared, and surfaces are far apart."""
    if empty == "both":
        return dict.fromkeys(measures, math.nan)
    far = grid.diagonal if definitions.empty_distance == "diagonal" else math.nan
    fixed = {"nsd": 0.0, "cldice": 0.0, **dict.fromkeys(DISTANCES, far)}
    return {name: fixed[name] for name in measures if name in fixed}
