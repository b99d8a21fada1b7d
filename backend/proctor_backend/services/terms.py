"""Whether a data partner's terms allow one more entry, counted so that two never take one place."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.cohort import Terms
from proctor_backend.domain.errors import TermsRefusedError
from proctor_backend.domain.ids import utc_now
from proctor_backend.records import Change, Records, Update


def allowed(records: Records, study: Mapping[str, Any], task: str) -> Change:
    """Return the change that takes a place: it fails if somebody took one since the count.

    Raises:
        TermsRefusedError: the task, the number or the date stands against it, or there are none.
    """
    cohort = records.get("cohorts", study["cohort"])
    if not cohort.get("terms"):
        raise TermsRefusedError(
            "The data partner has set no terms for this cohort.", cure="The partner puts terms."
        )
    same_cohort = [one["_id"] for one in records.find("studies", {"cohort": study["cohort"]})]
    # Entries that the platform itself failed, or that ended on public cases, used nothing up.
    ended = ["FAILED", "CANCELLED"]
    used = {"study": {"$in": same_cohort}, "state": {"$nin": ended}}
    looked = {"study": {"$in": same_cohort}, "looked": True, "state": {"$in": ended}}
    count = len(records.find("entries", used)) + len(records.find("entries", looked))
    Terms.from_dict(cohort["terms"]).check(task=task, evaluations=count, now=utc_now())
    return Update("cohorts", cohort["_id"], expect={"rev": cohort["rev"]})
