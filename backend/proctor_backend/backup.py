"""Backup and restore of one home: every record, every object, every key, in one checked archive.

The archive holds private keys; it is written for its owner only. Credentials are not in it: the
home it is restored into makes its own. The records are read at one point in time and the objects
after them, so that no record misses its object.
"""

import hashlib
import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import bson
from pymongo import MongoClient
from pymongo.database import Database

from proctor_backend.access import BUCKETS, COLLECTIONS
from proctor_backend.domain.errors import InvalidInputError, PlatformError, TamperedError
from proctor_backend.domain.ids import utc_now
from proctor_backend.local import LocalStack
from proctor_backend.local.credentials import ADMIN, DATABASE, make_secrets, mongo_url
from proctor_backend.local.layout import Home, read_json, write_private
from proctor_backend.local.state import running

FORMAT = 1
DIGESTS = "digests.json"
PLACES = re.compile(r"(mongo/[a-z_.]+\.bson|keys/[a-z0-9./]+|settings\.json|s3/[a-z]+/.+)")
BATCH = 500
Doc = dict[str, Any]


def backup(home: Home, target: Path) -> dict[str, int]:
    """Write the archive and return what is in it.

    Raises:
        PlatformError: there is nothing to keep.
    """
    if not home.secrets.exists():
        raise PlatformError(f"There is no stack in {home.root}.")
    counts = {"records": 0, "objects": 0, "keys": 0}
    write_private(target, b"")
    with target.open("wb") as raw, tarfile.open(fileobj=raw, mode="w|") as tar:
        digests: dict[str, str] = {}
        with _database(home) as database:
            for name, content, count in _dumps(database):
                digests[name] = _add(tar, name, io.BytesIO(content), len(content))
                counts["records"] += count
        for kind, folder, prefix in (("objects", home.buckets, "s3"), ("keys", home.keys, "keys")):
            for path in _files(folder):
                name = f"{prefix}/{path.relative_to(folder).as_posix()}"
                with path.open("rb") as file:
                    digests[name] = _add(tar, name, file, path.stat().st_size)
                counts[kind] += 1
        if home.settings.exists():
            content = home.settings.read_bytes()
            digests[home.settings.name] = _add(
                tar, home.settings.name, io.BytesIO(content), len(content)
            )
        head = {"format": FORMAT, "created_at": utc_now(), "sha256": digests}
        content = json.dumps(head, sort_keys=True).encode()
        _add(tar, DIGESTS, io.BytesIO(content), len(content))
    return counts


def restore(home: Home, source: Path) -> dict[str, int]:
    """Bring an archive back into an empty home and return what came back.

    Raises:
        InvalidInputError: the home is not empty, or the file is no backup.
        TamperedError: a part of the archive is not what was written.
    """
    if home.secrets.exists():
        raise InvalidInputError(
            f"{home.root} is not empty.", cure="Name another folder with --home."
        )
    _check(source)
    home.make()
    dumps = home.root / "restoring"
    try:
        counts = _unpack(source, home, dumps)
        stack = LocalStack(home.root, ["mongo"])
        with stack:
            database = stack.admin_records().db
            counts["records"] = sum(_load(database, path) for path in sorted(dumps.iterdir()))
            database.client.close()
    finally:
        shutil.rmtree(dumps, ignore_errors=True)
    return counts


@contextmanager
def _database(home: Home) -> Iterator[Database[Doc]]:
    """Open the running database as its owner, or start it for the while."""
    stack = None if running(home) else LocalStack(home.root, ["mongo"]).up()
    url = mongo_url(make_secrets(home), ADMIN, f"127.0.0.1:{read_json(home.ports)['mongo']}")
    client: MongoClient[Doc] = MongoClient(url, serverSelectionTimeoutMS=10_000, tz_aware=True)
    try:
        yield client[DATABASE]
    finally:
        client.close()
        if stack is not None:
            stack.down()


def _dumps(database: Database[Doc]) -> Iterator[tuple[str, bytes, int]]:
    with database.client.start_session(snapshot=True) as session:
        for name in COLLECTIONS:
            docs = [bson.encode(doc) for doc in database[name].find({}, session=session)]
            yield f"mongo/{name}.bson", b"".join(docs), len(docs)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(".rclone_temp_"):
            yield path


class _Hashed(io.RawIOBase):
    """A stream that is hashed while it is read."""

    def __init__(self, inner: IO[bytes]) -> None:
        """Read from `inner`."""
        self._inner = inner
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        found = self._inner.read(size)
        self.sha256.update(found)
        return found


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> str:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    hashed = _Hashed(content)
    tar.addfile(member, hashed)
    return hashed.sha256.hexdigest()


def _members(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the plain files of an archive under the only names that a backup has."""
    try:
        with tarfile.open(source, mode="r|") as tar:
            for member in tar:
                file = tar.extractfile(member)
                parts = PurePosixPath(member.name).parts
                known = member.name == DIGESTS or PLACES.fullmatch(member.name)
                if file is None or not member.isreg() or ".." in parts or not known:
                    raise TamperedError(f"The archive holds {member.name!r}, which no backup does.")
                yield member.name, file
    except tarfile.TarError as error:
        raise InvalidInputError(f"{source} is no backup.") from error


def _check(source: Path) -> None:
    """Compare every digest before anything is written."""
    found: dict[str, str] = {}
    head: Doc = {}
    for name, file in _members(source):
        if name == DIGESTS:
            head = json.load(file)
        else:
            found[name] = _digest(file)
    if head.get("format") != FORMAT:
        raise InvalidInputError(f"{source} is no complete backup of format {FORMAT}.")
    wrong = sorted(n for n in {*found, *head["sha256"]} if found.get(n) != head["sha256"].get(n))
    if wrong:
        raise TamperedError(
            f"{len(wrong)} parts of the archive are not what was written, first {wrong[0]}.",
            cure="Take another backup.",
        )


def _digest(file: IO[bytes]) -> str:
    sha256 = hashlib.sha256()
    while block := file.read(1 << 20):
        sha256.update(block)
    return sha256.hexdigest()


def _unpack(source: Path, home: Home, dumps: Path) -> dict[str, int]:
    counts = {"records": 0, "objects": 0, "keys": 0}
    dumps.mkdir(mode=0o700)
    for name, file in _members(source):
        kind, _, rest = name.partition("/")
        match kind:
            case "mongo":
                target = dumps / rest
            case "keys":
                target = home.keys / rest
                counts["keys"] += 1
            case "s3":
                target = home.buckets / rest
                counts["objects"] += 1
            case _:
                target = home.root / name
        if name != DIGESTS:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with target.open("wb") as sink:
                target.chmod(0o600)
                shutil.copyfileobj(file, sink)
    for bucket in BUCKETS:
        (home.buckets / bucket).mkdir(exist_ok=True, mode=0o700)
    return counts


def _load(database: Database[Doc], path: Path) -> int:
    """Fill a collection; a new home's own rows (migrations) give way to the archive's."""
    collection = database[path.name.removesuffix(".bson")]
    collection.delete_many({})
    batch: list[Doc] = []
    count = 0
    with path.open("rb") as file:
        for doc in bson.decode_file_iter(file):
            batch.append(doc)
            count += 1
            if len(batch) == BATCH:
                collection.insert_many(batch)
                batch = []
    if batch:
        collection.insert_many(batch)
    return count
