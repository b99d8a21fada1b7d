"""Classification with several labels a case, each present or absent."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.result import Figure, Result
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import Answer, Answers, Cases
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.kinds import category_figures
from proctor_workers.kinds.base import BEST, WORST, Columns, Described, Kind, Setting, View
from proctor_workers.kinds.binary import decided
from proctor_workers.kinds.categories import (
    TWO_CLASSES,
    as_two_classes,
    one_of_tables,
    place_of,
    scores_of,
    scores_view,
)
from proctor_workers.metrics.metric import Metric
from proctor_workers.metrics.multilabel import METRICS
from proctor_workers.statistics.arrays import Bools, Ints
from proctor_workers.statistics.categories import category_codes

NOTHING = "none"  # the reference value of a case without any label
_SHOWN = ("sensitivity", "specificity")


class MultilabelClassification(Kind):
    """Columns: `truth` (cases, labels), `scores` likewise (NaN for none), `call:POINT`.

    A plain reference value is its labels joined by "|", or "none"; a rich one has the tag `scores`
    with 0 or 1 for every label.
    """

    name = "multilabel_classification"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a quantity of all labels, or of one."""
        return one_of_tables((METRICS,), name, parameters)

    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Read the labels, their scores and the device's own calls."""
        columns: dict[str, Any] = {
            "truth": np.array(
                [_labels(setting, answer) for answer in cases.truth()], dtype=np.bool_
            ),
            "scores": scores_of(setting, answers),
        }
        output, point_of = answers.column("output"), answers.column("operating_point")
        for point in setting.operating_points:
            own = np.full(len(cases), -1, dtype=np.int64)
            called = (output == "call") & (point_of == point)
            own[answers.row_case[called]] = answers.column("call")[called].astype(np.int64)
            columns[f"call:{point}"] = own
        return columns

    def view(self, setting: Setting, analysis: AnalysisSet, endpoint: Endpoint) -> View:
        """Return all labels with calls or scores, or one label; the worst case is an error."""
        truth, needs = analysis["truth"], endpoint.quantity.needs
        if endpoint.metric not in METRICS:
            place = place_of(setting, endpoint)
            return TWO_CLASSES.view(setting, one_label(setting, analysis, place), endpoint)
        if needs == "scores":
            return scores_view(truth, analysis["scores"])
        calls = called_labels(setting, analysis, endpoint.parameters.get("points") or ())
        return View(
            columns={"truth": truth, "called": calls == 1},
            lacking=np.any(calls < 0, axis=1),
            fills={WORST: {"called": ~truth}, BEST: {"called": truth}},
        )

    def described(self, setting: Setting) -> Iterable[Described]:
        """Show each label's area, and its rates at every operating point."""
        for target in setting.targets:
            yield Described(metric="auroc", target=target)
        for point in setting.operating_points:
            for metric in _SHOWN:
                yield Described(metric=metric, operating_point=point)

    def figures(
        self, study: Study, analysis: AnalysisSet, results: Sequence[Result]
    ) -> Sequence[Figure]:
        """Return a ROC curve of each label."""
        del results
        return category_figures.curves(study, analysis)

    def errors(self, study: Study, analysis: AnalysisSet) -> list[dict[str, Any]]:
        """List the false calls at each operating point."""
        return category_figures.wrong_labels(study, analysis)


def one_label(setting: Setting, analysis: AnalysisSet, place: int) -> AnalysisSet:
    """Return the analysis set of one label: present or absent."""
    calls = {point: analysis[f"call:{point}"] for point in setting.operating_points}
    return as_two_classes(
        analysis, analysis["truth"][:, place], analysis["scores"][:, place], calls
    )


def called_labels(setting: Setting, analysis: AnalysisSet, named: Sequence[str]) -> Ints:
    """Return the decision on every label (cases, labels), -1 for none.

    Each label is decided at its one operating point among those named, or among all of them.

    Raises:
        InvalidInputError: a label has no operating point, or several.
    """
    points = [setting.operating_point(id_) for id_ in named or setting.operating_points]
    of_label = {target: [one for one in points if one["target"] == target] for target in
                setting.targets}  # fmt: skip
    if any(len(found) != 1 for found in of_label.values()):
        raise InvalidInputError(
            "A quantity of all labels needs one operating point for each label.",
            cure="Name them under parameters: points.",
        )
    return np.column_stack(
        [
            decided(setting, one_label(setting, analysis, place), found[0]["id"])
            for place, found in enumerate(of_label.values())
        ]
    )


def _labels(setting: Setting, answers: Sequence[Answer]) -> Bools:
    """Return which labels a case has."""
    present = np.zeros(len(setting.targets), dtype=np.bool_)
    scored = {one.category: one.score for one in answers if one.output == "scores"}
    if scored:
        category_codes(list(scored), setting.targets)
        if set(scored) != set(setting.targets) or not set(scored.values()) <= {0.0, 1.0}:
            raise DataError(
                "A case's reference standard does not say 0 or 1 for every label.",
                cure="Write every label's score as 0 or 1, or give the labels joined by '|'.",
            )
        return np.array([scored[target] == 1 for target in setting.targets], dtype=np.bool_)
    named = [one.category for one in answers if one.output == "category" and one.category]
    if len(named) != 1:
        raise DataError(
            "A case's reference standard names no labels.",
            cure=f"Give the labels joined by '|', or '{NOTHING}'.",
        )
    if named[0] != NOTHING or NOTHING in setting.targets:
        present[category_codes(named[0].split("|"), setting.targets)] = True
    return present
