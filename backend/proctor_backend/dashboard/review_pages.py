"""The wrongly judged cases: the list, one case with its image from the viewer, and its category."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from proctor_backend.dashboard.visit import Form, Posting, Reading
from proctor_backend.domain.errors import NotFoundError
from proctor_backend.domain.people import Role
from proctor_backend.domain.review import ErrorCategory
from proctor_backend.records import Doc
from proctor_backend.services import queries, review, studies

router = APIRouter(prefix="/reports/{report_id}")
PAGE = 50
OUTCOME_WORDS = {
    "false_positive": "False positives",
    "false_negative": "False negatives",
    "event_at_low_risk": "Early events at low risk",
    "survival_at_high_risk": "No event at high risk",
    "least_agreement": "Least agreement",
    "wrong_category": "Another category called",
    "missed_lesion": "Missed lesions",
    "false_mark": "False marks only",
    "large_error": "Large errors",
    review.CONCORDANT: "Judged as the reference says (a sample)",
}
CATEGORY_WORDS = {
    ErrorCategory.IMAGE_QUALITY: "Poor image or input quality",
    ErrorCategory.SUBTLE_FINDING: "Subtle finding",
    ErrorCategory.ATYPICAL_APPEARANCE: "Atypical appearance",
    ErrorCategory.CONFOUNDING_FINDING: "Another finding confounds",
    ErrorCategory.ACQUISITION: "Acquisition or positioning",
    ErrorCategory.REFERENCE_DOUBTFUL: "Reference standard doubtful",
    ErrorCategory.NEAR_THRESHOLD: "Score close to the threshold",
    ErrorCategory.OTHER: "Other (say what in the note)",
    ErrorCategory.UNEXPLAINED: "No explanation found",
}


@router.get("/errors")
def errors_page(
    visit: Reading,
    report_id: str,
    outcome: str = "false_positive",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """Show the cases of one outcome, a page at a time."""
    report = review.report_view(visit.records, visit.actor, report_id)
    found = {one: _cases(visit, report_id, one) for one in OUTCOME_WORDS}
    cases = found.get(outcome) or []
    if outcome not in found:
        raise NotFoundError("There is no such list of cases.", cure="Go back to the report.")
    return visit.page(
        "errors.html",
        "reports",
        report=report,
        tab="errors",
        reads_body=True,
        reviewer=visit.actor.holds(Role.REVIEWER, report["study"]),
        outcome=outcome,
        outcomes=[(name, words, len(found[name])) for name, words in OUTCOME_WORDS.items()],
        cases=cases[(page - 1) * PAGE : page * PAGE],
        first=(page - 1) * PAGE + 1,
        total=len(cases),
        categorised=sum(1 for case in cases if case["category"]),
        page=page,
        pages=max(1, -(-len(cases) // PAGE)),
        categories=CATEGORY_WORDS,
    )


@router.get("/cases/{case}")
def case_page(visit: Reading, report_id: str, case: str, outcome: str) -> Response:
    """Show one case; opening it is a view, which the viewer records."""
    report = review.report_view(visit.records, visit.actor, report_id)
    cases = _cases(visit, report_id, outcome)
    names = [one["case"] for one in cases]
    if case not in names:
        raise NotFoundError("There is no such case in this list.", cure="Go back to the list.")
    at = names.index(case)
    ticket = review.open_view(visit.records, visit.actor, report_id, case)
    return visit.page(
        "case.html",
        "reports",
        report=report,
        tab="errors",
        reads_body=True,
        reviewer=True,
        case=cases[at],
        outcome=outcome,
        outcome_words=OUTCOME_WORDS[outcome],
        number=at + 1,
        total=len(cases),
        previous=names[at - 1] if at else None,
        following=names[at + 1] if at + 1 < len(names) else None,
        source=f"{visit.desk.settings.viewer_url.rstrip('/')}/view/{ticket}",
        table=_input_kind(visit, report) == "table",
        categories=CATEGORY_WORDS,
        open_for_review=report["state"] == "DRAFT",
        concordant=outcome == review.CONCORDANT,
        query=next(
            (
                one
                for one in queries.of_report(visit.records, visit.actor, report_id)
                if one["case"] == case
            ),
            None,
        ),
    )


@router.post("/cases/{case}/query")
def ask(visit: Posting, report_id: str, case: str, form: Form) -> Response:
    """Question the case's reference value."""
    question = form.get("question", "")
    queries.ask(visit.records, visit.actor, report_id, case=case, question=question)
    outcome = form.get("outcome", "")
    outcome = outcome if outcome in OUTCOME_WORDS else "false_positive"
    return visit.back(f"/reports/{report_id}/errors?outcome={outcome}&done=queried")


@router.post("/cases/{case}/category")
def categorise(visit: Posting, report_id: str, case: str, form: Form) -> Response:
    """Keep the category and go on to the next case."""
    review.categorise(
        visit.records,
        visit.actor,
        report_id,
        case,
        category=form.get("category", ""),
        note=form.get("note", ""),
    )
    outcome = form.get("outcome", "")
    outcome = outcome if outcome in OUTCOME_WORDS else "false_positive"
    following = form.get("following", "")
    known = {one["case"] for one in review.cases(visit.records, visit.actor, report_id, outcome)}
    if following in known:
        address = f"/reports/{report_id}/cases/{following}?outcome={outcome}&done=category"
    else:
        address = f"/reports/{report_id}/errors?outcome={outcome}&done=category"
    return visit.back(address)


def _cases(visit: Reading, report_id: str, outcome: str) -> list[Doc]:
    """Return the cases of an outcome, the most confidently wrong ones first."""
    cases = review.cases(visit.records, visit.actor, report_id, outcome)
    sign = -1 if outcome == "false_positive" else 1
    return sorted(cases, key=lambda case: (sign * (case["score"] or 0.0), case["case"]))


def _input_kind(visit: Reading, report: Doc) -> str:
    study = studies.show(visit.records, visit.actor, report["study"])
    return str(study["protocol"]["document"]["input_profile"]["kind"])
