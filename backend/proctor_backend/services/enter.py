"""A vendor enters a model: open, upload in parts, close, look, cancel."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.entry import manifest_problems, state_shown
from proctor_backend.domain.errors import InvalidInputError, NotFoundError, StateConflictError
from proctor_backend.domain.exposure import CANCELLED_BITS, LookKind, look
from proctor_backend.domain.ids import new_id, utc_now
from proctor_backend.domain.keys import image_key
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.people import VENDOR_ROLES, Actor, Role
from proctor_backend.domain.states import EntryState, EvaluationState, StudyState
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Change, Doc, Insert, Move, Records, Update
from proctor_backend.services.terms import allowed
from proctor_sdk.manifest import Manifest, ManifestError, parse_manifest
from proctor_sdk.reasons import ReasonCode

BUCKET = "quarantine"
PART_SIZE = 16 * 2**20
LARGEST_IMAGE = 64 * 2**30
RACES = 20
CODE_WORDS = (
    "amber", "birch", "cedar", "cobalt", "coral", "delta", "ember", "fern", "flint", "garnet",
    "hazel", "heron", "indigo", "iris", "jade", "juniper", "kestrel", "larch", "linden", "maple",
    "merlin", "ochre", "olive", "onyx", "opal", "pearl", "plover", "quartz", "raven", "russet",
    "sable", "saffron", "sage", "sienna", "slate", "sorrel", "teal", "thistle", "topaz", "umber",
    "violet", "willow", "wren",
)  # fmt: skip


def open_entry(
    records: Records,
    store: ObjectStore,
    actor: Actor,
    *,
    study: str,
    manifest_text: str,
    image: Mapping[str, Any],
) -> Doc:
    """Open an entry and its upload; return {entry, upload: {part_size, parts}}.

    Raises:
        InvalidInputError: the manifest is wrong or does not fit the protocol.
        StateConflictError: the study is not locked.
        TermsRefusedError: the data partner's terms allow no further evaluation.
    """
    actor.require(Role.VENDOR_DEVELOPER, study)
    record = own_study(records, actor, study)
    manifest = _read_manifest(manifest_text)
    protocol = records.find("protocols", {"study": study, "version": record["protocol_version"]})[0]
    if problems := manifest_problems(manifest.as_dict(), protocol["protocol"]):
        raise InvalidInputError(
            "The manifest does not fit the study's protocol.",
            cure="Mend each place that is named, then submit again.",
            problems=problems,
        )
    task = manifest.as_dict()["task"]["kind"]
    allowed(records, record, task)
    size = int(image["sealed_size"])
    if not 0 < size <= LARGEST_IMAGE:
        raise InvalidInputError(
            "The image is empty or larger than 64 GiB.", cure="Make it smaller."
        )
    slot_s = float(protocol["protocol"]["status_slot_s"])
    doc = _new_entry(records, actor, record, manifest, manifest_text, image, slot_s)
    doc["upload"] = store.begin_multipart(BUCKET, image_key(doc["_id"]))
    _record_opened(records, actor, record, doc, task)
    parts = -(-size // doc["image"]["part_size"])
    return {
        "entry": doc["_id"],
        "upload": {"part_size": doc["image"]["part_size"], "parts": parts},
    }


def presign_parts(
    records: Records, store: ObjectStore, actor: Actor, entry: str, numbers: Sequence[int]
) -> dict[int, str]:
    """Return number → URL for parts that are still to be sent."""
    doc = _own_open_entry(records, actor, entry)
    count = -(-doc["image"]["sealed_size"] // doc["image"]["part_size"])
    if wrong := [number for number in numbers if not 1 <= number <= count]:
        raise InvalidInputError(
            f"There is no part {wrong[0]}.", cure=f"Parts go from 1 to {count}."
        )
    key = image_key(entry)
    return {n: store.presign_part(BUCKET, key, doc["upload"], n) for n in numbers}


def stored_parts(records: Records, store: ObjectStore, actor: Actor, entry: str) -> Doc:
    """Return {restarted, parts: {number: etag}}; an upload that the store lost begins anew."""
    doc = _own_open_entry(records, actor, entry)
    try:
        return {
            "restarted": False,
            "parts": store.stored_parts(BUCKET, image_key(entry), doc["upload"]),
        }
    except NotFoundError:
        upload = store.begin_multipart(BUCKET, image_key(entry))
        records.commit(
            Update("entries", entry, {"upload": upload}, expect={"upload": doc["upload"]}),
            event=Event(kind="entry.upload_restarted", chain=entry, actor=actor.person),
        )
        return {"restarted": True, "parts": {}}


def close_upload(
    records: Records,
    store: ObjectStore,
    actor: Actor,
    entry: str,
    *,
    parts: Sequence[Mapping[str, Any]],
    sealed_sha256: str,
) -> None:
    """Join the parts and hand the entry to screening.

    Raises:
        InvalidInputError: a part is missing or is not the one that was sent.
    """
    doc = _own_open_entry(records, actor, entry)
    key = image_key(entry)
    arrived = store.stored_parts(BUCKET, key, doc["upload"])
    listed = sorted((int(part["number"]), str(part["etag"])) for part in parts)
    count = -(-doc["image"]["sealed_size"] // doc["image"]["part_size"])
    missing = [
        number for number, etag in listed if arrived.get(number, "").strip('"') != etag.strip('"')
    ]
    if missing or [number for number, _ in listed] != list(range(1, count + 1)):
        raise InvalidInputError(
            "Not every part of the image arrived as it was sent.",
            cure="Run the same submit command again: it sends what is missing.",
            problems=[{"field": f"parts.{n}", "what": "missing or different"} for n in missing],
        )
    store.complete_multipart(BUCKET, key, doc["upload"], listed)
    hashes = {str(part["number"]): part["sha256"] for part in parts}
    records.commit(
        Move(
            "entries",
            entry,
            EntryState.UPLOADED,
            {"image.sealed_sha256": sealed_sha256, "image.parts_sha256": hashes},
        ),
        event=Event(
            kind="entry.uploaded",
            chain=entry,
            actor=actor.person,
            public={"sealed_sha256": sealed_sha256},
        ),
        messages=[Message(Task.SCREEN, entry)],
    )


def cancel(records: Records, actor: Actor, entry: str) -> None:
    """End an entry at the vendor's wish; a run in progress stops at its next heartbeat.

    A wish that comes too late is answered alike, or it told when a hidden run had ended: the
    entry's state says it at the end of the slot. That a hidden run was still going is a look.
    """
    for _ in range(RACES):
        doc = _own_entry(records, actor, entry)
        running = {"entry": entry, "state": str(EvaluationState.RUNNING)}
        ended = [
            Move("evaluations", one["_id"], EvaluationState.FAILED)
            for one in records.find("evaluations", running)
        ]
        looked = doc["state"] == EntryState.CONFORMANT
        taken_back = {"reason_code": str(ReasonCode.CANCELLED), "looked": looked}
        try:
            records.commit(
                Move("entries", entry, EntryState.CANCELLED, taken_back, {"rev": doc["rev"]}),
                *ended,
                *([_cancelled_look(records, doc)] if looked else []),
                event=Event(kind="entry.cancelled", chain=entry, actor=actor.person),
            )
        except StateConflictError:
            if records.get("entries", entry)["rev"] == doc["rev"]:
                return  # too late
        else:
            return


def _cancelled_look(records: Records, entry: Mapping[str, Any]) -> Change:
    cohort = records.get("cohorts", records.get("studies", entry["study"])["cohort"])
    what, kind = "cancelled during the hidden run", LookKind.CANCELLED
    row = look(kind=kind, entry=entry, cohort=cohort, bits=CANCELLED_BITS, what=what)
    return Insert("exposure_ledger", row)


def list_entries(records: Records, actor: Actor, study: str | None = None) -> list[Doc]:
    """Return the entries this actor may see, each as its role sees it."""
    query: Doc = {"study": study} if study else {}
    found = []
    for doc in records.find("entries", query, sort=[("created_at", -1)]):
        try:
            found.append(project(records, actor, doc))
        except NotFoundError:
            continue
    return found


def entry_view(records: Records, actor: Actor, entry: str) -> Doc:
    """Return one entry as the actor's role sees it."""
    return project(records, actor, records.get("entries", entry))


