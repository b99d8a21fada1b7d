"""MongoDB: reads, and the one way to write.

`Records.commit` changes records, links an audit event and files the messages that follow, all in
one transaction: either everything happened or nothing. Which step is allowed is decided by the
state tables in `domain.states`.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import gridfs
from pymongo import ASCENDING, MongoClient, ReadPreference
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError, ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from proctor_backend.access import COLLECTIONS
from proctor_backend.domain.audit import Event, Head, link
from proctor_backend.domain.errors import (
    DataError,
    InvalidInputError,
    NotFoundError,
    PlatformError,
    StateConflictError,
)
from proctor_backend.domain.ids import utc_in, utc_now
from proctor_backend.domain.messages import Message
from proctor_backend.domain.states import State, sources

Doc = dict[str, Any]
SCHEMA = 1

INDEXES: dict[str, list[tuple[list[tuple[str, int]], dict[str, Any]]]] = {
    "persons": [([("email", ASCENDING)], {"unique": True})],
    "bindings": [([("person", ASCENDING)], {})],
    "tokens": [([("secret_sha256", ASCENDING)], {"unique": True})],
    "entries": [([("study", ASCENDING)], {}), ([("org", ASCENDING)], {})],
    "evaluations": [([("entry", ASCENDING)], {})],
    "shards": [([("evaluation", ASCENDING)], {}), ([("state", ASCENDING)], {})],
    "reports": [([("study", ASCENDING)], {}), ([("entry", ASCENDING)], {})],
    "reviews": [([("report", ASCENDING), ("case", ASCENDING)], {"unique": True})],
    "protocols": [([("study", ASCENDING), ("version", ASCENDING)], {"unique": True})],
    "audit_events": [([("chain", ASCENDING), ("seq", ASCENDING)], {"unique": True})],
    "outbox": [([("created_at", ASCENDING)], {})],
    "exposure_ledger": [([("cohort", ASCENDING)], {}), ([("entry", ASCENDING)], {})],
    "released_cells": [([("cohort", ASCENDING)], {})],
}


@dataclass(frozen=True, slots=True)
class Insert:
    """A new record."""

    collection: str
    doc: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """A state change, allowed only from the states that the table names."""

    collection: str
    id: str
    to: State
    set: Mapping[str, Any] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Update:
    """A change that leaves the state alone; `expect` must still hold when it is written."""

    collection: str
    id: str
    set: Mapping[str, Any] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)
    inc: Mapping[str, int] = field(default_factory=dict)
    push: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delete:
    """A record that goes for good (sessions, tokens, spent tickets; never a result)."""

    collection: str
    id: str


Change = Insert | Move | Update | Delete


class Records:
    """The system of record over one MongoDB database."""

    def __init__(self, db: Database[Doc]) -> None:
        """Work on `db`, whose server must be a replica set member (transactions)."""
        self.db = db
        self._files = gridfs.GridFSBucket(db)

    @classmethod
    def connect(cls, url: str, name: str) -> "Records":
        """Open a connection that gives up after ten seconds rather than hang."""
        client: MongoClient[Doc] = MongoClient(
            url, serverSelectionTimeoutMS=10_000, connectTimeoutMS=5_000, tz_aware=True
        )
        return cls(client[name])

    def get(self, collection: str, record_id: str) -> Doc:
        """Return one record.

        Raises:
            NotFoundError: there is none with this id.
        """
        doc = self.db[collection].find_one({"_id": record_id})
        if doc is None:
            raise NotFoundError(f"There is no {_noun(collection)} {record_id!r}.")
        return doc

    def find(
        self,
        collection: str,
        query: Mapping[str, Any],
        *,
        sort: Sequence[tuple[str, int]] | None = None,
        limit: int = 0,
    ) -> list[Doc]:
        """Return the records that match, oldest first unless `sort` says otherwise."""
        order = list(sort) if sort else [("created_at", ASCENDING), ("_id", ASCENDING)]
        return list(self.db[collection].find(dict(query)).sort(order).limit(limit))

    def iterate(self, collection: str, query: Mapping[str, Any], sort: str) -> Iterator[Doc]:
        """Yield the records that match, in the order of one field, without holding them all."""
        yield from self.db[collection].find(dict(query)).sort(sort, ASCENDING)

    def commit(self, *changes: Change, event: Event, messages: Sequence[Message] = ()) -> None:
        """Write the changes, the event and the messages, or none of them.

        Raises:
            StateConflictError: a record was not in a state (or not as expected) for its change.
            NotFoundError: a record to be changed does not exist.
            InvalidInputError: an inserted record exists already.
        """
        now = utc_now()

        def write(session: ClientSession) -> None:
            for change in changes:
                _apply(self.db, change, session, now)
            self._link(event, session, now)
            self._file(event, messages, session, now)

        self._transact(write)

    def touch(
        self, collection: str, record_id: str, set_: Mapping[str, Any], *, expect: Mapping[str, Any]
    ) -> bool:
        """Write what is no fact but a heartbeat (lease renewals, send marks, last use).

        Returns whether the record was still as expected.
        """
        done = self.db[collection].update_one(
            {"_id": record_id} | dict(expect), {"$set": dict(set_)}
        )
        return done.matched_count == 1

    def wake(self, *messages: Message, after_s: float = 0.0) -> None:
        """File wake-ups again that may have been lost; a second one does no harm.

        They leave when `after_s` is over.
        """
        base = {"schema": SCHEMA, "created_at": utc_now(), "due_at": utc_in(after_s)}
        rows = [_task_row(m) | base for m in messages]
        if rows:
            self.db.outbox.insert_many(rows)

    def _transact(self, write: Callable[[ClientSession], None]) -> None:
        try:
            with self.db.client.start_session() as session:
                session.with_transaction(
                    write,
                    read_concern=ReadConcern("snapshot"),
                    write_concern=WriteConcern("majority"),
                    read_preference=ReadPreference.PRIMARY,
                )
        except DuplicateKeyError as error:
            raise InvalidInputError(
                "A record with these names exists already.",
                cure="Use the existing one, or choose another name.",
            ) from error
        except ServerSelectionTimeoutError as error:
            raise unreachable() from error

    def _link(self, event: Event, session: ClientSession, now: str) -> None:
        heads = self.db.audit_chains
        found = heads.find_one({"_id": event.chain}, session=session)
        head = (
            Head(event.chain, found["seq"], found["digest"]) if found else Head.empty(event.chain)
        )
        record = link(event, head, now)
        after = {"seq": record["seq"], "digest": record["digest"], "updated_at": now}
        if found:
            heads.update_one({"_id": event.chain}, {"$set": after}, session=session)
        else:
            heads.insert_one({"_id": event.chain, "schema": SCHEMA} | after, session=session)
        self.db.audit_events.insert_one(
            {"_id": f"{event.chain}:{record['seq']:012d}", "schema": SCHEMA} | record,
            session=session,
        )

    def _file(
        self, event: Event, messages: Sequence[Message], session: ClientSession, now: str
    ) -> None:
        rows: list[Doc] = [
            {
                "kind": "event",
                "routing_key": event.kind,
                "body": {"kind": event.kind, "subject": event.chain, "at": now}
                | {"public": dict(event.public)},
            }
        ]
        rows += [_task_row(message) for message in messages]
        base = {"schema": SCHEMA, "created_at": now}
        self.db.outbox.insert_many([row | base for row in rows], session=session)

    def put_file(self, name: str, content: bytes) -> None:
        """Keep a file under a name, once; the same name with the same bytes is not kept twice."""
        if not self.has_file(name):
            self._files.upload_from_stream(name, io.BytesIO(content))

    def replace_file(self, name: str, content: bytes) -> None:
        """Keep a file under a name, instead of what an interrupted try left there."""
        self.remove_file(name)
        self._files.upload_from_stream(name, io.BytesIO(content))

    def remove_file(self, name: str) -> None:
        """Forget the file of a name, if there is one."""
        for old in self.db["fs.files"].find({"filename": name}, {"_id": 1}):
            self._files.delete(old["_id"])

    def forget_private(self, field: str, values: Sequence[str]) -> int:
        """Erase the private bodies of events in which `field` is one of the values; count them.

        A body goes together with the key of its commitment: the chain stays whole (domain/audit).
        """
        gone = {"private": None, "private_key": None}
        query = {f"private.{field}": {"$in": list(values)}}
        return int(self.db["audit_events"].update_many(query, {"$set": gone}).modified_count)

    def files_named(self, prefix: str) -> list[str]:
        """Return the names that start with `prefix`, in order."""
        query = {"filename": {"$regex": f"^{re.escape(prefix)}"}}
        return sorted(doc["filename"] for doc in self.db["fs.files"].find(query, {"filename": 1}))

    def get_file(self, name: str, *, digest: str | None = None) -> bytes:
        """Return the bytes kept under a name, checked against their SHA-256 if given.

        Raises:
            NotFoundError: nothing is kept under this name.
            DataError: the bytes are not those of the digest.
        """
        sink = io.BytesIO()
        try:
            self._files.download_to_stream_by_name(name, sink)
        except gridfs.NoFile as error:
            raise NotFoundError(f"There is no file {name!r}.") from error
        content = sink.getvalue()
        known = hashlib.sha256(content).hexdigest()
        if digest is not None and digest.removeprefix("sha256:") != known:
            raise DataError("A stored file does not match its digest.", cure="Restore it.")
        return content

    def has_file(self, name: str) -> bool:
        """Tell whether something is kept under this name."""
        return self.db["fs.files"].find_one({"filename": name}, {"_id": 1}) is not None

    def prepare(self) -> None:
        """Create every collection and index that is missing (needs the owner's credentials)."""
        existing = set(self.db.list_collection_names())
        for name in COLLECTIONS:
            if name not in existing:
                self.db.create_collection(name)
        for collection, indexes in INDEXES.items():
            for keys, options in indexes:
                self.db[collection].create_index(keys, **options)
        self.db["fs.files"].create_index([("filename", 1), ("uploadDate", 1)])
        self.db["fs.chunks"].create_index([("files_id", 1), ("n", 1)], unique=True)

    def is_alive(self) -> bool:
        """Tell whether the database answers."""
        try:
            self.db.client.admin.command("ping")
        except PyMongoError:
            return False
        return True


def _task_row(message: Message) -> Doc:
    return {
        "kind": "task",
        "task": str(message.task),
        "subject": message.subject,
        "queue": message.queue,
    }


def unreachable() -> PlatformError:
    """Return the error that says the database is away."""
    return PlatformError(
        "The database does not answer.", cure="Try again in a minute; operators: see the status."
    )


def _apply(db: Database[Doc], change: Change, session: ClientSession, now: str) -> None:
    target = db[change.collection]
    match change:
        case Insert(_, doc):
            base: Doc = {"schema": SCHEMA, "created_at": now, "updated_at": now, "rev": 1}
            target.insert_one(base | dict(doc), session=session)
        case Move(collection, record_id, to, set_, expect):
            query = {"_id": record_id, "state": {"$in": sources(collection, to)}} | dict(expect)
            step = {
                "$set": {"state": str(to), "updated_at": now} | dict(set_),
                "$inc": {"rev": 1},
                "$push": {"history": {"state": str(to), "at": now}},
            }
            if target.update_one(query, step, session=session).matched_count == 0:
                raise _conflict(db, collection, record_id, f"become {to}", session)
        case Update(collection, record_id, set_, expect, inc, push):
            step = {"$set": {"updated_at": now} | dict(set_), "$inc": {"rev": 1} | dict(inc)}
            if push:
                step["$push"] = dict(push)
            query = {"_id": record_id} | dict(expect)
            if target.update_one(query, step, session=session).matched_count == 0:
                raise _conflict(db, collection, record_id, "be changed so", session)
        case Delete(_, record_id):
            target.delete_one({"_id": record_id}, session=session)


def _conflict(
    db: Database[Doc], collection: str, record_id: str, wish: str, session: ClientSession
) -> NotFoundError | StateConflictError:
    found = db[collection].find_one({"_id": record_id}, {"state": 1}, session=session)
    if found is None:
        return NotFoundError(f"There is no {_noun(collection)} {record_id!r}.")
    state = cast("str", found.get("state", "as it is"))
    return StateConflictError(
        f"The {_noun(collection)} is {state}; it cannot {wish}.",
        cure="Reload it: somebody or something else took a step in the meantime.",
    )


def _noun(collection: str) -> str:
    return {"entries": "entry", "studies": "study"}.get(collection, collection.rstrip("s"))
