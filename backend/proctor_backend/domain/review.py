"""What a reviewer and the two releasing parties may say, in closed vocabularies."""

from enum import StrEnum


class ErrorCategory(StrEnum):
    """Why a case was judged wrongly, as a reviewer sees it."""

    IMAGE_QUALITY = "image_quality"
    SUBTLE_FINDING = "subtle_finding"
    ATYPICAL_APPEARANCE = "atypical_appearance"
    CONFOUNDING_FINDING = "confounding_finding"
    ACQUISITION = "acquisition"
    REFERENCE_DOUBTFUL = "reference_doubtful"
    NEAR_THRESHOLD = "near_threshold"
    OTHER = "other"
    UNEXPLAINED = "unexplained"


class QueryAnswer(StrEnum):
    """What a data partner answers when a reference value is questioned."""

    STANDS = "stands"
    WILL_CHANGE = "will_change"


EDITIONS = ("full", "submission", "public")
RESULTS_MEANING = "I have reviewed these results and approve them."
UNMASK_MEANING = "The results are signed; I join the vendor's text and name."
RELEASE_MEANING = "I release this report."
CLEAR_MEANING = "This edition may leave under our terms."
