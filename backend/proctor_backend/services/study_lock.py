"""What a study's lock would cover at this moment, read from the records."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.cohort import forms_named, kinds_that_fit
from proctor_backend.domain.errors import StateConflictError
from proctor_backend.domain.states import CohortState
from proctor_backend.domain.study import Lock, vendor_commitment
from proctor_backend.records import Doc, Records


def staged(records: Records, study_id: str) -> bool:
    """Say whether a hidden case of the study has been staged: an exam has begun."""
    return bool(records.find("evaluations", {"study": study_id, "kind": "hidden"}, limit=1))


def current_protocol(records: Records, study: Mapping[str, Any]) -> Doc:
    """Return the record of the protocol version that stands now."""
    query = {"study": study["_id"], "version": study["protocol_version"]}
    return records.find("protocols", query, limit=1)[0]


def current_lock(records: Records, study: Mapping[str, Any]) -> Lock:
    """Return what is to be signed now.

    Raises:
        StateConflictError: a part is not there yet.
    """
    if study["vendor_org"] is None:
        raise StateConflictError(
            "The study has no vendor yet.", cure="The study office sets the vendor."
        )
    profile = current_protocol(records, study)["protocol"]["input_profile"]
    hidden, public = (
        _as_ingested(records, study[name], profile) for name in ("cohort", "conformance_cohort")
    )
    return Lock(
        study=study["_id"],
        protocol_digest=study["protocol_digest"],
        cohort_root=hidden["root"],
        reference_sha256=hidden["reference_sha256"],
        conformance_root=public["root"],
        vendor_commitment=vendor_commitment(study["vendor_salt"], study["vendor_org"]),
        plugin_digest=study["plugin_digest"],
    )


def _as_ingested(records: Records, cohort_id: str, profile: Mapping[str, Any]) -> Doc:
    cohort = records.get("cohorts", cohort_id)
    if cohort["state"] != CohortState.READY:
        raise StateConflictError(
            f"The {cohort['visibility']} cohort is {cohort['state']}, not READY.",
            cure="Close its upload and wait for the ingest, or name another cohort.",
        )
    kept = cohort.get("headers") or ()
    if beyond := sorted(set(kept) - set(profile.get("headers", ()))):
        raise StateConflictError(
            f"The {cohort['visibility']} cohort's images carry {', '.join(beyond)}, which the "
            "protocol does not grant.",
            cure="Name it in input_profile.headers, or ingest the cohort without it.",
        )
    _check_kind(cohort, profile)
    return cohort


def _check_kind(cohort: Doc, profile: Mapping[str, Any]) -> None:
    """Raise if what the cohort's cases consist of is not what the protocol says."""
    kind, forms = profile.get("kind"), cohort.get("forms")
    if kind is None or forms is None or kind in (fitting := kinds_that_fit(forms)):
        return
    other = "Ingest the cohort in a form of that kind."
    if fitting:
        other = f"Write input_profile.kind: {' or '.join(fitting)}, or ingest the cohort anew."
    raise StateConflictError(
        f"The {cohort['visibility']} cohort holds {forms_named(forms)}, and the protocol is about "
        f"cases of kind '{kind}'.",
        cure=other,
    )
