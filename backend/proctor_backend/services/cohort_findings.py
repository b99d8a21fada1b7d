"""What holds a cohort back: its owner reads the quality report, and overrides findings by name."""

from proctor_backend.domain.audit import Event
from proctor_backend.domain.cohort import blocking
from proctor_backend.domain.errors import NotFoundError, StateConflictError
from proctor_backend.domain.ids import utc_now
from proctor_backend.domain.people import Actor
from proctor_backend.domain.states import CohortState
from proctor_backend.records import Doc, Move, Records, Update
from proctor_backend.services import people
from proctor_backend.services.cohort_view import own, project

QUALITY_FORMS = ("html", "json")


def quality_file(cohort_id: str, form: str) -> str:
    """Return the name under which a cohort's quality report is kept."""
    return f"quality:{cohort_id}:{form}"


def quality(records: Records, actor: Actor, cohort_id: str, form: str) -> bytes:
    """Return a cohort's quality report to its owner, as `html` or `json`.

    Raises:
        NotFoundError: the cohort is another's, or has not been ingested.
    """
    cohort = own(records, actor, cohort_id)
    name = quality_file(cohort_id, form)
    if cohort.get("prepared"):
        raise NotFoundError(
            "The quality report of a prepared cohort lies on the machine that prepared it.",
            cure="Open quality.html in the folder that the plan calls out.",
        )
    if form not in QUALITY_FORMS or not records.has_file(name):
        raise NotFoundError(
            "There is no quality report of this cohort.",
            cure="It is written when the cohort is ingested.",
        )
    return records.get_file(name)


def override(
    records: Records, actor: Actor, cohort_id: str, *, finding: str, reason: str, password: str
) -> Doc:
    """Accept a finding that holds a cohort back; the report prints the reason.

    With the last one accepted the cohort becomes READY in the same commit.

    Raises:
        StateConflictError: the cohort is not held back, or not by this finding.
        NotSignedInError: the password is wrong.
    """
    cohort = own(records, actor, cohort_id)
    people.reauthenticate(records, actor.person, password)
    held_by = {one["key"] for one in blocking(cohort["findings"], cohort["overrides"])}
    if cohort["state"] != CohortState.HELD or finding not in held_by:
        raise StateConflictError(
            "This finding does not hold the cohort back.",
            cure="Name a finding of severity error that is not overridden yet.",
        )
    accepted = {
        "finding": finding,
        "reason": reason,
        "person": actor.person,
        "person_name": records.get("persons", actor.person)["name"],
        "at": utc_now(),
    }
    overrides = [*cohort["overrides"], accepted]
    left = len(held_by) - 1
    fields, expect = {"overrides": overrides}, {"rev": cohort["rev"]}
    event = Event(
        kind="cohort.finding_overridden",
        chain="platform",
        actor=actor.person,
        public={"cohort": cohort_id, "finding": finding, "left": left},
        private={"reason": reason},
    )
    change: Move | Update = Update("cohorts", cohort_id, fields, expect)
    if left == 0:
        change = Move("cohorts", cohort_id, CohortState.READY, fields, expect)
    records.commit(change, event=event)
    return project(records, actor, records.get("cohorts", cohort_id))
