"""An exam written straight into the record: what the steps before it leave behind."""

import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.evaluation import SHARD_CASES, new_evaluation
from proctor_backend.domain.ids import new_id
from proctor_backend.domain.keys import image_key
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Doc, Insert, Records
from proctor_backend.services.study_lock import current_lock
from proctor_sdk.encrypt import seal

DIGEST = "sha256:" + "ab" * 32
MANIFEST: dict[str, Any] = {
    "task": {"kind": "binary_classification", "positive": "ill", "negative": "well"},
    "operating_points": [{"id": "main", "threshold": 0.5, "comparator": ">="}],
    "inputs": {"kind": "table", "attributes": ["x"]},
    "resources": {"memory_mb": 64},
}


@dataclass(frozen=True)
class Exam:
    """The ids of one entry's evaluation."""

    entry: str
    evaluation: str
    shards: Sequence[str]
    cohort: str


def make_exam(
    records: Records, *, shards: int = 1, kind: str = "hidden", given: Doc | None = None
) -> Exam:
    """Write a locked study, its cohort (unless one is given), an entry, its running evaluation."""
    org, study, cohort = new_id("org"), new_id("stu"), given or _cohort(shards)
    protocol = {"study": study, "version": 1, "protocol": {"input_profile": {}, "limits": {}}}
    entry = _entry(org, study, "CONFORMANT" if kind == "hidden" else "SCREENED")
    evaluation, made = new_evaluation(
        entry=entry, cohort=cohort, protocol=protocol["protocol"], kind=kind
    )
    assert len(made) == shards
    records.commit(
        Insert("studies", _study(org, study, cohort["_id"])),
        Insert("protocols", {"_id": new_id("pro"), "org": org} | protocol),
        *(() if given else (Insert("cohorts", cohort),)),
        Insert("entries", entry),
        Insert("evaluations", evaluation),
        *(Insert("shards", shard) for shard in made),
        event=Event(kind="exam.made", chain=entry["_id"], actor="test"),
    )
    locked = current_lock(records, records.get("studies", study))
    records.touch("studies", study, {"lock_digest": locked.digest}, expect={})
    records.db.outbox.delete_many({})
    ids = [str(shard["_id"]) for shard in made]
    return Exam(entry["_id"], evaluation["_id"], ids, cohort["_id"])


def seal_image(store: ObjectStore, exam: Exam, public_key: bytes) -> None:
    """Leave a sealed image where a vendor's upload does."""
    plain = b"an image"
    sealed = b"".join(seal(io.BytesIO(plain), len(plain), public_key))
    store.put("quarantine", image_key(exam.entry), sealed)


def tasks_waiting(records: Records) -> list[tuple[str, str]]:
    """Return (task, subject) of the wake-ups in the outbox, oldest first."""
    return [(row["task"], row["subject"]) for row in records.find("outbox", {"kind": "task"})]


def _cohort(shards: int) -> Doc:
    numbers = itertools.islice(itertools.count(), shards)
    blocks = [
        {"block": f"b{n}", "cases": SHARD_CASES, "bytes": 1, "sha256": "cd" * 32} for n in numbers
    ]
    cohort = new_id("coh")
    base = {"_id": cohort, "lineage": cohort, "org": new_id("org"), "visibility": "hidden"}
    base |= {"state": "READY", "version": 1, "previous": None}
    terms = {
        "allowed_tasks": ["binary_classification"],
        "max_evaluations": 9,
        "expires_at": "2099-01-01",
        "agreement": "For this test.",
        "contact": "partner@example.org",
    }
    digests = {"root": "ef" * 32, "reference_sha256": "cd" * 32}
    return base | digests | {"blocks": blocks, "terms": terms}


def _study(org: str, study: str, cohort: str) -> Doc:
    base = {"_id": study, "org": org, "state": "LOCKED", "protocol_digest": DIGEST}
    vendor = {"vendor_org": org, "vendor_salt": "salt", "plugin_digest": None}
    return base | vendor | {"cohort": cohort, "conformance_cohort": cohort, "protocol_version": 1}


def _entry(org: str, study: str, state: str) -> Doc:
    return {
        "_id": new_id("ent"),
        "org": org,
        "study": study,
        "lineage": new_id("mdl"),
        "manifest": MANIFEST,
        "manifest_digest": DIGEST,
        "protocol_digest": DIGEST,
        "protocol_version": 1,
        "image": {"config_digest": DIGEST, "sealed_size": 1, "sealed_sha256": "ab" * 32},
        "state": state,
        "history": [],
    }
