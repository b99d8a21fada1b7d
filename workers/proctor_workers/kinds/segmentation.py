"""Semantic segmentation: one mask a structure, held against the reference's case by case.

Masks come as runs on a size and spacing. A model's mask of another size, or of another spacing
where it states one, cannot be compared: its case counts as failed. A structure that a mask does not
name is empty.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import Answer, Answers, Cases
from proctor_workers.kinds.base import Columns, Described, Setting, one_of
from proctor_workers.kinds.case_valued import CaseValued, asked, place_of
from proctor_workers.metrics.case_values import goal_share, over_cases
from proctor_workers.metrics.metric import Metric, divide
from proctor_workers.metrics.segmentation.cohort import Asked, CaseMasks, score_cohort
from proctor_workers.metrics.segmentation.masks import Grid, SpacingError, check_same_spacing
from proctor_workers.metrics.segmentation.scores import DISTANCES, VOLUMES, Definitions
from proctor_workers.statistics.arrays import Floats, Ints

_NAMES = {"voxel_precision": "precision", "voxel_recall": "recall"}
_OVERLAP_NAMES = ("dice", "iou", "voxel_precision", "voxel_recall", "nsd", "cldice")
_VALUED = (*_OVERLAP_NAMES, *DISTANCES, *VOLUMES)
_LEFT_OUT = "both masks are empty, or the measure is not defined"
_IN_MM = {"nsd", *DISTANCES, *VOLUMES}


class Segmentation(CaseValued):
    """Columns: `lacking`, `diagonal` in mm, and one of values for each measure that is asked."""

    name = "segmentation"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a mean or median over cases, or the share of cases that reach a goal."""
        if name == "mask_goal_share":
            nearer = parameters["measure"] not in DISTANCES
            return goal_share(name, float(parameters["goal"]), higher_is_better=nearer)
        valued = {
            one: over_cases(
                one,
                parameters.get("statistic", "mean"),
                left_out=_LEFT_OUT,
                unit_scale=one in _OVERLAP_NAMES,
                complete_cases=one in VOLUMES,
                reference_test=None if one in VOLUMES else "R20",
            )
            for one in _VALUED
        }
        return one_of(valued, name, self.name)

    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Decode both masks of every case and measure what the endpoints ask for."""
        wanted = [
            (*_measure(metric, parameters), target)
            for metric, parameters, target in asked(setting, self)
        ]
        measured = tuple(dict.fromkeys((measure, chosen) for measure, chosen, _ in wanted))
        references = [_reference(truth, setting, measured) for truth in cases.truth()]
        predicted = [
            reference.fitting(given) for reference, given in zip(references, answers, strict=True)
        ]
        values = np.full((len(cases), len(setting.targets), len(measured)), np.nan)
        present = [case for case, mask in enumerate(predicted) if mask is not None]
        for case, found in zip(
            present,
            score_cohort(
                [
                    _pair(references[case], mask, setting.targets, measured)
                    for case, mask in enumerate(predicted)
                    if mask is not None
                ],
                processes=os.cpu_count() or 1,
            ),
            strict=True,
        ):
            values[case] = found
        columns: dict[str, Any] = {
            "lacking": np.array([mask is None for mask in predicted], dtype=np.bool_),
            "diagonal": np.array([reference.grid.diagonal for reference in references]),
        }
        for measure, chosen, target in wanted:
            part = values[:, :, measured.index((measure, chosen))]
            columns[_name(measure, chosen, target)] = _of_target(part, setting.targets, target)
        return columns

    def column(self, metric: str, parameters: Mapping[str, Any], target: str | None) -> str:
        """Return the name that stands for measure, definitions and structure."""
        return _name(*_measure(metric, parameters), target)

    def ends(
        self, analysis: AnalysisSet, metric: str, parameters: Mapping[str, Any]
    ) -> tuple[Floats, Floats]:
        """Return 0 and 1 for overlap, the image's diagonal and 0 for a distance."""
        none, whole = np.zeros(len(analysis)), np.ones(len(analysis))
        if _measure(metric, parameters)[0] in DISTANCES:
            return analysis["diagonal"], none
        return none, whole

    def described(self, setting: Setting) -> Iterable[Described]:
        """Show the Dice coefficient of every structure."""
        return [Described(metric="dice", target=target) for target in setting.targets]


