"""Binary classification: one score a case, decisions at operating points."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.result import Figure, Result, Role
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import OK, Answers, Cases, Texts
from proctor_workers.endpoints import Endpoint, Study, as_result
from proctor_workers.kinds import binary_figures
from proctor_workers.kinds.base import (
    BEST,
    NEGATIVE,
    POSITIVE,
    WORST,
    Columns,
    Described,
    Kind,
    Setting,
    View,
    nowhere,
    one_of,
)
from proctor_workers.kinds.other_references import other_references
from proctor_workers.kinds.readers import (
    agreement_view,
    arms_view,
    beside_view,
    binary_reader_columns,
)
from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.metric import Metric
from proctor_workers.metrics.predictive_values import at_prevalence
from proctor_workers.metrics.reader_quantities import reader_metric
from proctor_workers.metrics.risks import MAKERS
from proctor_workers.metrics.sample import Sample
from proctor_workers.missing_outputs import apply_rule
from proctor_workers.statistics.arrays import Bools, Floats, Ints

_SHOWN_PER_POINT = ("sensitivity", "specificity", "ppv", "npv", "lr_positive", "lr_negative")


class BinaryClassification(Kind):
    """Columns: `positive`, `score` (NaN for none), `call:POINT` (1, 0, -1 for none of its own)."""

    name = "binary_classification"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a quantity of two classes, or of the readers beside the device."""
        of_readers = reader_metric(name, parameters)
        if of_readers is not None:
            return of_readers
        if name in MAKERS:
            try:
                return MAKERS[name](name, parameters)
            except ValueError as error:
                raise InvalidInputError(f"{name}: {error}.") from None
        return one_of(METRICS, name, self.name)

    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Read the positive class's score and the device's own calls.

        A reader's plain word is a call at every operating point, a plain number a score.
        """
        standard = setting.protocol["reference_standard"]
        value = cases.texts("reference_value")
        positive = value == standard["positive"]
        rule = standard.get("equivocal_rule", "exclude")
        equivocal = cases.texts("reference_status") == "equivocal"
        _require_one_negative(value[~positive & ~equivocal])
        if rule != "exclude":
            positive = np.where(equivocal, rule == "as_positive", positive)
        place, output = answers.row_case, answers.column("output")
        scored = (output == "scores") & (
            answers.column("category") == setting.manifest["task"]["positive"]
        )
        score = np.full(len(cases), np.nan)
        score[place[scored]] = answers.column("score")[scored].astype(np.float64)
        plain = _plain_calls(setting, cases, answers, score)
        columns: dict[str, Any] = {"positive": positive.astype(np.bool_), "score": score}
        point_of = answers.column("operating_point")
        for point in setting.operating_points:
            own = plain.copy()
            called = (output == "call") & (point_of == point)
            own[place[called]] = answers.column("call")[called].astype(np.int64)
            columns[f"call:{point}"] = own
        columns |= binary_reader_columns(cases, str(standard["positive"]), setting.operating_points)
        return columns

    def view(self, setting: Setting, analysis: AnalysisSet, endpoint: Endpoint) -> View:
        """Return status with score or decisions; the worst case is an error, or the wrong end."""
        positive, score = analysis["positive"], analysis["score"]
        needs = endpoint.quantity.needs
        if endpoint.metric == "reader_agreement":
            return agreement_view(analysis, 2)
        if endpoint.metric == "reader_arm_gain":
            return arms_view(analysis, endpoint)
        if needs == "nothing":
            return View(columns={"positive": positive, "score": score}, lacking=nowhere(analysis))
        if endpoint.metric.endswith("_minus_readers"):
            device = _view_of_device(setting, analysis, endpoint)
            return beside_view(device, analysis, scores=needs == "score")
        return _view_of_device(setting, analysis, endpoint)

    def described(self, setting: Setting) -> Iterable[Described]:
        """Show the rates of every operating point, and the prevalence."""
        for point in setting.operating_points:
            for metric in _SHOWN_PER_POINT:
                yield Described(metric=metric, operating_point=point)
        yield Described(metric="prevalence")

    def collapsed(self, analysis: AnalysisSet, aggregation: str, rows: Ints) -> Columns:
        """Make patients of cases: positive with any positive case.

        The score is the largest or the mean, thresholded afterwards; the device's own calls become
        any case's call (max) or the majority's (mean, ties positive).
        """
        patient = analysis.patient
        columns: dict[str, Any] = {
            "positive": np.bincount(patient, weights=analysis["positive"]) > 0,
            "score": _joint_score(analysis, aggregation, rows),
        }
        for name, column in analysis.columns.items():
            if name.startswith("call:"):
                columns[name] = _joint_call(patient, column, aggregation, rows)
        return columns

    def decisions(self, study: Study, analysis: AnalysisSet) -> Iterable[tuple[str, Sample, Bools]]:
        """Return the decisions at each operating point."""
        for point in study.operating_points:
            endpoint = study.endpoint(Described(metric="accuracy", operating_point=point))
            ruled = apply_rule(study, analysis, endpoint, endpoint.rule)
            yield point, ruled.sample, ruled.kept

    def further(self, study: Study, analysis: AnalysisSet) -> Sequence[Result]:
        """Estimate PPV and NPV at the declared prevalences; then against other readings."""
        ends = {
            "prevalence": study.design.prevalence,
            "prevalence_low": study.design.prevalence_low,
            "prevalence_high": study.design.prevalence_high,
        }
        found = []
        for endpoint in study.endpoints:
            if endpoint.metric not in {"ppv", "npv"}:
                continue
            sample = apply_rule(study, analysis, endpoint, endpoint.rule).sample
            for name, prevalence in ends.items():
                if prevalence is None:
                    continue
                part = at_prevalence(
                    endpoint.metric, sample, float(prevalence), study.plan(endpoint)
                )
                id_ = f"{endpoint.result_id}@{name}"
                found.append(as_result(endpoint, part, id_=id_, role=Role.DESCRIPTIVE))
        return [*found, *other_references(study, analysis, "positive")]

    def figures(
        self, study: Study, analysis: AnalysisSet, results: Sequence[Result]
    ) -> Sequence[Figure]:
        """Return ROC, calibration, decision curve and cross tables."""
        return binary_figures.figures(study, analysis, results)

    def errors(self, study: Study, analysis: AnalysisSet) -> list[dict[str, Any]]:
        """List the false positives and negatives at the study's first operating point."""
        point = next(
            (one.operating_point for one in study.endpoints if one.operating_point is not None),
            None,
        )
        if point is None:
            return []
        calls = decided(study.setting, analysis, point)
        found = []
        for row in range(len(analysis)):
            positive, call = bool(analysis["positive"][row]), int(calls[row])
            if analysis.status[row] != OK or call < 0 or bool(call) == positive:
                continue
            score = float(analysis["score"][row])
            found.append(
                {
                    "case": analysis.case[row],
                    "outcome": "false_positive" if call else "false_negative",
                    "score": None if np.isnan(score) else score,
                    "reference": "positive" if positive else "negative",
                    "operating_point": point,
                }
            )
        return found


