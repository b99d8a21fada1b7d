"""How a case is named and written for one attempt; where its bytes come from is the caller's."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proctor_sdk.canonical import CanonicalError, canonical_bytes, strict_loads
from proctor_sdk.errors import ProctorSdkError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME_BYTES = 16


class CaseLineError(ProctorSdkError):
    """A line of a block's cases.jsonl is not as the platform writes it."""

    def __init__(self, message: str) -> None:
        super().__init__("case_invalid", message)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One canonical file of a case, named by its digest where it is stored."""

    name: str
    role: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        """A name is one path part: it becomes a path on this host."""
        if not self.name or "/" in self.name or self.name in {".", ".."} or "\0" in self.name:
            raise CaseLineError("A case's file has a name that is not one path part.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCase:
    """One case as a block holds it."""

    case: str
    files: tuple[StoredFile, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedCase:
    """One case ready to be shown: its name in this attempt, its line, a folder with its files."""

    name: str
    line: bytes
    folder: Path | None = None


def case_name(attempt_key: bytes, case: str) -> str:
    """The name a model sees: 'c' and base32 of 128 bits of HMAC-SHA256(attempt key, case id).

    Without the key two attempts cannot be linked, with it a resume needs no table.
    """
    mac = hmac.new(attempt_key, case.encode(), hashlib.sha256).digest()[:NAME_BYTES]
    return "c" + base64.b32encode(mac).decode().rstrip("=").lower()


def parse_case(line: bytes) -> StoredCase:
    """Read one line of a block's cases.jsonl; raises `CaseLineError`."""
    try:
        document = strict_loads(line)
        files = tuple(
            StoredFile(
                name=file["name"],
                role=file["role"],
                sha256=file["sha256"],
                size=int(file.get("size", 0)),
            )
            for file in document.get("files", ())
        )
        return StoredCase(case=document["case"], files=files, inputs=document.get("inputs", {}))
    except (CanonicalError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise CaseLineError("A line of cases.jsonl does not have the fields of a case.") from error


def staged(case: StoredCase, name: str, folder: Path | None) -> StagedCase:
    """The case as a model sees it: nothing of its identity but what the inputs say."""
    line = canonical_bytes(
        {
            "case": name,
            "files": [
                {"path": f"files/{name}/{file.name}", "role": file.role} for file in case.files
            ],
            "inputs": case.inputs,
        }
    )
    return StagedCase(name=name, line=line, folder=folder)
