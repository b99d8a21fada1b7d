"""Where original files lie: folders, S3 prefixes, or a platform's quarantine.

A source is a plain value that another process can be given; it opens its connections there.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from proctor_backend.domain.errors import DataError, InvalidInputError, NotFoundError, PlatformError
from proctor_backend.domain.keys import upload_key
from proctor_backend.objects import ObjectStore
from proctor_backend.settings import Settings
from proctor_sdk.canonical import sha256_hex


class Source(Protocol):
    """Files by name; `stamp` changes whenever a file's bytes may have changed."""

    def stamps(self) -> Mapping[str, str]:
        """Return the stamp of every file, by name."""
        ...

    def fetch(self, name: str, folder: Path) -> Path:
        """Return a local path with the file's bytes, written into `folder` if need be."""
        ...


@dataclass(frozen=True)
class FolderSource:
    """All regular files below a folder; links are not followed."""

    root: Path

    def stamps(self) -> Mapping[str, str]:
        """Walk the folder."""
        if not self.root.is_dir():
            raise InvalidInputError(
                f"There is no folder {self.root}.", cure="Correct the plan's sources."
            )
        return dict(_walk(self.root, ""))

    def fetch(self, name: str, folder: Path) -> Path:  # noqa: ARG002 - files lie here already
        """Return where the file lies."""
        return self.root / name


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            found = entry.stat(follow_symlinks=False)
            yield f"{prefix}{entry.name}", f"{found.st_size}:{found.st_mtime_ns}"


@dataclass(frozen=True)
class S3Source:
    """All objects below a prefix; credentials come from boto3's own chain, never from the plan."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None

    def stamps(self) -> Mapping[str, str]:
        """List the prefix."""
        client = _client(self.endpoint, self.region)
        found = {}
        try:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    name = entry["Key"].removeprefix(self.prefix)
                    if name and not name.endswith("/"):
                        found[name] = f"{entry['Size']}:{entry.get('ETag', '')}"
        except (ClientError, BotoCoreError) as exc:
            raise InvalidInputError(
                f"The bucket {self.bucket} cannot be listed: {type(exc).__name__}.",
                cure="Look at the endpoint, and at the credentials in the environment.",
            ) from exc
        return found

    def fetch(self, name: str, folder: Path) -> Path:
        """Download the object."""
        path = folder / _flat(name)
        try:
            _client(self.endpoint, self.region).download_file(
                self.bucket, self.prefix + name, str(path)
            )
        except (ClientError, BotoCoreError) as exc:
            raise PlatformError(
                "A source object could not be read.", cure="Run the ingest again: it resumes."
            ) from exc
        return path


@cache
def _client(endpoint: str | None, region: str | None) -> Any:
    more = Config(
        s3={"addressing_style": "path"} if endpoint else {},
        retries={"max_attempts": 6, "mode": "standard"},
    )
    return boto3.client("s3", endpoint_url=endpoint, region_name=region, config=more)


@dataclass(frozen=True)
class QuarantineSource:
    """What a partner uploaded: names with the digests that they announced."""

    settings: Settings
    cohort: str
    digests: Mapping[str, str]

    def stamps(self) -> Mapping[str, str]:
        """Return the digests."""
        return self.digests

    def fetch(self, name: str, folder: Path) -> Path:
        """Download the file and check its digest."""
        path = folder / _flat(name)
        digest = self.digests[name]
        try:
            content = opened_store(self.settings).get(
                "quarantine", upload_key(self.cohort, digest), sha256=digest
            )
        except NotFoundError as exc:
            raise DataError("A file of the upload is not in quarantine.") from exc
        path.write_bytes(content)
        return path


@dataclass(frozen=True)
class SeveralSources:
    """The files of several sources under one set of names."""

    sources: Sequence[Source]

    def stamps(self) -> Mapping[str, str]:
        """Return every file's stamp."""
        return {name: stamp for name, (_, stamp) in self._places.items()}

    def fetch(self, name: str, folder: Path) -> Path:
        """Fetch from the source that has the name."""
        return self.sources[self._places[name][0]].fetch(name, folder)

    @cached_property
    def _places(self) -> dict[str, tuple[int, str]]:
        places: dict[str, tuple[int, str]] = {}
        for number, source in enumerate(self.sources):
            for name, stamp in source.stamps().items():
                if name in places:
                    raise InvalidInputError(
                        f"Two sources have a file {name!r}.",
                        cure="Name their common parent as the one source.",
                    )
                places[name] = (number, stamp)
        return places


@dataclass(frozen=True)
class NoSource:
    """Of a cohort that is a table and nothing else."""

    names: Mapping[str, str] = field(default_factory=dict)

    def stamps(self) -> Mapping[str, str]:
        """Return nothing."""
        return self.names

    def fetch(self, name: str, folder: Path) -> Path:  # noqa: ARG002 - there is none
        """Refuse."""
        raise NotFoundError("This cohort has no files.")


@cache
def opened_store(settings: Settings) -> ObjectStore:
    """Return this process's connection to the object store."""
    return ObjectStore.connect(settings)


def _flat(name: str) -> str:
    """Return one path part for a name with folders, another for each; it keeps the ending."""
    return sha256_hex(name.encode("utf-8", "surrogatepass"))[:32] + name.rpartition("/")[2][-40:]
