"""Questions on the reference standard: a masked reviewer asks, the data partner answers.

Nothing is changed by an answer: a change is a new version of the cohort. Questions on cases that
the device judged as the reference says count apart, because mending a reference standard where the
device differs, and only there, favours the device. The vendor never learns of any of it.
"""

import json
from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import InvalidInputError, NotFoundError, StateConflictError
from proctor_backend.domain.ids import new_id, utc_now
from proctor_backend.domain.people import Actor, Role
from proctor_backend.domain.review import QueryAnswer
from proctor_backend.domain.states import QueryState, ReportState
from proctor_backend.records import Doc, Insert, Move, Records
from proctor_backend.services.cohort_view import is_owner
from proctor_backend.services.review import concordant_cases, error_cases, reviewable
from proctor_backend.services.versions import comparison_file

_SHOWN = ("report", "case", "question", "concordant", "state", "answer", "text", "created_at")


def ask(records: Records, actor: Actor, report_id: str, *, case: str, question: str) -> str:
    """Question the reference value of a case; return the query's id.

    Raises:
        StateConflictError: the results are signed, or the case is questioned already.
        NotFoundError: the report is not this actor's to review, or has no such case to look at.
    """
    report = reviewable(records, actor, report_id)
    actor.require(Role.REVIEWER, report["study"])
    if report["state"] != ReportState.DRAFT:
        raise StateConflictError("The results are signed; the reference standard stands.")
    wrong = {one["case"] for one in error_cases(records, report)}
    right = {one["case"] for one in concordant_cases(records, report)}
    if case not in wrong | right:
        raise NotFoundError(f"There is no such case in report {report_id!r}.")
    if records.find("queries", {"report": report_id, "case": case}, limit=1):
        raise StateConflictError(
            "This case's reference value is questioned already.", cure="Wait for the answer."
        )
    cohort = records.get("cohorts", report["cohort"])
    query: Doc = {
        "_id": new_id("qry"),
        "org": cohort["org"],
        "report": report_id,
        "entry": report["entry"],
        "cohort": cohort["_id"],
        "lineage": cohort["lineage"],
        "case": case,
        "question": question,
        "concordant": case not in wrong,
        "person": actor.person,
        "answer": None,
        "text": "",
        "state": QueryState.OPEN.value,
        "history": [{"state": QueryState.OPEN.value, "at": utc_now()}],
    }
    records.commit(
        Insert("queries", query),
        event=Event(
            kind="reference.queried",
            chain=report["entry"],
            actor=actor.person,
            public={"report": report_id, "query": query["_id"]},
            private={"case": case, "question": question},
        ),
    )
    return str(query["_id"])


def of_report(records: Records, actor: Actor, report_id: str) -> list[Doc]:
    """Return a report's queries to its reviewers and to the data partner."""
    reviewable(records, actor, report_id)
    return [_view(one) for one in records.find("queries", {"report": report_id})]


def of_partner(records: Records, actor: Actor) -> list[Doc]:
    """Return the queries on the cohorts of the actor's organisation, unanswered ones first."""
    found = [
        _view(query) | {"cohort": query["cohort"]}
        for query in records.find("queries", {"org": actor.org})
        if is_owner(actor, records.get("cohorts", query["cohort"]))
    ]
    return sorted(found, key=lambda one: one["state"] != QueryState.OPEN)


def answer(records: Records, actor: Actor, query_id: str, *, verdict: str, text: str) -> Doc:
    """Say that a reference value stands, or that a new version will change it.

    Raises:
        NotFoundError: it is no question to this actor's organisation.
        StateConflictError: it is answered already.
    """
    found = records.find("queries", {"_id": query_id}, limit=1)
    if not found or not is_owner(actor, records.get("cohorts", found[0]["cohort"])):
        raise NotFoundError(f"There is no query {query_id!r}.")
    try:
        said = QueryAnswer(verdict)
    except ValueError as error:
        raise InvalidInputError(
            f"There is no answer {verdict!r}.", cure=f"Answer {' or '.join(QueryAnswer)}."
        ) from error
    fields = {"answer": said.value, "text": text, "answered_by": actor.person}
    records.commit(
        Move("queries", query_id, QueryState.ANSWERED, fields),
        event=Event(
            kind="reference.query_answered",
            chain=found[0]["entry"],
            actor=actor.person,
            public={"report": found[0]["report"], "query": query_id, "answer": said.value},
            private={"case": found[0]["case"], "text": text},
        ),
    )
    return _view(records.get("queries", query_id))


def summary(records: Records, report_id: str) -> Doc:
    """Count a report's queries, as its full edition prints them."""
    found = records.find("queries", {"report": report_id})
    answers = [one["answer"] for one in found]
    return {
        "asked": len(found),
        "stands": answers.count(QueryAnswer.STANDS),
        "will_change": answers.count(QueryAnswer.WILL_CHANGE),
        "open": answers.count(None),
        "concordant": sum(1 for one in found if one["concordant"]),
    }


def reference_changes(records: Records, cohort: Mapping[str, Any]) -> Doc | None:
    """Count the reference values that this version changed, and those questioned as errors.

    None where the version changed none. Are both counts equal, the reference standard was mended
    in cases only where a device differed from it.
    """
    name = comparison_file(cohort["_id"], cohort.get("previous") or "")
    if not cohort.get("previous") or not records.has_file(name):
        return None
    found = json.loads(records.get_file(name))
    changed = set(found["cases"]["reference"])
    if not changed:
        return None
    asked = {"lineage": cohort["lineage"], "concordant": False, "case": {"$in": sorted(changed)}}
    wrong = {one["case"] for one in records.find("queries", asked)}
    return {"changed": found["counts"]["reference"], "questioned_as_errors": len(wrong)}


def _view(query: Mapping[str, Any]) -> Doc:
    return {"id": query["_id"]} | {name: query[name] for name in _SHOWN}
