"""Category names as numbers: codes follow the protocol's list, whatever order the data has."""

from collections.abc import Sequence

import numpy as np

from proctor_backend.domain.errors import DataError
from proctor_workers.statistics.arrays import Floats, Ints

NONE = -1  # the code of "no category given"


class UnknownCategoryError(DataError):
    """A label is none of the protocol's categories, or a needed one is absent."""

    code = "unknown_category"


class UndefinedScoreError(DataError):
    """A score is no number: the rule for missing outputs has not been applied."""

    code = "undefined_score"


def category_codes(labels: Sequence[str | None], categories: Sequence[str]) -> Ints:
    """Return each label's place in `categories`, NONE where the label is None.

    Raises:
        UnknownCategoryError: a label is not listed, or a category is listed twice.
    """
    place = {name: index for index, name in enumerate(categories)}
    if len(place) != len(categories):
        raise UnknownCategoryError(
            "A category is listed twice.", cure="List each category once in the protocol."
        )
    codes = [NONE if label is None else place.get(label, len(place)) for label in labels]
    found = np.array(codes, dtype=np.int64)
    if np.any(found == len(place)):
        raise UnknownCategoryError(
            "A label is none of the protocol's categories.",
            cure="Correct the cohort, or list the category in the protocol.",
        )
    return found


def check_codes(codes: Ints, categories: int) -> None:
    """Refuse codes outside 0..categories - 1, the absent one included."""
    if categories < 2:
        raise UnknownCategoryError(
            "Fewer than two categories are listed.", cure="List every category in the protocol."
        )
    if len(codes) and (codes.min() < 0 or codes.max() >= categories):
        raise UnknownCategoryError(
            "A row has no category, or one that is not listed.",
            cure="Apply the rule for missing outputs first, and list every category.",
        )


def check_scores(score: Floats) -> None:
    """Refuse NaN; infinities are places at either end."""
    if np.isnan(score).any():
        raise UndefinedScoreError(
            "A score is no number.", cure="Apply the rule for missing outputs first."
        )