def project(records: Records, actor: Actor, doc: Mapping[str, Any]) -> Doc:
    """Return a role's view of an entry.

    Raises:
        NotFoundError: this actor may not know of it.
    """
    study = doc["study"]
    if actor.org == doc["org"] and actor.holds_any(*VENDOR_ROLES, study=study):
        return _vendor_view(doc)
    staff = (Role.STUDY_OFFICE, Role.OPERATOR, Role.STATISTICIAN, Role.REVIEWER, Role.RELEASER)
    partner = actor.holds(Role.DATA_PARTNER, study) and _lends(records, actor, study)
    if not (partner or actor.holds_any(*staff, study=study)):
        raise NotFoundError(f"There is no entry {doc['_id']!r}.")
    view: Doc = {
        "id": doc["_id"],
        "study": study,
        "code_name": doc["code_name"],
        "state": doc["state"],
        "created_at": doc["created_at"],
        "history": doc.get("history", []),
        "report": doc.get("report"),
    }
    if doc["state"] == EntryState.FAILED and not actor.holds(Role.REVIEWER, study):
        view["failure"] = doc.get("failure")
    if partner or actor.holds(Role.STUDY_OFFICE, study):
        view["vendor"] = records.get("organisations", doc["org"])["name"]
    return view


def conformance_view(records: Records, actor: Actor, entry: str) -> Doc:
    """Return the vendor's view of the run on public cases: outcome, reason, log."""
    doc = _own_entry(records, actor, entry)
    found: Doc = dict(doc.get("conformance") or {})
    return {
        "state": found.get("state", "not run yet"),
        "reason_code": found.get("reason_code"),
        "detail": found.get("detail"),
        "summary": found.get("summary"),
        "log": found.get("log", ""),
    }


