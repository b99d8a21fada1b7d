"""What a page says after a form was taken; addresses carry a key, never a text."""

NOTICES = {
    "signed": "Your signature is recorded.",
    "locked": "All three parties have signed. The study is locked.",
    "results-signed": "You signed the results. The releaser may now join the vendor's name.",
    "category": "The error category is saved.",
    "unmasked": "The vendor's name and text are joined to the signed results.",
    "cleared": "The edition may leave.",
    "released": "The report is released. It is rendered and signed now; this page follows.",
    "annex": "Your text is kept. Reviewers see it only after they have signed the results.",
    "cancelled": "Noted. An entry that was not over yet ends now; its state will say so.",
    "overridden": "The finding is overridden; the report prints your reason.",
    "cohort-ready": "Nothing holds the cohort back any more: it is ready.",
    "patient-withdrawal": "The patient is being withdrawn. This page says how far it has come.",
    "queried": "Your question is sent to the data partner.",
    "answered": "Your answer is recorded. A change comes as a new version of the cohort.",
    "signed-out": "You are signed out.",
}


def text(key: str | None) -> str:
    """Return the notice of a key, empty for one that is none of ours."""
    return NOTICES.get(key or "", "")