def _measure(metric: str, parameters: Mapping[str, Any]) -> Asked:
    """Return a quantity's measure and the definitions that its parameters choose."""
    chosen = {
        name: parameters[name]
        for name in ("convention", "percentile", "empty_distance", "tolerance")
        if name in parameters
    }
    measure = str(parameters.get("measure", metric))
    return _NAMES.get(measure, measure), Definitions(**chosen)


def _name(measure: str, definitions: Definitions, target: str | None) -> str:
    chosen = (definitions.convention, definitions.percentile, definitions.empty_distance)
    return "/".join([measure, *chosen, f"{definitions.tolerance:g}", target or ""])


def _of_target(values: Floats, targets: Sequence[str], target: str | None) -> Floats:
    """Return one structure's values (cases,), or the mean over the structures that have one.

    Raises:
        InvalidInputError: the manifest has no such structure.
    """
    if target is not None:
        return np.ascontiguousarray(values[:, place_of(target, targets)])
    known = ~np.isnan(values)
    mean: Floats = divide(
        np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64)
    )
    return mean


@dataclass(frozen=True, slots=True)
class _Mask:
    """A mask as runs (n, 2) of each structure; without spacing its voxels count as 1 mm."""

    size: tuple[int, ...]
    spacing: tuple[float, ...] | None
    runs: Mapping[str, Ints]

    @property
    def grid(self) -> Grid:
        """The grid it lies on."""
        return Grid.of(self.size, self.spacing or (1.0,) * len(self.size))

    def fitting(self, answers: Sequence[Answer]) -> "_Mask | None":
        """Return the model's mask if it lies on the same grid; None if it lacks or does not."""
        found = _mask_of(answers)
        if found is None or found.size != self.size:
            return None
        if found.spacing is not None and self.spacing is not None:
            try:
                check_same_spacing(self.spacing, found.spacing)
            except SpacingError:
                return None
        return found


def _pair(
    reference: _Mask, predicted: _Mask, targets: tuple[str, ...], asked: tuple[Asked, ...]
) -> CaseMasks:
    return CaseMasks(
        shape=reference.size,
        spacing=reference.grid.spacing[-len(reference.size) :],
        reference=reference.runs,
        predicted=predicted.runs,
        structures=targets,
        asked=asked,
    )


def _mask_of(answers: Sequence[Answer]) -> _Mask | None:
    rows = [one for one in answers if one.output == "mask"]
    if not rows or rows[0].location is None:
        return None
    frame = rows[0].location
    axes = len(frame) // 2
    spacing = tuple(float(step) for step in frame[axes:])
    return _Mask(
        size=tuple(int(side) for side in frame[:axes]),
        spacing=spacing if all(spacing) else None,
        runs={
            str(one.category): one.location.astype(np.int64).reshape(-1, 2)
            for one in rows[1:]
            if one.location is not None
        },
    )


def _reference(truth: Sequence[Answer], setting: Setting, asked: Sequence[Asked]) -> _Mask:
    """Return a case's reference mask.

    Raises:
        DataError: there is none, it names another structure, or lengths are asked without spacing.
    """
    found = _mask_of(truth)
    if found is None:
        raise DataError(
            "A case of the cohort has no mask as its reference standard.",
            cure='Give {"mask": {"size", "spacing", "labels"}} as its reference outputs.',
        )
    if not found.runs.keys() <= set(setting.targets):
        raise DataError(
            "A reference mask names a structure that the model does not answer for.",
            cure="Name the structures as in the manifest's targets.",
        )
    if found.spacing is None and any(measure in _IN_MM for measure, _ in asked):
        raise DataError(
            "A reference mask has no spacing, but an endpoint is measured in mm.",
            cure="Give the spacing in mm for each side, or choose an overlap measure.",
        )
    return found