def own_study(records: Records, actor: Actor, study: str) -> Doc:
    """Return a locked study of which the actor's organisation is the vendor."""
    record = records.get("studies", study)
    if record["vendor_org"] != actor.org:
        raise NotFoundError(f"There is no study {study!r}.")
    if record["state"] != StudyState.LOCKED:
        raise StateConflictError(
            f"The study is {record['state']}; entries are taken while it is LOCKED.",
            cure="Wait until the statistician, the vendor and the data partner have signed.",
        )
    return record


def _vendor_view(doc: Mapping[str, Any]) -> Doc:
    now = utc_now()
    shown = state_shown(doc.get("history", ()), now, doc["status_slot_s"])
    view: Doc = {
        "id": doc["_id"],
        "study": doc["study"],
        "model": doc["model_name"],
        "version": doc["version"],
        "state": shown,
        "status_slot_s": doc["status_slot_s"],
        "reason_code": None,
        "report": doc.get("report") if shown in {"decided", "released"} else None,
    }
    if shown in {"failed", "cancelled"}:
        code = ReasonCode(doc.get("reason_code") or ReasonCode.PLATFORM_ERROR)
        view |= {"reason_code": str(code), "reason": code.sentence, "cure": code.cure}
    return view


def _read_manifest(text: str) -> Manifest:
    try:
        return parse_manifest(text)
    except ManifestError as error:
        raise InvalidInputError(
            error.message, cure=error.cure, problems=[_as_problem(p) for p in error.problems]
        ) from error


def _as_problem(problem: Any) -> Doc:
    if isinstance(problem, Mapping):
        return dict(problem)
    return {name: getattr(problem, name, None) for name in ("line", "field", "what", "cure")}


def _new_entry(
    records: Records,
    actor: Actor,
    study: Mapping[str, Any],
    manifest: Manifest,
    text: str,
    image: Mapping[str, Any],
    slot_s: float,
) -> Doc:
    document = manifest.as_dict()
    model = document["model"]
    known = records.find("models", {"org": actor.org, "name": model["name"]})
    entry, now = new_id("ent"), utc_now()
    return {
        "_id": entry,
        "org": actor.org,
        "study": study["_id"],
        "model": known[0]["_id"] if known else new_id("mdl"),
        "lineage": known[0]["lineage"] if known else new_id("mdl"),
        "model_name": model["name"],
        "version": model["version"],
        "code_name": f"{secrets.choice(CODE_WORDS)}-{secrets.choice(CODE_WORDS)}",
        "manifest_text": text,
        "manifest": document,
        "manifest_digest": manifest.digest,
        "protocol_digest": study["protocol_digest"],
        "protocol_version": study["protocol_version"],
        "status_slot_s": slot_s,
        "image": {
            "config_digest": image["config_digest"],
            "sealed_size": int(image["sealed_size"]),
            "part_size": int(image.get("part_size") or PART_SIZE),
        },
        "state": str(EntryState.OPEN),
        "history": [{"state": str(EntryState.OPEN), "at": now}],
        "submitted_by": actor.person,
    }


def _record_opened(
    records: Records, actor: Actor, study: Mapping[str, Any], doc: Doc, task: str
) -> None:
    opened = Event(
        kind="entry.opened",
        chain=doc["_id"],
        actor=actor.person,
        public={
            "study": study["_id"],
            "protocol_digest": study["protocol_digest"],
            "manifest_digest": doc["manifest_digest"],
            "config_digest": doc["image"]["config_digest"],
        },
        private={"org": actor.org},
    )
    for _ in range(RACES):
        place, changes = allowed(records, study, task), _model_changes(records, doc)
        try:
            records.commit(place, *changes, Insert("entries", doc), event=opened)
        except StateConflictError:
            continue  # another entry took a place meanwhile
        return
    raise StateConflictError("Too many entries are opened at once.", cure="Submit again.")


def _model_changes(records: Records, entry: Mapping[str, Any]) -> list[Change]:
    if records.find("models", {"_id": entry["model"]}):
        return []
    model = {
        "_id": entry["model"],
        "org": entry["org"],
        "name": entry["model_name"],
        "lineage": entry["lineage"],
    }
    return [Insert("models", model)]


def _own_entry(records: Records, actor: Actor, entry: str) -> Doc:
    doc = records.get("entries", entry)
    if doc["org"] != actor.org:
        raise NotFoundError(f"There is no entry {entry!r}.")
    actor.require_any(*VENDOR_ROLES, study=doc["study"])
    return doc


def _own_open_entry(records: Records, actor: Actor, entry: str) -> Doc:
    doc = _own_entry(records, actor, entry)
    if doc["state"] != EntryState.OPEN:
        # One sentence for both, or it told that a hidden run had ended.
        raise StateConflictError(
            "The entry has its image already, or is over.", cure="See `proctor status`."
        )
    return doc


def _lends(records: Records, actor: Actor, study: str) -> bool:
    cohort = records.get("studies", study)["cohort"]
    return bool(records.get("cohorts", cohort)["org"] == actor.org)
