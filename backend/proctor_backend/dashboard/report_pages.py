"""A report's pages: the verdict, the draft, the evidence, and its way to release."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from proctor_backend.dashboard.draft import Draft, read_draft
from proctor_backend.dashboard.visit import Form, Posting, Reading
from proctor_backend.domain.errors import NotFoundError, StateConflictError
from proctor_backend.domain.people import Role
from proctor_backend.domain.review import EDITIONS, RESULTS_MEANING
from proctor_backend.records import Doc
from proctor_backend.reporting.annex import SLOTS
from proctor_backend.services import release, review

router = APIRouter(prefix="/reports")
STEPS = (
    ("DRAFTING", "Drafted"),
    ("DRAFT", "Reviewed"),
    ("REVIEWED", "Unmasked"),
    ("UNMASKED", "Cleared"),
    ("CLEARED", "Rendered"),
    ("RENDERED", "Signed"),
    ("RELEASED", "Released"),
)
EDITION_WORDS = {
    "full": "For the data partner and the reviewers: everything, with the evidence.",
    "submission": "For the vendor's regulatory affairs: exact counts, as the terms allow.",
    "public": "For everybody: small groups withheld.",
}


@router.get("")
def reports_page(visit: Reading) -> Response:
    """Show the reports this person may know of."""
    found = review.list_reports(visit.records, visit.actor)
    return visit.page("reports.html", "reports", reports=found)


@router.get("/{report_id}")
def report_page(visit: Reading, report_id: str) -> Response:
    """Show the verdict, the groups, and the step that this person may take."""
    report = review.report_view(visit.records, visit.actor, report_id)
    return _page(visit, "report.html", report, "result", draft=_draft(visit, report))


@router.get("/{report_id}/draft")
def draft_page(visit: Reading, report_id: str) -> Response:
    """Show the sections of the draft."""
    report = review.report_view(visit.records, visit.actor, report_id)
    return _page(visit, "report_draft.html", report, "draft", draft=_readable(visit, report))


@router.get("/{report_id}/evidence")
def evidence_page(visit: Reading, report_id: str) -> Response:
    """Show every result by its id, with the digests it can be recomputed from."""
    report = review.report_view(visit.records, visit.actor, report_id)
    return _page(visit, "report_evidence.html", report, "evidence", draft=_readable(visit, report))


@router.get("/{report_id}/figures/{figure_id}.svg")
def figure(visit: Reading, report_id: str, figure_id: str) -> Response:
    """Draw one of the body's figures."""
    report = review.report_view(visit.records, visit.actor, report_id)
    drawing = _readable(visit, report).drawing(figure_id)
    # A drawing is a document of its own: it styles itself and loads nothing.
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    headers = {"Content-Security-Policy": policy}
    return Response(drawing, media_type="image/svg+xml", headers=headers)


@router.get("/{report_id}/state")
def report_state(visit: Reading, report_id: str) -> Response:
    """Answer the state alone, for pages that follow it."""
    report = review.report_view(visit.records, visit.actor, report_id)
    return JSONResponse({"state": report["state"]})


@router.get("/{report_id}/release")
def release_page(visit: Reading, report_id: str) -> Response:
    """Show who approved what, and the editions."""
    report = review.report_view(visit.records, visit.actor, report_id)
    return _page(visit, "report_release.html", report, "release", draft=None)


@router.post("/{report_id}/sign")
def sign(visit: Posting, report_id: str, form: Form) -> Response:
    """Sign the results that were read: the digest on the form must still be the report's."""
    report = review.report_view(visit.records, visit.actor, report_id)
    if form.get("body_digest") != report.get("body_digest"):
        raise StateConflictError(
            "The draft has changed since you read it.", cure="Read it again, then sign."
        )
    review.sign_results(
        visit.records,
        visit.actor,
        report_id,
        password=form.get("password", ""),
        meaning=form.get("meaning", ""),
    )
    return visit.back(f"/reports/{report_id}", "results-signed")


