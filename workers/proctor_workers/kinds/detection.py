"""Detection and instance segmentation: lesions hit, missed and marked in vain."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.quantities import QUANTITIES, quantities_of
from proctor_backend.domain.result import Figure, Result
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import OK, Answers, Cases
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.kinds import detection_figures, detection_reading
from proctor_workers.kinds.base import (
    BEST,
    WORST,
    Columns,
    Described,
    Kind,
    Setting,
    View,
    one_of,
)
from proctor_workers.kinds.binary import BinaryClassification
from proctor_workers.kinds.categories import as_two_classes
from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.detection import froc
from proctor_workers.metrics.detection.findings import Findings, HitRule
from proctor_workers.metrics.detection.quantities import AS_BEST, AS_WORST, metrics
from proctor_workers.metrics.detection.responses import FreeResponse
from proctor_workers.metrics.metric import Metric
from proctor_workers.statistics.arrays import Bools, Floats

_INSTANCES = {"panoptic_quality", "segmentation_quality", "recognition_quality", "instance_dice"}
_COCO = {"average_precision", "average_recall"}
_COUNTED = {"lesion_sensitivity", "llf", "false_marks_per_image", "nlf"}
_HIT_WORDS = ("hit_rule", "least_overlap", "radius", "extra_hits", "false_marks_if_failed")
_LOWEST = -np.finfo(np.float64).max


class Detection(Kind):
    """Columns: `positive` (has a lesion), `findings`, `bad` and `unscored`, `call:POINT`."""

    name = "detection"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a quantity of lesions and marks."""
        known = dict.fromkeys(quantities_of(self.name))
        made = {one: make for one, make in metrics(parameters).items() if one in known}
        if name in made:
            return made[name]()
        return one_of({one: METRICS[one] for one in METRICS if one in known}, name, self.name)

    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Read lesions and marks; nothing is matched before an endpoint says how."""
        found = detection_reading.read(cases, answers, setting.targets)
        own = detection_reading.own_calls(cases, answers, setting.operating_points)
        return own | {
            "positive": _has_lesion(found.findings, None),
            "findings": _everywhere(len(cases), found.findings),
            "bad": found.bad,
            "unscored": found.unscored,
        }

    def view(self, setting: Setting, analysis: AnalysisSet, endpoint: Endpoint) -> View:
        """Return counts by image, or the cohort's matches; the worst case is a failed image."""
        findings: Findings = analysis["findings"][0]
        label = _label(setting, endpoint.target)
        positive = _has_lesion(findings, label)
        if endpoint.metric in _INSTANCES:
            return _instances(analysis, findings, endpoint, label)
        if endpoint.metric in METRICS:
            return self._of_images(setting, analysis, endpoint, label)
        rows = len(analysis)
        columns: dict[str, Any] = {"positive": positive, "lesions": _lesions(findings, label)}
        lacking = analysis["bad"] | analysis["unscored"]
        if endpoint.metric in _COCO:
            lacking |= _boxless(findings)
            columns["matches"] = _everywhere(rows, findings.matches(label))
        else:
            rule = hit_rule(endpoint.parameters)
            _check_rule(findings, rule)
            if rule.name == "overlap":
                lacking |= _boxless(findings)
            response = findings.response(rule, label)
            if endpoint.metric in _COUNTED:
                return _counted(setting, endpoint, response, columns, lacking)
            columns["response"] = _everywhere(rows, response)
        columns |= {"image": np.arange(rows), "failed": np.zeros(rows, dtype=np.int64)}
        fills = {WORST: {"failed": np.full(rows, AS_WORST)}}
        if endpoint.metric not in _COCO:
            fills[BEST] = {"failed": np.full(rows, AS_BEST)}
        return View(columns=columns, lacking=lacking, fills=fills)

    def _of_images(
        self, setting: Setting, analysis: AnalysisSet, endpoint: Endpoint, label: int | None
    ) -> View:
        """Return the view of images with any lesion by the device's call or its highest mark."""
        findings: Findings = analysis["findings"][0]
        said = np.ones(len(findings.marks), dtype=np.bool_)
        said = said if label is None else findings.marks.label == label
        score = np.full(len(analysis), -np.inf)
        np.maximum.at(score, findings.marks.image[said], findings.marks.number[said])
        score[analysis["bad"] | analysis["unscored"]] = np.nan
        calls = {point: analysis[f"call:{point}"] for point in setting.operating_points}
        whole = as_two_classes(analysis, _has_lesion(findings, label), score, calls)
        return BinaryClassification().view(setting, whole, endpoint)

    def described(self, setting: Setting) -> Iterable[Described]:
        """Show both rates of every operating point, and the end of the curve."""
        given: Mapping[str, Any] = next(
            (
                one["parameters"]
                for one in setting.protocol["endpoints"]
                if "hit_rule" in (one.get("parameters") or {})
            ),
            {},
        )
        words = {name: given[name] for name in _HIT_WORDS if name in given}
        for point in setting.operating_points:
            for name in ("lesion_sensitivity", "false_marks_per_image"):
                yield Described(metric=name, operating_point=point, parameters=words)
        for name in ("llf", "nlf"):
            yield Described(metric=name, parameters=words)

    def figures(
        self, study: Study, analysis: AnalysisSet, results: Sequence[Result]
    ) -> Sequence[Figure]:
        """Return the FROC curve with its band and operating points."""
        return detection_figures.figures(study, analysis, results)

    def errors(self, study: Study, analysis: AnalysisSet) -> list[dict[str, Any]]:
        """List images with missed lesions, then those with false marks only, the most first."""
        counted = [one for one in study.endpoints if one.metric in {"lesion_sensitivity", "llf"}]
        if not counted:
            return []
        endpoint = counted[0]
        view = self.view(study.setting, analysis, endpoint)
        lesions, hits = view.columns["lesions"], view.columns["hits"]
        missed, false = lesions - hits, view.columns["false"]
        judged = (analysis.status == OK) & ~view.lacking
        order = np.lexsort((np.arange(len(analysis)), -false, -missed))
        return [
            {
                "case": analysis.case[row],
                "outcome": "missed_lesion" if missed[row] else "false_mark",
                "score": None,
                "reference": f"lesions: {int(lesions[row])}, missed: {int(missed[row])}",
                "operating_point": endpoint.operating_point,
            }
            for row in order
            if judged[row] and (missed[row] or false[row])
        ]


