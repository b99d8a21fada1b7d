"""Whether a data partner's terms allow one more entry, counted so that two never take one place.

They are asked when an entry is opened, and again before its first hidden case is staged: in between
the terms may have changed, run out, or been used up by others.
"""

from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.cohort import Terms
from proctor_backend.domain.errors import TermsRefusedError
from proctor_backend.domain.ids import utc_now
from proctor_backend.domain.states import EntryState
from proctor_backend.records import Change, Records, Update

_ENDED = (EntryState.FAILED, EntryState.CANCELLED)
# Before its image has arrived an entry holds no place: one left open would hold it for ever.
_WITHOUT_PLACE = (*_ENDED, EntryState.OPEN)
_BEFORE_STAGING = (*_WITHOUT_PLACE, EntryState.UPLOADED, EntryState.SCREENED)


def allowed(records: Records, study: Mapping[str, Any], task: str) -> Change:
    """Return the change that takes a place: it fails if somebody took one since the count.

    Raises:
        TermsRefusedError: the task, the number or the date stands against it, or there are none.
    """
    return _place(records, study, task, _WITHOUT_PLACE)


def still_allowed(records: Records, study: Mapping[str, Any], entry: Mapping[str, Any]) -> Change:
    """Return the change with which an entry's hidden cases may be staged.

    It also fails if the study was amended since: an amendment changes the cohort's record too.

    Raises:
        TermsRefusedError: the terms no longer allow it.
    """
    return _place(records, study, entry["manifest"]["task"]["kind"], _BEFORE_STAGING)


def _place(
    records: Records, study: Mapping[str, Any], task: str, without: tuple[EntryState, ...]
) -> Change:
    cohort = records.get("cohorts", study["cohort"])
    if not cohort.get("terms"):
        raise TermsRefusedError(
            "The data partner has set no terms for this cohort.", cure="The partner puts terms."
        )
    same_cohort = [one["_id"] for one in records.find("studies", {"cohort": study["cohort"]})]
    # Entries that the platform itself failed, or that ended on public cases, used nothing up.
    used = {"study": {"$in": same_cohort}, "state": {"$nin": [str(state) for state in without]}}
    looked = {
        "study": {"$in": same_cohort},
        "looked": True,
        "state": {"$in": [str(state) for state in _ENDED]},
    }
    count = len(records.find("entries", used)) + len(records.find("entries", looked))
    Terms.from_dict(cohort["terms"]).check(task=task, evaluations=count, now=utc_now())
    return Update("cohorts", cohort["_id"], expect={"rev": cohort["rev"]})
