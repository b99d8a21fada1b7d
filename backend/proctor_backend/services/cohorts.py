"""A cohort's life on the partner's side: files by content address, closing, withdrawal."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.cohort import Visibility
from proctor_backend.domain.errors import InvalidInputError, NotFoundError, StateConflictError
from proctor_backend.domain.ids import new_id, utc_now
from proctor_backend.domain.keys import upload_key
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.people import Actor, Role
from proctor_backend.domain.states import CohortState
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Doc, Insert, Move, Records
from proctor_backend.services import people
from proctor_backend.services.cohort_view import own, project

BUCKET = "quarantine"
LARGEST_FILE = 5 * 2**30
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OWNERS = (Role.DATA_PARTNER, Role.STUDY_OFFICE)


def create(
    records: Records,
    actor: Actor,
    *,
    name: str,
    visibility: str,
    description: Mapping[str, Any],
) -> str:
    """Open a cohort for upload and return its id.

    A hidden cohort belongs to a data partner; a public one may be the study office's.
    """
    seen = Visibility(visibility)
    if seen is Visibility.HIDDEN:
        actor.require(Role.DATA_PARTNER)
    else:
        actor.require_any(*_OWNERS)
    cohort_id = new_id("coh")
    cohort: Doc = {
        "_id": cohort_id,
        "lineage": cohort_id,
        "previous": None,
        "org": actor.org,
        "state": CohortState.OPEN.value,
        "history": [],
        "name": name,
        "version": 1,
        "visibility": seen.value,
        "description": dict(description),
        "index": None,
        "root": None,
        "terms": None,
        "scoped_terms": [],
        "problems": [],
        "findings": [],
        "overrides": [],
        "tombstones": [],
    }
    records.commit(
        Insert("cohorts", cohort),
        event=_event("cohort.opened", actor, cohort_id, {"visibility": seen.value}),
    )
    return cohort_id


def presign_uploads(
    records: Records,
    store: ObjectStore,
    actor: Actor,
    cohort_id: str,
    *,
    files: Sequence[Mapping[str, Any]],
) -> list[Doc]:
    """Return {sha256, url} for those files that have not arrived yet, each by its digest."""
    lineage = _own_open(records, actor, cohort_id)["lineage"]
    missing = []
    for file in {one["sha256"]: one for one in files}.values():
        _check_file(file)
        key = upload_key(lineage, file["sha256"])
        if store.size(BUCKET, key) != file["size"]:
            url = store.presign_put(BUCKET, key)
            missing.append({"sha256": file["sha256"], "url": url})
    return missing


def close(
    records: Records,
    store: ObjectStore,
    actor: Actor,
    cohort_id: str,
    *,
    table: Mapping[str, Any] | None = None,
    files: Sequence[Mapping[str, Any]] = (),
    index_sha256: str | None = None,
    without: Sequence[str] = (),
) -> None:
    """End the upload and hand the cohort to ingest, which checks every digest.

    The index is the table and the list of files: given here, or uploaded as JSON if it is long. A
    further version may instead be the one before it `without` some cases, by pseudonym or name.

    Raises:
        InvalidInputError: the table or the index is missing or malformed.
    """
    cohort = _own_open(records, actor, cohort_id)
    if [table is not None, index_sha256 is not None, bool(without)].count(True) != 1:
        raise InvalidInputError(
            "A cohort is closed with a table and its files, with an index, or without some cases.",
            cure="Give table and files, or index_sha256 alone, or without alone.",
        )
    index: Doc = {"without": list(without)} if without else {"index_sha256": index_sha256}
    if without and cohort["previous"] is None:
        raise InvalidInputError(
            "The first version of a cohort has none before it.", cure="Give a table of cases."
        )
    if table is not None:
        _check_file(table)
        _check_paths(files)
        index = {
            "table": {name: table[name] for name in ("sha256", "size", "format")},
            "files": [{name: one[name] for name in ("path", "sha256", "size")} for one in files],
        }
    named = index_sha256 or (table or {}).get("sha256")
    if named and not store.exists(BUCKET, upload_key(cohort["lineage"], named)):
        raise InvalidInputError(
            "The table of cases, or the index, has not arrived.",
            cure="Ask for upload URLs again and send what is missing.",
        )
    # Who sent the plan answers for the overrides that it names.
    closed_by = {
        "person": actor.person,
        "person_name": records.get("persons", actor.person)["name"],
        "at": utc_now(),
    }
    records.commit(
        Move("cohorts", cohort_id, CohortState.UPLOADED, {"index": index, "closed_by": closed_by}),
        event=_event("cohort.uploaded", actor, cohort_id, {"index_sha256": named}),
        messages=[Message(Task.INGEST, cohort_id)],
    )


def withdraw(records: Records, actor: Actor, cohort_id: str, *, reason: str, password: str) -> Doc:
    """Take a cohort back: nothing is examined on it any more; signed results stay."""
    own(records, actor, cohort_id)
    people.reauthenticate(records, actor.person, password)
    records.commit(
        Move("cohorts", cohort_id, CohortState.WITHDRAWN, {"withdrawal": reason}),
        event=_event("cohort.withdrawn", actor, cohort_id, {"reason": reason}),
    )
    return show(records, actor, cohort_id)


def show(records: Records, actor: Actor, cohort_id: str) -> Doc:
    """Return a cohort as this actor's role sees it.

    Raises:
        NotFoundError: there is none, or the actor may not know of it.
    """
    return project(records, actor, records.get("cohorts", cohort_id))


def list_cohorts(records: Records, actor: Actor) -> list[Doc]:
    """Return the cohorts that this actor may know of, newest first."""
    found = []
    for cohort in records.find("cohorts", {}, sort=[("created_at", -1)]):
        try:
            found.append(project(records, actor, cohort))
        except NotFoundError:
            continue
    return found


def _own_open(records: Records, actor: Actor, cohort_id: str) -> Doc:
    cohort = own(records, actor, cohort_id)
    if cohort["state"] != CohortState.OPEN:
        raise StateConflictError(
            f"The cohort is {cohort['state']}; its files can no longer change.",
            cure="Open a new cohort for other files.",
        )
    return cohort


def _check_file(file: Mapping[str, Any]) -> None:
    if not _SHA256.fullmatch(file["sha256"]):
        raise InvalidInputError(
            "A SHA-256 digest has 64 lower-case hexadecimal digits.", cure="Hash the file again."
        )
    if not 0 < file["size"] <= LARGEST_FILE:
        raise InvalidInputError("A file is empty or larger than 5 GB.", cure="Leave it out.")


def _check_paths(files: Sequence[Mapping[str, Any]]) -> None:
    seen: set[str] = set()
    for file in files:
        _check_file(file)
        path = PurePosixPath(file["path"])
        if path.is_absolute() or ".." in path.parts or "\\" in file["path"] or str(path) in seen:
            raise InvalidInputError(
                "A file's path is absolute, leads outside, or is listed twice.",
                cure="Name each file once, relative to the cohort's folder.",
            )
        seen.add(str(path))


def _event(
    kind: str, actor: Actor, cohort_id: str, public: Doc, private: Doc | None = None
) -> Event:
    return Event(
        kind=kind,
        chain="platform",
        actor=actor.person,
        public={"cohort": cohort_id} | public,
        private=private or {},
    )
