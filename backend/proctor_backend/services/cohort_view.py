"""Which cohorts an actor may know of, and what of one each role is shown."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.cohort import Visibility
from proctor_backend.domain.errors import NotFoundError
from proctor_backend.domain.people import Actor, Role
from proctor_backend.records import Doc, Records

STAFF = (Role.STATISTICIAN, Role.REVIEWER, Role.RELEASER)
# Who tells a count tells something of the patients, so the terms decide.
COUNTS = ("cases", "patients", "sites")
OWNERS_LISTS = ("problems", "findings", "overrides", "confounders", "tombstones")


def is_owner(actor: Actor, cohort: Mapping[str, Any]) -> bool:
    """Say whether the actor acts for the organisation that owns the cohort."""
    roles = [Role.DATA_PARTNER]
    if cohort["visibility"] == Visibility.PUBLIC:
        roles.append(Role.STUDY_OFFICE)
    return actor.org == cohort["org"] and actor.holds_any(*roles)


def own(records: Records, actor: Actor, cohort_id: str) -> Doc:
    """Return a cohort's record to its owner.

    Raises:
        NotFoundError: there is none, or it is another's.
    """
    cohort = records.get("cohorts", cohort_id)
    if not is_owner(actor, cohort):
        raise NotFoundError(f"There is no cohort {cohort_id!r}.")
    return cohort


def project(records: Records, actor: Actor, cohort: Mapping[str, Any]) -> Doc:
    """Return what this actor's role sees of a cohort.

    Raises:
        NotFoundError: the actor may not know of it.
    """
    owner = is_owner(actor, cohort)
    public = cohort["visibility"] == Visibility.PUBLIC
    if not (owner or public or _concerned(records, actor, cohort)):
        raise NotFoundError(f"There is no cohort {cohort['_id']!r}.")
    fields = ["name", "version", "lineage", "previous", "visibility", "state", "root", "created_at"]
    if owner or public or actor.holds(Role.STUDY_OFFICE):
        fields.append("description")
    view: Doc = {"id": cohort["_id"]} | {name: cohort.get(name) for name in fields}
    terms = cohort.get("terms")
    if owner or public or (terms and terms.get("counts_visible")):
        view |= {name: cohort[name] for name in COUNTS if name in cohort}
    if owner:
        view["counts"] = cohort.get("counts")
        view |= {name: cohort.get(name) or [] for name in OWNERS_LISTS}
        view |= {name: cohort.get(name) for name in ("deidentified", "left_out", "withdrawal")}
    if owner or actor.holds(Role.STUDY_OFFICE):
        view |= {"terms": terms, "scoped_terms": cohort.get("scoped_terms") or []}
    return view


def _concerned(records: Records, actor: Actor, cohort: Mapping[str, Any]) -> bool:
    if actor.holds_any(Role.STUDY_OFFICE, *STAFF):
        return True
    studies = records.find("studies", {"cohort": cohort["_id"]})
    return any(actor.holds_any(*STAFF, study=study["_id"]) for study in studies)
