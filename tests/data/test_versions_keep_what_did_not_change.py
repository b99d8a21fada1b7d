"""Versions of one cohort: the same names, blocks and files; what changed is counted."""

from pathlib import Path
from typing import Any

import pytest
from tests.data.cohort_versions import CASES, case, ingest, rows
from tests.data.partner_upload import Partner

from proctor_backend.domain.errors import DataError
from proctor_backend.domain.ids import new_id
from proctor_backend.domain.keys import beside_reference_key
from proctor_workers.hidden_data import versions
from proctor_workers.hidden_data.pseudonyms import Pseudonyms


@pytest.fixture
def first(partner: Partner) -> dict[str, Any]:
    return ingest(partner, rows())


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


def test_a_row_that_names_no_files_keeps_those_of_the_version_before(
    partner: Partner, first: dict[str, Any]
) -> None:
    table = [row | {"files": ""} for row in rows()]
    table[0]["reference_value"] = 1
    second = ingest(partner, table, first)
    found = versions.compare(partner.inside, first, second)
    assert found["counts"]["files"] == 0
    assert found["counts"]["reference"] == 1
    assert second["blocks"][0]["cases"] == CASES


def test_files_that_are_kept_can_still_be_recognised(
    partner: Partner, first: dict[str, Any]
) -> None:
    second = ingest(partner, [row | {"files": ""} for row in rows()], first)
    known = [
        versions.read_table(partner.inside, one["_id"], "fingerprints.parquet").to_pylist()
        for one in (first, second)
    ]
    assert known[0][0]["detail_hash"]
    assert known[1] == known[0]


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
    patient = Pseudonyms(partner.key, partner.cohort).patient("p1")
    found = versions.cases_of_patient(partner.inside, first, patient)
    assert found == {case(partner, "c2"), case(partner, "c3")}
