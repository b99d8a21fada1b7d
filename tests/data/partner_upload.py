"""A data partner's upload in real quarantine."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor_backend.domain.ids import new_id
from proctor_backend.domain.keys import upload_key
from proctor_backend.local import LocalStack
from proctor_backend.objects import ObjectStore
from proctor_workers.hidden_data.ingest import IngestReport, ingest_cohort

KEY = b"a master key of this test's own!"


@dataclass
class Partner:
    """Uploads as a data partner does and has it ingested."""

    outside: ObjectStore
    inside: ObjectStore
    work_dir: Path
    cohort: str
    key: bytes = KEY

    def ingest(
        self,
        table: bytes,
        files: Mapping[str, bytes] | None = None,
        table_format: str = "csv",
        **cohort: Any,
    ) -> IngestReport:
        index: dict[str, Any] = {"table": self.upload(table) | {"format": table_format}}
        index["files"] = [
            {"path": path} | self.upload(content) for path, content in (files or {}).items()
        ]
        document = {"_id": self.cohort, "visibility": "hidden", "description": {}} | cohort
        return ingest_cohort(self.inside, document, index, self.work_dir, self.key)

    def upload(self, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        self.outside.put("quarantine", upload_key(self.cohort, digest), content)
        return {"sha256": digest, "size": len(content)}

    def stored(self, bucket: str = "hidden") -> dict[str, bytes]:
        keys = list(self.inside.list(bucket, f"{self.cohort}/"))
        return {key.removeprefix(f"{self.cohort}/"): self.inside.get(bucket, key) for key in keys}


def new_partner(servers: LocalStack, work_dir: Path) -> Partner:
    outside, inside = (ObjectStore.connect(servers.settings(name)) for name in ("api", "ingest"))
    return Partner(outside, inside, work_dir, new_id("coh"))
