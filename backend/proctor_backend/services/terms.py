"""A data partner's terms: set by it, and asked whether they allow one more entry.

They are asked when an entry is opened, and again before its first hidden case is staged: in between
the terms may have changed, run out, or been used up by others. Two entries never take one place.
"""

from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.cohort import CountScope, Scope, Terms, terms_of
from proctor_backend.domain.errors import (
    InvalidInputError,
    StateConflictError,
    TermsRefusedError,
)
from proctor_backend.domain.ids import parse_utc, utc_now
from proctor_backend.domain.people import Actor, OrganisationKind
from proctor_backend.domain.states import CohortState, EntryState
from proctor_backend.records import Change, Doc, Records, Update
from proctor_backend.services.cohort_view import own, project
from proctor_backend.services.protocols import schema
from proctor_backend.services.versions import of_lineage

_ENDED = (EntryState.FAILED, EntryState.CANCELLED)
# Before its image has arrived an entry holds no place: one left open would hold it for ever.
_WITHOUT_PLACE = (*_ENDED, EntryState.OPEN)
_BEFORE_STAGING = (*_WITHOUT_PLACE, EntryState.UPLOADED, EntryState.SCREENED)


def put(
    records: Records,
    actor: Actor,
    cohort_id: str,
    *,
    terms: Mapping[str, Any],
    scope: Scope | None = None,
) -> Doc:
    """Set and accept the terms on behalf of the data partner.

    `scope` names one study or one vendor's organisation, whose terms then override the cohort's.

    Raises:
        InvalidInputError: the terms contradict themselves or have run out, or are for nobody.
    """
    cohort = own(records, actor, cohort_id)
    if cohort["state"] == CohortState.WITHDRAWN:
        raise StateConflictError("The cohort is withdrawn.", cure="Open a new cohort.")
    checked = _checked(terms)
    person = records.get("persons", actor.person)
    accepted = {"person": actor.person, "person_name": person["name"], "at": utc_now()}
    document = checked.as_dict() | {"accepted": accepted}
    fields: Doc = {"terms": document}
    if scope is not None:
        _check_scope(records, cohort, scope)
        others = [one for one in cohort.get("scoped_terms", ()) if one["scope"] != scope]
        fields = {"scoped_terms": [*others, {"scope": scope} | document]}
    records.commit(
        Update("cohorts", cohort_id, fields, expect={"rev": cohort["rev"]}),
        event=Event(
            kind="cohort.terms_accepted",
            chain="platform",
            actor=actor.person,
            public={"cohort": cohort_id},
            private={"terms": document, "scope": scope},
        ),
    )
    return project(records, actor, records.get("cohorts", cohort_id))


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
    terms = terms_of(cohort, study)
    if not terms:
        raise TermsRefusedError(
            "The data partner has set no terms for this cohort.", cure="The partner puts terms."
        )
    several = _governed_alike(records, cohort, terms)
    # Entries that the platform itself failed, or that ended on public cases, used nothing up.
    used = {"study": {"$in": several}, "state": {"$nin": [str(state) for state in without]}}
    looked = {
        "study": {"$in": several},
        "looked": True,
        "state": {"$in": [str(state) for state in _ENDED]},
    }
    count = len(records.find("entries", used)) + len(records.find("entries", looked))
    Terms.from_dict(terms).check(task=task, evaluations=count, now=utc_now())
    return Update("cohorts", cohort["_id"], expect={"rev": cohort["rev"]})


def _governed_alike(
    records: Records, cohort: Mapping[str, Any], terms: Mapping[str, Any]
) -> list[str]:
    """Return the studies whose entries these terms count, on every version of the cohort.

    The versions are of the same patients: a new one does not give new places.
    """
    several = [one["_id"] for one in of_lineage(records, cohort["lineage"])]
    return [
        study["_id"]
        for study in records.find("studies", {"cohort": {"$in": several}})
        if (terms_of(cohort, study) or {}).get("scope") == terms.get("scope")
    ]


def _check_scope(records: Records, cohort: Mapping[str, Any], scope: Scope) -> None:
    several = [one["_id"] for one in of_lineage(records, cohort["lineage"])]
    if "study" in scope:
        known = bool(
            records.find("studies", {"_id": scope["study"], "cohort": {"$in": several}}, limit=1)
        )
    else:
        vendor = {"_id": scope["vendor_org"], "kind": OrganisationKind.VENDOR.value}
        known = bool(records.find("organisations", vendor, limit=1))
    if not known:
        raise InvalidInputError(
            "These terms are for nobody that is known.",
            cure="Name a study on this cohort, or a vendor's organisation.",
        )


def _checked(document: Mapping[str, Any]) -> Terms:
    tasks = schema()["properties"]["task"]["enum"]
    unknown = sorted(set(document["allowed_tasks"]) - set(tasks))
    if unknown:
        raise InvalidInputError(
            f"There is no task '{unknown[0]}'.", cure="Choose from: " + ", ".join(tasks) + "."
        )
    try:
        parse_utc(document["expires_at"])
        CountScope(document.get("applies_to", CountScope.ATTRIBUTE_COUNTS))
    except ValueError as error:
        raise InvalidInputError(
            "expires_at is no date, or applies_to no choice.", cure="Write a date like 2027-12-31."
        ) from error
    terms = Terms.from_dict(document)
    if terms.expired(utc_now()):
        raise InvalidInputError("These terms have expired already.", cure="Choose a later date.")
    return terms
