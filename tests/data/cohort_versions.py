"""A small cohort of pictures, ingested in one version after the other."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from tests.data.partner_upload import Partner

from proctor_backend.domain.ids import new_id
from proctor_workers.hidden_data import versions
from proctor_workers.hidden_data.ingest.destinations import BucketDestination
from proctor_workers.hidden_data.ingest.outline import Ingest, ingest_cohort
from proctor_workers.hidden_data.ingest.plan_file import settings_of
from proctor_workers.hidden_data.ingest.sources import QuarantineSource
from proctor_workers.hidden_data.pseudonyms import Pseudonyms

CASES = 8


def png(number: int) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (32, 32), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


FILES = {f"{n}.png": png(n) for n in range(CASES + 1)}


def rows(count: int = CASES) -> list[dict[str, Any]]:
    return [
        {
            "case": f"c{n}",
            "patient": f"p{n // 2}",
            "reference_value": n % 2,
            "files": f"{n}.png",
            "attr.sex": "FM"[n % 2],
            "input.x": n / 10,
            "rater.second": "1" if n == 3 else "",
        }
        for n in range(count)
    ]


def ingest(
    partner: Partner, table: Sequence[Mapping[str, Any]], before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Ingest a table as a version of the partner's cohort; return what its record keeps."""
    version = partner.cohort if before is None else new_id("coh")
    path = partner.work_dir / f"{version}.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    names = {row["files"]: FILES[row["files"]] for row in table if row["files"]}
    digests = {name: partner.upload(content)["sha256"] for name, content in names.items()}
    earlier = versions.earlier_cases(partner.inside, before) if before else {}
    made = ingest_cohort(
        Ingest(
            plan=settings_of({"deidentify": {"burned_in": "keep"}})[0],
            table=path,
            table_format="csv",
            source=QuarantineSource(partner.settings, partner.cohort, digests),
            destination=BucketDestination(partner.settings, version, partner.cohort, "hidden"),
            pseudonyms=Pseudonyms(partner.key, partner.cohort),
            folder=partner.work_dir / version,
            earlier=earlier,
            processes=1,
        )
    )
    assert not made.report.problems
    identity = {"_id": version, "lineage": partner.cohort, "visibility": "hidden"}
    return identity | made.report.as_dict()


def case(partner: Partner, name: str) -> str:
    """Return a case's pseudonym."""
    return Pseudonyms(partner.key, partner.cohort).case(name)
