"""Where a cohort is written: the platform's buckets, a folder to be sent later, or nowhere."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from proctor_backend.domain.keys import beside_reference_key, cases_key, file_key
from proctor_backend.settings import Settings
from proctor_workers.hidden_data.blocks import StoredFile
from proctor_workers.hidden_data.ingest.sources import opened_store


class Destination(Protocol):
    """Takes canonical files by digest; writing one twice changes nothing."""

    def put_file(self, block: str, file: StoredFile, path: Path) -> None:
        """Keep one canonical file; `path` may be moved away."""
        ...

    def has_file(self, block: str, file: StoredFile) -> bool:
        """Tell whether the file is here, whole."""
        ...

    def put_cases(self, block: str, document: bytes) -> None:
        """Keep the list of a block's cases."""
        ...

    def put_reference(self, name: str, path: Path) -> None:
        """Keep a table that no runner may read: the reference standard and what lies beside it."""
        ...

    def clear(self) -> None:
        """Remove what was written."""
        ...


@dataclass(frozen=True)
class BucketDestination:
    """The hidden or the public bucket, and the bucket of reference standards.

    Files go by the cohort's lineage, so that its versions share them.
    """

    settings: Settings
    cohort: str
    lineage: str
    bucket: str

    def put_file(self, block: str, file: StoredFile, path: Path) -> None:
        """Store the file under its digest."""
        key = file_key(self.lineage, block, file.sha256)
        with path.open("rb") as content:
            opened_store(self.settings).put(
                self.bucket, key, content if file.size > _WHOLE else content.read()
            )

    def has_file(self, block: str, file: StoredFile) -> bool:
        """Ask the store for the file's size."""
        key = file_key(self.lineage, block, file.sha256)
        return opened_store(self.settings).size(self.bucket, key) == file.size

    def put_cases(self, block: str, document: bytes) -> None:
        """Store the list."""
        opened_store(self.settings).put(self.bucket, cases_key(self.cohort, block), document)

    def put_reference(self, name: str, path: Path) -> None:
        """Store the table beside the reference standard."""
        key = beside_reference_key(self.cohort, name)
        with path.open("rb") as content:
            opened_store(self.settings).put("reference", key, content)

    def clear(self) -> None:
        """Delete every object under this cohort's own name."""
        store = opened_store(self.settings)
        for bucket in (self.bucket, "reference"):
            for key in list(store.list(bucket, f"{self.cohort}/")):
                store.delete(bucket, key)


_WHOLE = 8 << 20  # below it one request; above it the client sends parts


@dataclass(frozen=True)
class FolderDestination:
    """A folder on the partner's machine, laid out to be sent to a platform."""

    root: Path

    def put_file(self, block: str, file: StoredFile, path: Path) -> None:  # noqa: ARG002 - by digest
        """Move the file to its digest."""
        target = self.file_path(file.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        moved = target.with_suffix(f".{os.getpid()}")
        shutil.move(path, moved)
        moved.replace(target)

    def has_file(self, block: str, file: StoredFile) -> bool:  # noqa: ARG002 - by digest
        """Look at its size."""
        target = self.file_path(file.sha256)
        return target.is_file() and target.stat().st_size == file.size

    def file_path(self, sha256: str) -> Path:
        """Return where a canonical file lies."""
        return self.root / "files" / sha256[:2] / sha256

    def put_cases(self, block: str, document: bytes) -> None:
        """Write the list."""
        _write(self.root / "blocks" / f"{block}.jsonl", document)

    def put_reference(self, name: str, path: Path) -> None:
        """Copy the table."""
        _write(self.root / "reference" / name, path.read_bytes())

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.root, ignore_errors=True)


@dataclass(frozen=True)
class Nowhere:
    """Of a dry run: nothing is kept."""

    def put_file(self, block: str, file: StoredFile, path: Path) -> None:
        """Forget the file."""

    def has_file(self, block: str, file: StoredFile) -> bool:  # noqa: ARG002 - nothing is kept
        """Say no."""
        return False

    def put_cases(self, block: str, document: bytes) -> None:
        """Forget the list."""

    def put_reference(self, name: str, path: Path) -> None:
        """Forget the table."""

    def clear(self) -> None:
        """Do nothing."""


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)
