"""Versions of one cohort: the same names, blocks and files; what changed is counted."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.data.partner_upload import KEY, Partner

from proctor_backend.domain.errors import DataError
from proctor_backend.domain.ids import new_id
from proctor_backend.domain.keys import beside_reference_key
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
    names = {row["files"]: FILES[row["files"]] for row in table}
    digests = {name: partner.upload(content)["sha256"] for name, content in names.items()}
    kept = versions.case_blocks(partner.inside, before) if before else {}
    made = ingest_cohort(
        Ingest(
            plan=settings_of({})[0],
            table=path,
            table_format="csv",
            source=QuarantineSource(partner.settings, partner.cohort, digests),
            destination=BucketDestination(partner.settings, version, partner.cohort, "hidden"),
            pseudonyms=Pseudonyms(KEY, partner.cohort),
            folder=partner.work_dir / version,
            kept_blocks=kept,
            processes=1,
        )
    )
    assert not made.report.problems
    identity = {"_id": version, "lineage": partner.cohort, "visibility": "hidden"}
    return identity | made.report.as_dict()


@pytest.fixture
def first(partner: Partner) -> dict[str, Any]:
    return ingest(partner, rows())


def case(partner: Partner, name: str) -> str:
    return Pseudonyms(KEY, partner.cohort).case(name)


def files_stored(partner: Partner) -> set[str]:
    return {key for key in partner.stored() if not key.endswith("cases.jsonl")}


def test_a_first_version_is_cut_in_its_order() -> None:
    assert versions.assigned_blocks(["a", "b", "c"], {}, 2) == ["00000", "00000", "00001"]


def test_a_further_version_leaves_cases_where_they_are() -> None:
    kept = {"a": "00001", "b": "00000"}
    assigned = versions.assigned_blocks(["x", "a", "y", "b", "z"], kept, 2)
    assert assigned == ["00002", "00001", "00002", "00000", "00003"]


def test_a_version_of_the_same_table_has_the_same_root_and_stores_no_file(
    partner: Partner, first: dict[str, Any]
) -> None:
    before = files_stored(partner)
    again = ingest(partner, rows(), first)
    assert again["root"] == first["root"]
    assert files_stored(partner) == before
    assert not [
        key
        for key in partner.inside.list("hidden", f"{again['_id']}/")
        if not key.endswith("cases.jsonl")
    ]


def test_what_changed_is_counted_by_case_and_column(
    partner: Partner, first: dict[str, Any]
) -> None:
    table = rows(CASES + 1)
    table[1]["reference_value"] = 0
    table[2]["attr.sex"] = "M"
    table[4]["input.x"] = 0.45
    del table[7]
    second = ingest(partner, table, first)
    found = versions.compare(partner.inside, first, second)
    assert found["counts"] == {
        "added": 1, "removed": 1, "files": 0, "reference": 1, "attributes": 1, "inputs": 1,
    }  # fmt: skip
    assert found["columns"] == {"reference_value": 1, "attr.sex": 1, "input.x": 1}
    assert found["cases"]["added"] == [case(partner, "c8")]
    assert found["cases"]["reference"] == [case(partner, "c1")]
    assert second["root"] != first["root"]


def test_another_file_of_a_case_is_a_change_of_its_files(
    partner: Partner, first: dict[str, Any]
) -> None:
    table = rows()
    table[0]["files"] = "8.png"
    second = ingest(partner, table, first)
    found = versions.compare(partner.inside, first, second)
    assert found["cases"]["files"] == [case(partner, "c0")]
    assert found["counts"]["attributes"] == 0


def test_a_version_without_some_cases_is_what_their_ingest_would_be(
    partner: Partner, first: dict[str, Any]
) -> None:
    made, gone = new_id("coh"), {case(partner, "c2"), case(partner, "c3")}
    identity = versions.write_without(partner.inside, first, made, gone)
    ingested = ingest(partner, [one for one in rows() if one["patient"] != "p1"], first)
    assert identity["root"] == ingested["root"]
    for name in ("cases", "patients", "sites", "counts", "blocks"):
        assert identity[name] == ingested[name], name


def test_a_cohort_that_is_not_as_its_root_says_makes_no_version(
    partner: Partner, first: dict[str, Any]
) -> None:
    key = beside_reference_key(first["_id"], "reference.parquet")
    table = versions.read_table(partner.inside, first["_id"], "reference.parquet")
    values = ["1"] * table.num_rows
    place = table.column_names.index("reference_value")
    forged = table.set_column(place, "reference_value", [values])
    partner.inside.put("reference", key, versions.parquet_bytes(forged))
    with pytest.raises(DataError):
        versions.write_without(partner.inside, first, new_id("coh"), set())


def test_the_cases_of_a_patient_are_found_by_pseudonym(
    partner: Partner, first: dict[str, Any], tmp_path: Path
) -> None:
    patient = Pseudonyms(KEY, partner.cohort).patient("p1")
    found = versions.cases_of_patient(partner.inside, first, patient)
    assert found == {case(partner, "c2"), case(partner, "c3")}
