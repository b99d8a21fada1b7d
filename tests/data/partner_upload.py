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
from proctor_backend.settings import Settings
from proctor_workers.hidden_data.ingest.destinations import BucketDestination
from proctor_workers.hidden_data.ingest.outline import Ingest, ingest_cohort
from proctor_workers.hidden_data.ingest.plan_file import settings_of
from proctor_workers.hidden_data.ingest.report import Ingested, IngestReport
from proctor_workers.hidden_data.ingest.sources import QuarantineSource
from proctor_workers.hidden_data.pseudonyms import Pseudonyms

KEY = b"a master key of this test's own!"


@dataclass
class Partner:
    """Uploads as a data partner does and has it ingested."""

    outside: ObjectStore
    inside: ObjectStore
    settings: Settings  # of the component that ingests
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
        return self.ingested(table, files, table_format, **cohort).report

    def ingested(
        self,
        table: bytes,
        files: Mapping[str, bytes] | None = None,
        table_format: str = "csv",
        *,
        visibility: str = "hidden",
        description: Mapping[str, Any] | None = None,
    ) -> Ingested:
        digests = {path: self.upload(content)["sha256"] for path, content in (files or {}).items()}
        path = self.work_dir / "table"
        path.write_bytes(table)
        # Text in pictures is looked for by the tests that are about it: a second a picture.
        quick = {"burned_in": "keep"} | dict((description or {}).get("deidentify", {}))
        plan, problems = settings_of({**(description or {}), "deidentify": quick})
        assert not problems, problems
        bucket = "public" if visibility == "public" else "hidden"
        return ingest_cohort(
            Ingest(
                plan=plan,
                table=path,
                table_format=table_format,
                source=QuarantineSource(self.settings, self.cohort, digests),
                destination=BucketDestination(self.settings, self.cohort, self.cohort, bucket),
                pseudonyms=Pseudonyms(self.key, self.cohort),
                folder=self.work_dir / "ingest",
            )
        )

    def upload(self, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        self.outside.put("quarantine", upload_key(self.cohort, digest), content)
        return {"sha256": digest, "size": len(content)}

    def stored(self, bucket: str = "hidden") -> dict[str, bytes]:
        keys = list(self.inside.list(bucket, f"{self.cohort}/"))
        return {key.removeprefix(f"{self.cohort}/"): self.inside.get(bucket, key) for key in keys}


def new_partner(servers: LocalStack, work_dir: Path) -> Partner:
    outside, inside = (ObjectStore.connect(servers.settings(name)) for name in ("api", "ingest"))
    return Partner(outside, inside, servers.settings("ingest"), work_dir, new_id("coh"))
