"""A plan's S3 prefix is read like a folder, from a real store, with the environment's keys."""

from pathlib import Path

import pytest
from tests.data.partner_upload import Partner

from proctor_backend.domain.errors import InvalidInputError
from proctor_workers.hidden_data.ingest.sources import S3Source


@pytest.fixture
def source(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> S3Source:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", partner.settings.s3_access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", partner.settings.s3_secret_key)
    for name in ("p1/1.dcm", "p1/2.dcm"):
        partner.inside.put("hidden", f"{partner.cohort}/export/{name}", name.encode())
    return S3Source(
        bucket="hidden",
        prefix=f"{partner.cohort}/export/",
        endpoint=partner.settings.s3_endpoint,
        region="us-east-1",
    )


def test_objects_below_the_prefix_are_named_from_there(source: S3Source) -> None:
    assert set(source.stamps()) == {"p1/1.dcm", "p1/2.dcm"}


def test_an_object_is_fetched_whole(source: S3Source, tmp_path: Path) -> None:
    assert source.fetch("p1/2.dcm", tmp_path).read_bytes() == b"p1/2.dcm"


def test_a_stamp_changes_with_the_object(source: S3Source, partner: Partner) -> None:
    before = source.stamps()["p1/1.dcm"]
    partner.inside.put("hidden", f"{partner.cohort}/export/p1/1.dcm", b"other")

    assert source.stamps()["p1/1.dcm"] != before


def test_a_bucket_that_cannot_be_listed_is_named(source: S3Source) -> None:
    away = S3Source(bucket="no-such-bucket", endpoint=source.endpoint, region="us-east-1")

    with pytest.raises(InvalidInputError, match="no-such-bucket"):
        away.stamps()
