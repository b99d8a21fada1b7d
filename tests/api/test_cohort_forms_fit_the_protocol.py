"""A study is locked only if its cohort's files are of the kind that its protocol is about."""

import pytest

from proctor_backend.records import Records

from .conftest import Cast, Drafted, sign_as


def signed(cast: Cast, drafted: Drafted, records: Records, forms: list[str]) -> tuple[int, str]:
    """Sign over a hidden cohort of these forms; the protocol says table."""
    records.db["cohorts"].update_one({"_id": drafted.hidden}, {"$set": {"forms": forms}})
    answer = sign_as(cast, drafted.id, "statistician", "statistician")
    return answer.status_code, answer.text


@pytest.mark.parametrize("forms", [[], ["csv"], ["parquet"]])
def test_tables_can_be_locked_for_a_table_protocol(
    cast: Cast, drafted: Drafted, records: Records, forms: list[str]
) -> None:
    assert signed(cast, drafted, records, forms)[0] == 201


def test_volumes_cannot_be_locked_for_a_table_protocol(
    cast: Cast, drafted: Drafted, records: Records
) -> None:
    status, text = signed(cast, drafted, records, ["nii"])
    assert status == 409
    assert "holds NIfTI files" in text
    assert "kind 'table'" in text
    assert "input_profile.kind: volume" in text


def test_mixed_forms_that_are_of_no_kind_are_to_be_ingested_anew(
    cast: Cast, drafted: Drafted, records: Records
) -> None:
    status, text = signed(cast, drafted, records, ["dcm", "nii"])
    assert status == 409
    assert "DICOM, NIfTI files" in text
    assert "Ingest the cohort in a form of that kind" in text
