"""Classification into ordered categories: grades, stages, scores of a scale."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Figure, Result
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import Answers, Cases
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.kinds import category_figures
from proctor_workers.kinds.base import BEST, WORST, Columns, Described, Kind, Setting, View
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
)
from proctor_workers.kinds.other_references import other_references
from proctor_workers.kinds.readers import agreement_view, reader_columns
from proctor_workers.metrics.metric import Metric
from proctor_workers.metrics.multiclass import one_hot
from proctor_workers.metrics.ordinal import (
    CUTOFF_RATES,
    ORDER,
    TABLES,
    expected_category,
    score_above,
)
from proctor_workers.metrics.reader_quantities import reader_agreement
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.categories import NONE

_SHOWN = ("category_accuracy", "within_one", "mean_category_error", "kappa_quadratic")


class OrdinalClassification(Kind):
    """Columns: `truth` and `called` (codes, lowest 0), `scores` (cases, categories; NaN for none).

    The targets are the categories in their order. A cut-off is named by the lowest category above
    it; its score is the sum of that category's score and those above.
    """

    name = "ordinal_classification"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a quantity of all categories, or of one cut-off."""
        if name == "reader_agreement":
            return reader_agreement(parameters["coefficient"])
        return one_of_tables((TABLES, ORDER, CUTOFF_RATES), name, parameters)

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
        """Return the confusion, a rank, or one cut-off; the worst case is the farthest category."""
        truth, called, scores = analysis["truth"], analysis["called"], analysis["scores"]
        categories = scores.shape[1]
        worst = farthest(truth, categories)
        if endpoint.metric == "reader_agreement":
            return agreement_view(analysis, len(setting.targets))
        if endpoint.metric in TABLES:
            return category_view(truth, called, worst, categories)
        if endpoint.metric in ORDER:
            rank = _rank(endpoint, called, scores)
            ends = np.where(worst > truth, np.inf, -np.inf)
            return View(
                columns={"truth": one_hot(truth, categories), "rank": rank},
                lacking=np.isnan(rank),
                fills={WORST: {"rank": ends}, BEST: {"rank": truth.astype(np.float64)}},
            )
        place = place_of(setting, endpoint)
        if place == 0:
            raise InvalidInputError(
                f"Endpoint '{endpoint.id}' names the lowest category, which every case reaches.",
                cure="Name the lowest category above the cut-off.",
            )
        if endpoint.metric in CUTOFF_RATES:
            return called_view(truth >= place, called >= place, called != NONE)
        two = as_two_classes(
            analysis,
            truth >= place,
            score_above(scores, place),
            no_calls(analysis, setting.operating_points),
        )
        return TWO_CLASSES.view(setting, two, endpoint)

    def described(self, setting: Setting) -> Iterable[Described]:
        """Show agreement overall, and sensitivity and specificity at every cut-off."""
        for metric in _SHOWN:
            yield Described(metric=metric)
        for target in setting.targets[1:]:
            for metric in ("cutoff_sensitivity", "cutoff_specificity"):
                yield Described(metric=metric, target=target)

    def further(self, study: Study, analysis: AnalysisSet) -> Sequence[Result]:
        """Estimate the endpoints against each reader, the majority and the unanimous."""
        return other_references(study, analysis, "truth")

    def figures(
        self, study: Study, analysis: AnalysisSet, results: Sequence[Result]
    ) -> Sequence[Figure]:
        """Return the confusion matrix, and a ROC curve of each cut-off."""
        del results
        return [
            *category_figures.confusion(study, analysis),
            *category_figures.curves(study, analysis),
        ]

    def errors(self, study: Study, analysis: AnalysisSet) -> list[dict[str, Any]]:
        """List the cases that are called another category, the farthest first."""
        return category_figures.wrong_categories(study, analysis, ordered=True)


def farthest(truth: Ints, categories: int) -> Ints:
    """Return for each case the category at the farther end, the upper one from the middle."""
    return np.where(2 * truth <= categories - 1, categories - 1, 0)


def _rank(endpoint: Endpoint, called: Ints, scores: Floats) -> Floats:
    """Return what cases are ranked by; NaN where it was not emitted."""
    if endpoint.parameters.get("by") == "probabilities":
        return expected_category(scores)
    return np.where(called == NONE, np.nan, called.astype(np.float64))