@router.post("/{report_id}/unmask")
def unmask(visit: Posting, report_id: str, form: Form) -> Response:
    """Join the vendor's name and text."""
    release.unmask(visit.records, visit.actor, report_id, password=form.get("password", ""))
    return visit.back(f"/reports/{report_id}/release", "unmasked")


@router.post("/{report_id}/editions/{edition}/clear")
def clear(visit: Posting, report_id: str, edition: str, form: Form) -> Response:
    """Let an edition leave."""
    release.clear_edition(
        visit.records, visit.actor, report_id, edition, password=form.get("password", "")
    )
    return visit.back(f"/reports/{report_id}/release", "cleared")


@router.post("/{report_id}/release")
def release_report(visit: Posting, report_id: str, form: Form) -> Response:
    """Release the report for rendering and signing."""
    release.release(visit.records, visit.actor, report_id, password=form.get("password", ""))
    return visit.back(f"/reports/{report_id}/release", "released")


@router.post("/{report_id}/annex")
def annex(visit: Posting, report_id: str, form: Form) -> Response:
    """Keep the vendor's own text."""
    texts = {name: form.get(name, "") for name in SLOTS}
    release.put_annex(visit.records, visit.actor, report_id, texts)
    return visit.back(f"/reports/{report_id}/release", "annex")


@router.get("/{report_id}/editions/{edition}")
def download(visit: Reading, report_id: str, edition: str) -> Response:
    """Hand out an edition's signed package."""
    content = release.package(visit.records, visit.actor, report_id, edition)
    disposition = f'attachment; filename="{report_id}-{edition}.zip"'
    return Response(
        content, media_type="application/zip", headers={"Content-Disposition": disposition}
    )


@router.get("/{report_id}/editions/{edition}/preview")
def preview(visit: Reading, report_id: str, edition: str) -> Response:
    """Show the partner what an edition says before it is cleared."""
    report = review.report_view(visit.records, visit.actor, report_id)
    content = release.preview(visit.records, visit.actor, report_id, edition)
    shown = [row.get("result", row) for row in content["results"]]
    more = {"edition": edition, "shown_results": shown, "withheld": len(content["withheld"])}
    return _page(visit, "report_preview.html", report, "release", **more)


def _page(visit: Reading, template: str, report: Doc, tab: str, **more: object) -> Response:
    holds = visit.actor.holds
    study = report["study"]
    return visit.page(
        template,
        "reports",
        report=report,
        tab=tab,
        steps=_steps(report["state"]),
        moving=report["state"] in {"DRAFTING", "CLEARED", "RENDERED"},
        reviewer=holds(Role.REVIEWER, study),
        releaser=holds(Role.RELEASER, study),
        partner=holds(Role.DATA_PARTNER, study),
        vendor=holds(Role.VENDOR_REGULATORY, study),
        reads_body=holds(Role.REVIEWER, study)
        or holds(Role.RELEASER, study)
        or holds(Role.DATA_PARTNER, study),
        editions=EDITIONS,
        edition_words=EDITION_WORDS,
        annex_fields=SLOTS,
        meaning=RESULTS_MEANING,
        **more,
    )


def _draft(visit: Reading, report: Doc) -> Draft | None:
    """Return the draft if it is there and this person reads drafts."""
    try:
        return _readable(visit, report)
    except (NotFoundError, StateConflictError):
        return None


def _readable(visit: Reading, report: Doc) -> Draft:
    return read_draft(review.body(visit.records, visit.actor, report["id"]))


def _steps(present: str) -> list[tuple[str, str, str]]:
    """Return (label, class, words for a screen reader); a step is done once its state is left."""
    names = [name for name, _ in STEPS]
    at = names.index(present) if present in names else 1
    found = []
    for place, (name, label) in enumerate(STEPS):
        done = place < at or name == present == "RELEASED"
        status = ("done", "done") if done else ("now", "now") if place == at else ("", "to come")
        found.append((label, *status))
    return found