class InstanceSegmentation(Detection):
    """As detection, with masks; panoptic quality besides."""

    name = "instance_segmentation"

    def described(self, setting: Setting) -> Iterable[Described]:
        """Show panoptic quality and its parts, and what detection shows."""
        for name in sorted(_INSTANCES):
            yield Described(metric=name)
        yield from super().described(setting)


def hit_rule(parameters: Mapping[str, Any]) -> HitRule:
    """Return when a mark hits a lesion, by an endpoint's parameters."""
    given = QUANTITIES["llf"].with_defaults(parameters)
    return HitRule(
        name=given["hit_rule"],
        least_overlap=float(given["least_overlap"]),
        radius=float(given["radius"]),
        extra=given["extra_hits"],
    )


def threshold_of(setting: Setting, endpoint: Endpoint) -> float:
    """Return the lowest score that is called; every mark is where there is no operating point."""
    if endpoint.operating_point is None:
        return _LOWEST
    point = setting.operating_point(endpoint.operating_point)
    comparator = point.get("comparator", ">=")
    if point.get("threshold") is None or comparator not in {">=", ">"}:
        raise InvalidInputError(
            f"The operating point '{point['id']}' has no threshold that marks must reach.",
            cure="Give it a threshold with the comparator >= or >.",
        )
    threshold = float(point["threshold"])
    return threshold if comparator == ">=" else float(np.nextafter(threshold, np.inf))


def _counted(
    setting: Setting,
    endpoint: Endpoint,
    response: FreeResponse,
    columns: Mapping[str, Any],
    lacking: Bools,
) -> View:
    table = froc.at_threshold(response, threshold_of(setting, endpoint))
    hits, lesions, false, images = table.T
    cap = np.full(len(hits), float(endpoint.parameters["false_marks_if_failed"]))
    counts = {"hits": hits, "lesions": lesions, "false": false, "images": images}
    return View(
        columns=dict(columns) | counts,
        lacking=lacking,
        fills={
            WORST: {"hits": np.zeros(len(hits)), "false": cap},
            BEST: {"hits": lesions, "false": np.zeros(len(hits))},
        },
    )


def _instances(
    analysis: AnalysisSet, findings: Findings, endpoint: Endpoint, label: int | None
) -> View:
    sums = findings.instance_sums(float(endpoint.parameters["beyond"]))
    kept = sums if label is None else sums[:, label : label + 1]
    sought = kept[..., 2] + kept[..., 4]
    worst, best = np.zeros_like(kept), np.zeros_like(kept)
    worst[..., 3] = endpoint.parameters["false_marks_if_failed"]
    worst[..., 4] = sought
    best[..., :3] = sought[..., None]  # overlap and Dice of 1 for every partner
    rows = len(analysis)
    return View(
        columns={
            "positive": _has_lesion(findings, label),
            "sums": kept.reshape(rows, -1),
        },
        lacking=analysis["bad"],
        fills={
            WORST: {"sums": worst.reshape(rows, -1)},
            BEST: {"sums": best.reshape(rows, -1)},
        },
    )


def _label(setting: Setting, target: str | None) -> int | None:
    if target is None:
        return None
    if target not in setting.targets:
        raise InvalidInputError(
            f"The manifest has no target '{target}'.", cure="Name one of the manifest's targets."
        )
    return setting.targets.index(target)


def _lesions(findings: Findings, label: int | None) -> Floats:
    counted = ~findings.ignored
    if label is not None:
        counted = counted & (findings.lesions.label == label)
    image = findings.lesions.image[counted]
    return np.bincount(image, minlength=findings.images).astype(np.float64)


def _has_lesion(findings: Findings, label: int | None) -> Bools:
    return _lesions(findings, label) > 0


def _boxless(findings: Findings) -> Bools:
    """Which images have a mark that is only a point."""
    points = np.isnan(findings.marks.box).any(axis=1)
    if findings.marks.masks is not None:
        points = np.zeros_like(points)
    return np.bincount(findings.marks.image[points], minlength=findings.images) > 0


def _check_rule(findings: Findings, rule: HitRule) -> None:
    points = np.isnan(findings.lesions.box).any(axis=1) & ~findings.ignored
    if rule.name != "distance" and findings.lesions.masks is None and points.any():
        raise DataError(
            f"The rule '{rule.name}' needs lesions with an extent; the reference gives points.",
            cure="Use the rule distance, or give boxes or masks.",
        )


def _everywhere(rows: int, value: object) -> Any:
    column = np.empty(rows, dtype=object)
    column.fill(value)
    return column
