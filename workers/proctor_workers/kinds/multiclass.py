"""Classification into one of several categories without an order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Figure, Result
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import Answers, Cases
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.kinds import category_figures
from proctor_workers.kinds.base import Columns, Described, Kind, Setting, View
from proctor_workers.kinds.categories import (
    TWO_CLASSES,
    as_two_classes,
    called_codes,
    called_view,
    category_view,
    no_calls,
    one_of_tables,
    place_of,
    reference_codes,
    scores_of,
    scores_view,
)
from proctor_workers.kinds.other_references import other_references
from proctor_workers.kinds.readers import agreement_view, reader_columns
from proctor_workers.metrics.areas import HandTill, MeanArea
from proctor_workers.metrics.metric import Metric
from proctor_workers.metrics.multiclass import CLASS_RATES, TABLES, one_hot, top_k
from proctor_workers.metrics.reader_quantities import reader_agreement
from proctor_workers.statistics.arrays import Ints
from proctor_workers.statistics.categories import NONE

_AREAS: Mapping[str, Metric] = {
    "hand_till_auc": HandTill(),
    "macro_auroc": MeanArea(name="macro_auroc", prevalence_bound=True),
}
_SHOWN = ("category_accuracy", "macro_recall", "macro_f1", "kappa")


class MulticlassClassification(Kind):
    """Columns: `truth` and `called` (codes), `scores` (cases, categories; NaN for none).

    The called category is the device's own, else that of the highest score, of tied ones the
    manifest's first. A case with some scores only has none for quantities of scores.
    """

    name = "multiclass_classification"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a quantity of all categories, or of one against the rest."""
        if name == "top_k_accuracy":
            return top_k(int(parameters["k"]))
        if name == "reader_agreement":
            return reader_agreement(parameters["coefficient"])
        return one_of_tables((TABLES, _AREAS, CLASS_RATES), name, parameters)

    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Read reference category, scores and called category."""
        scores = scores_of(setting, answers)
        return {
            "truth": reference_codes(setting, cases),
            "called": called_codes(setting, answers, scores),
            "scores": scores,
            **reader_columns(cases, setting.targets),
        }

    def view(self, setting: Setting, analysis: AnalysisSet, endpoint: Endpoint) -> View:
        """Return the confusion, all scores, or one category against the rest.

        The worst case is the commonest other category, or a place at the wrong end.
        """
        truth, called, scores = analysis["truth"], analysis["called"], analysis["scores"]
        if endpoint.metric == "reader_agreement":
            return agreement_view(analysis, len(setting.targets))
        if endpoint.metric in TABLES:
            return category_view(truth, called, commonest_other(truth), scores.shape[1])
        if int(endpoint.parameters.get("k", 1)) >= len(setting.targets):
            raise InvalidInputError(
                f"Endpoint '{endpoint.id}' counts as many scores as there are categories.",
                cure="Choose a smaller k.",
            )
        if endpoint.metric in _AREAS or endpoint.metric == "top_k_accuracy":
            return scores_view(one_hot(truth, scores.shape[1]), scores)
        place = place_of(setting, endpoint)
        if endpoint.metric in CLASS_RATES:
            return called_view(truth == place, called == place, called != NONE)
        two = as_two_classes(
            analysis,
            truth == place,
            scores[:, place],
            no_calls(analysis, setting.operating_points),
        )
        return TWO_CLASSES.view(setting, two, endpoint)

    def described(self, setting: Setting) -> Iterable[Described]:
        """Show agreement overall, and recall and precision of every category."""
        for metric in _SHOWN:
            yield Described(metric=metric)
        for target in setting.targets:
            for metric in ("class_recall", "class_precision"):
                yield Described(metric=metric, target=target)

    def further(self, study: Study, analysis: AnalysisSet) -> Sequence[Result]:
        """Estimate the endpoints against each reader, the majority and the unanimous."""
        return other_references(study, analysis, "truth")

    def figures(
        self, study: Study, analysis: AnalysisSet, results: Sequence[Result]
    ) -> Sequence[Figure]:
        """Return the confusion matrix, and a ROC curve of each category against the rest."""
        del results
        return [
            *category_figures.confusion(study, analysis),
            *category_figures.curves(study, analysis),
        ]

    def errors(self, study: Study, analysis: AnalysisSet) -> list[dict[str, Any]]:
        """List the cases that are called another category."""
        return category_figures.wrong_categories(study, analysis, ordered=False)


def commonest_other(truth: Ints) -> Ints:
    """Return for each case the most frequent reference category but its own.

    No other wrong answer leaves less agreement beyond chance.
    """
    size = np.bincount(truth)
    order = np.argsort(-size, kind="stable")
    second = order[1] if len(order) > 1 else 1
    other: Ints = np.where(truth == order[0], second, order[0])
    return other