def _view_of_device(setting: Setting, analysis: AnalysisSet, endpoint: Endpoint) -> View:
    """Return the device's decisions or scores; the worst case is an error, or the wrong end."""
    positive, score, needs = analysis["positive"], analysis["score"], endpoint.quantity.needs
    if needs == "call":
        calls = decided(setting, analysis, endpoint.operating_point)
        return View(
            columns={"positive": positive, "call": calls == 1},
            lacking=calls < 0,
            fills={
                WORST: {"call": ~positive},
                BEST: {"call": positive},
                POSITIVE: {"call": ~nowhere(analysis)},
                NEGATIVE: {"call": nowhere(analysis)},
            },
        )
    high, low = (1.0, 0.0) if needs == "probability" else (np.inf, -np.inf)
    return View(
        columns={"positive": positive, "score": score},
        lacking=np.isnan(score),
        fills={
            WORST: {"score": np.where(positive, low, high)},
            BEST: {"score": np.where(positive, high, low)},
            POSITIVE: {"score": np.full(len(score), high)},
            NEGATIVE: {"score": np.full(len(score), low)},
        },
    )


def _plain_calls(setting: Setting, cases: Cases, answers: Answers, score: Floats) -> Ints:
    """Return calls given as plain words (1, 0, -1 for none); plain numbers go into `score`."""
    calls = np.full(len(cases), -1, dtype=np.int64)
    said = np.flatnonzero(answers.column("output") == "category")
    if not len(said):
        return calls
    place, word = answers.row_case[said], answers.column("category")[said].astype(str)
    task, standard = setting.manifest["task"], setting.protocol["reference_standard"]
    positive = {str(standard["positive"]), str(task["positive"])}
    negative = {str(one) for one in cases.texts("reference_value")} | {str(task.get("negative"))}
    known = np.isin(word, sorted(positive | negative))
    calls[place[known]] = np.isin(word[known], sorted(positive))
    for row, text in zip(place[~known].tolist(), word[~known].tolist(), strict=True):
        try:
            score[row] = float(text)
        except ValueError:
            continue  # a word of no class is no answer
    return calls


def _require_one_negative(negatives: Texts) -> None:
    """Refuse a reference with more than two values: a misspelt positive is no negative.

    Raises:
        DataError: the values beside the positive one differ among themselves.
    """
    if len({str(value) for value in negatives.tolist()}) > 1:
        raise DataError(
            "The reference standard has more than two values.",
            cure="Give every verified case the protocol's positive value, or one other for all.",
        )


def decided(setting: Setting, analysis: AnalysisSet, point: str | None) -> Ints:
    """Return decisions (1, 0, -1 for none): the device's own, else the thresholded score."""
    rule = setting.operating_point(point)
    own = analysis[f"call:{point}"]
    calls: Ints = np.where(own >= 0, own, thresholded(analysis["score"], rule))
    return calls


def thresholded(score: Floats, point: Mapping[str, Any]) -> Ints:
    """Decide on the emitted value; -1 without a score."""
    threshold = point.get("threshold")
    if threshold is None:
        return np.full(len(score), -1, dtype=np.int64)
    compare = {
        ">=": np.greater_equal,
        ">": np.greater,
        "<=": np.less_equal,
        "<": np.less,
    }[point.get("comparator", ">=")]
    called = compare(score, float(threshold)).astype(np.int64)
    calls: Ints = np.where(np.isnan(score), -1, called)
    return calls


def _joint_score(analysis: AnalysisSet, aggregation: str, rows: Ints) -> Floats:
    """Aggregate scores; a patient with a case without a score has none."""
    if aggregation == "mean":
        mean: Floats = np.bincount(analysis.patient, weights=analysis["score"]) / rows
        return mean
    largest = np.full(len(rows), -np.inf)
    np.maximum.at(largest, analysis.patient, analysis["score"])
    return largest


def _joint_call(patient: Ints, call: Ints, aggregation: str, rows: Ints) -> Ints:
    """Aggregate decisions; a patient with a case without a decision has none."""
    known = np.bincount(patient, weights=call >= 0)
    positive = np.bincount(patient, weights=call == 1)
    called = positive > 0 if aggregation == "max" else positive * 2 >= rows
    combined: Ints = np.where(known == rows, called.astype(np.int64), -1)
    return combined
