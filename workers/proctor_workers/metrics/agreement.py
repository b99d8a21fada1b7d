"""How far raters agree beyond chance: coefficients as formulas of sums over subjects."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from proctor_workers.metrics.multiclass import Formula, confusion_columns
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.categories import NONE, UnknownCategoryError
from proctor_workers.statistics.contingency import agreement_weights, kappa

_DEGENERATE = 1e-12  # chance agreement this close to 1 leaves nothing to exceed


class TooFewRatingsError(UnknownCategoryError):
    """No subject has two ratings, or a coefficient of two raters is asked of another number."""

    code = "too_few_ratings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """Categories given to subjects by raters: `codes` (subjects, raters), NONE where not rated.

    Raises:
        UnknownCategoryError: a code is neither a category nor NONE.
        TooFewRatingsError: no subject is rated twice.
    """

    codes: Ints
    categories: int

    def __post_init__(self) -> None:
        if self.categories < 2 or np.any((self.codes < NONE) | (self.codes >= self.categories)):
            raise UnknownCategoryError(
                "A rating is none of the protocol's categories.",
                cure="Correct the ratings, or list the category in the protocol.",
            )
        if not np.any((self.codes != NONE).sum(axis=1) >= 2):
            raise TooFewRatingsError(
                "No subject is rated by two raters.", cure="Agreement needs repeated ratings."
            )

    def counts(self) -> Floats:
        """Return how many raters gave each subject each category, (subjects, categories)."""
        found = np.zeros((len(self.codes), self.categories))
        for rater in range(self.codes.shape[1]):
            given = np.flatnonzero(self.codes[:, rater] != NONE)
            found[given, self.codes[given, rater]] += 1
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """A coefficient of agreement: what a subject adds to the sums, and their formula."""

    name: str
    definition: str
    columns: Callable[[Ratings], Floats]
    formula: Formula
    ordered: bool = False


def _shares(scheme: str, ratings: Ratings) -> Floats:
    """Per subject: pairwise agreement, rated twice, rated, and share of each category."""
    counts = ratings.counts()
    weights = agreement_weights(ratings.categories, scheme)
    raters = counts.sum(axis=1)
    several, rated = raters >= 2, raters >= 1
    pairs = np.where(several, raters * (raters - 1), 1.0)
    agreeing = (counts * (counts @ weights - 1)).sum(axis=1)
    share = counts / np.maximum(raters, 1)[:, None]
    return np.column_stack([np.where(several, agreeing / pairs, 0.0), several, rated, share])


def _observed_and_shares(sums: Floats) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        observed: Floats = sums[..., 0] / sums[..., 1]
        share: Floats = sums[..., 3:] / sums[..., 2:3]
    return observed, share


def _beyond(observed: Floats, chance: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (observed - chance) / (1 - chance)
    found: Floats = np.where(1 - chance > _DEGENERATE, value, np.nan)
    return found


def _percent(sums: Floats) -> Floats:
    return _observed_and_shares(sums)[0]


def _fleiss(scheme: str, sums: Floats) -> Floats:
    observed, share = _observed_and_shares(sums)
    weights = agreement_weights(share.shape[-1], scheme)
    return _beyond(observed, ((share @ weights) * share).sum(axis=-1))


def _gwet(scheme: str, sums: Floats) -> Floats:
    observed, share = _observed_and_shares(sums)
    categories = share.shape[-1]
    total = agreement_weights(categories, scheme).sum()
    chance = total / (categories * (categories - 1)) * (share * (1 - share)).sum(axis=-1)
    return _beyond(observed, chance)


def _coincidences(ratings: Ratings) -> Floats:
    """Per subject: pairs of values it was given by different raters, over raters - 1, (n, q q)."""
    counts = ratings.counts()
    raters = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :]
    place = np.arange(ratings.categories)
    pairs[:, place, place] -= counts
    scale = np.where(raters >= 2, 1 / np.maximum(raters - 1, 1), 0.0)
    return (pairs * scale[:, None, None]).reshape(len(counts), -1)


def _krippendorff(metric: str, sums: Floats) -> Floats:
    categories = int(np.sqrt(sums.shape[-1]) + 0.5)
    table = sums.reshape(*sums.shape[:-1], categories, categories)
    values = table.sum(axis=-1)
    apart = _category_distances(metric, values)
    total = values.sum(axis=-1)
    chance = (values[..., :, None] * values[..., None, :] * apart).sum(axis=(-2, -1))
    return _alpha((table * apart).sum(axis=(-2, -1)), chance, total)


def _category_distances(metric: str, values: Floats) -> Floats:
    """Squared distances between categories, (..., q, q); ordinal ones depend on their use."""
    place = np.arange(values.shape[-1], dtype=np.float64)
    if metric == "nominal":
        return 1 - np.eye(len(place))
    if metric == "interval":
        apart: Floats = (place[:, None] - place[None, :]) ** 2
        return apart
    middle = np.cumsum(values, axis=-1) - values / 2
    gap: Floats = middle[..., :, None] - middle[..., None, :]
    return gap**2


def _alpha(within: Floats, between: Floats, total: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 1 - (total - 1) * within / between
    found: Floats = np.where(between > _DEGENERATE * total**2, value, np.nan)
    return found


def _crossed(ratings: Ratings) -> Floats:
    """Per subject its cell of the table of two raters; subjects with one rating add nothing."""
    if ratings.codes.shape[1] != 2:
        raise TooFewRatingsError(
            "Cohen's kappa compares two raters.", cure="Use Fleiss' kappa or Krippendorff's alpha."
        )
    both = (ratings.codes != NONE).all(axis=1)
    first, second = np.where(both[:, None], ratings.codes, 0).T
    return confusion_columns(first, second, ratings.categories, both.astype(np.float64))


def _cohen(scheme: str, sums: Floats) -> Floats:
    categories = int(np.sqrt(sums.shape[-1]) + 0.5)
    return kappa(
        sums.reshape(*sums.shape[:-1], categories, categories),
        agreement_weights(categories, scheme),
    )


def _of_shares(name: str, definition: str, scheme: str, formula: Formula) -> Coefficient:
    return Coefficient(
        name=name,
        definition=definition,
        columns=partial(_shares, scheme),
        formula=formula,
        ordered=scheme != "identity",
    )


def _two_raters(name: str, definition: str, scheme: str) -> Coefficient:
    return Coefficient(
        name=name,
        definition=definition,
        columns=_crossed,
        formula=partial(_cohen, scheme),
        ordered=scheme != "identity",
    )


def _alpha_of(metric: str) -> Coefficient:
    return Coefficient(
        name=f"krippendorff_{metric}",
        definition=f"Krippendorff's alpha with {metric} distances; single ratings add nothing.",
        columns=_coincidences,
        formula=partial(_krippendorff, metric),
        ordered=metric != "nominal",
    )


_ALL = (
    _of_shares(
        "percent_agreement",
        "Mean over subjects of the share of rater pairs that agree.",
        "identity",
        _percent,
    ),
    _two_raters("cohen_kappa", "Cohen's kappa of two raters.", "identity"),
    _two_raters("cohen_kappa_linear", "Cohen's kappa of two raters, linear weights.", "linear"),
    _two_raters(
        "cohen_kappa_quadratic", "Cohen's kappa of two raters, quadratic weights.", "quadratic"
    ),
    _of_shares(
        "fleiss_kappa",
        "Fleiss' kappa; subjects with fewer ratings count by their shares.",
        "identity",
        partial(_fleiss, "identity"),
    ),
    _of_shares(
        "gwet_ac1",
        "Gwet's first-order agreement coefficient.",
        "identity",
        partial(_gwet, "identity"),
    ),
    *(
        _of_shares(
            f"gwet_ac2_{scheme}",
            f"Gwet's second-order agreement coefficient, {scheme} weights.",
            scheme,
            partial(_gwet, scheme),
        )
        for scheme in ("linear", "quadratic", "ordinal")
    ),
    *(_alpha_of(metric) for metric in ("nominal", "ordinal", "interval")),
)
COEFFICIENTS = {one.name: one for one in _ALL}
