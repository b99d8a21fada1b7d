"""What tasks with several categories share: reading them, and each as a task of two classes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import Answers, Cases
from proctor_workers.endpoints import Endpoint
from proctor_workers.kinds.base import BEST, WORST, Setting, View
from proctor_workers.kinds.binary import BinaryClassification
from proctor_workers.metrics.metric import Metric
from proctor_workers.metrics.multiclass import one_hot
from proctor_workers.statistics.arrays import Bools, Floats, Ints
from proctor_workers.statistics.categories import NONE, category_codes

TWO_CLASSES = BinaryClassification()


def reference_codes(setting: Setting, cases: Cases) -> Ints:
    """Return each case's reference category as its place among the manifest's targets.

    Raises:
        UnknownCategoryError: a reference category is none of the targets.
        DataError: a case has no category, or several.
    """
    labels = []
    for answers in cases.truth():
        named = [one.category for one in answers if one.output == "category"]
        if len(named) != 1:
            raise DataError(
                "A case's reference standard is not one category.",
                cure="Give every case one category, or mark it missing.",
            )
        labels.append(named[0])
    return category_codes(labels, setting.targets)


def scores_of(setting: Setting, answers: Answers) -> Floats:
    """Return the emitted score of each target, (cases, targets); NaN where there is none."""
    scores = np.full((len(answers), len(setting.targets)), np.nan)
    scored = answers.column("output") == "scores"
    codes = category_codes(answers.column("category")[scored].tolist(), setting.targets)
    values = answers.column("score")[scored].astype(np.float64)
    scores[answers.row_case[scored], codes] = values
    return scores


def called_codes(setting: Setting, answers: Answers, scores: Floats) -> Ints:
    """Return each case's called category: the device's own, else the highest of all scores."""
    complete: Bools = ~np.any(np.isnan(scores), axis=1)
    highest = np.argmax(np.where(complete[:, None], scores, 0.0), axis=1)
    called: Ints = np.where(complete, highest, NONE).astype(np.int64)
    own = answers.column("output") == "category"
    codes = category_codes(answers.column("category")[own].tolist(), setting.targets)
    called[answers.row_case[own]] = codes
    return called


def worst_scores(truth: Bools) -> Floats:
    """Return scores that rank a row's own categories last and all others first."""
    return np.where(truth, -np.inf, np.inf)


def place_of(setting: Setting, endpoint: Endpoint) -> int:
    """Return the place of the target that an endpoint is about: its own, or its decision rule's.

    Raises:
        InvalidInputError: it names none, or one that the manifest does not have.
    """
    target = endpoint.target
    if endpoint.operating_point is not None:
        ruled = setting.operating_point(endpoint.operating_point).get("target")
        if target is not None and target != ruled:
            raise InvalidInputError(
                f"Endpoint '{endpoint.id}' names another target than its operating point.",
                cure="Leave target out; the operating point has one.",
            )
        target = ruled
    if target not in setting.targets:
        raise InvalidInputError(
            f"Endpoint '{endpoint.id}' names no target of the manifest.",
            cure="Add target: with one of " + ", ".join(setting.targets) + ".",
        )
    return setting.targets.index(target)


def as_two_classes(
    analysis: AnalysisSet, positive: Bools, score: Floats, calls: Mapping[str, Ints]
) -> AnalysisSet:
    """Return the analysis set of one category or label against the rest."""
    columns: dict[str, Any] = {"positive": positive, "score": score}
    columns |= {f"call:{point}": call for point, call in calls.items()}
    return replace(analysis, columns=columns)


def called_view(positive: Bools, call: Bools, known: Bools) -> View:
    """Return the view of a category against the rest by what is called; the worst is an error."""
    return View(
        columns={"positive": positive, "call": call & known},
        lacking=~known,
        fills={WORST: {"call": ~positive}, BEST: {"call": positive}},
    )


def category_view(truth: Ints, called: Ints, worst: Ints, categories: int) -> View:
    """Return reference and called category, one-hot; `worst` stands for a missing call."""
    return View(
        columns={"truth": one_hot(truth, categories), "called": one_hot(called, categories)},
        lacking=called == NONE,
        fills={
            WORST: {"called": one_hot(worst, categories)},
            BEST: {"called": one_hot(truth, categories)},
        },
    )


def scores_view(truth: Bools, scores: Floats) -> View:
    """Return reference (one-hot or labels) and all scores; the worst ranks every row wrongly."""
    return View(
        columns={"truth": truth, "scores": scores},
        lacking=np.asarray(np.any(np.isnan(scores), axis=1)),
        fills={WORST: {"scores": worst_scores(truth)}, BEST: {"scores": -worst_scores(truth)}},
    )


def no_calls(analysis: AnalysisSet, points: Sequence[str]) -> dict[str, Ints]:
    """Return that the device has made no decision of its own at any operating point."""
    return {point: np.full(len(analysis), NONE, dtype=np.int64) for point in points}


def one_of_tables(
    tables: Sequence[Mapping[str, Metric]], name: str, parameters: Mapping[str, Any]
) -> Metric:
    """Return a quantity from the tables of a task, else one of two classes."""
    for table in tables:
        if name in table:
            return table[name]
    return TWO_CLASSES.metric(name, parameters)
