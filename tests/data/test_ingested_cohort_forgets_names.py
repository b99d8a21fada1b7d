"""Once a cohort is made its record has no name that its partner gave to a file or a case."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.data.cohort_versions import FILES
from tests.data.partner_upload import Partner

from proctor_backend.domain.audit import Event
from proctor_backend.domain.keys import upload_prefix
from proctor_backend.local import LocalStack
from proctor_backend.records import Insert, Records
from proctor_workers.hidden_data.ingest.case_work import _where
from proctor_workers.steps.ingest import forget_ended, ingest
from proctor_workers.tools import Tools

TABLE = b"patient,reference_value,files\np1,1,DOE_JANE/0.png\np2,0,DOE_JANE/1.png\n"
EVENT = Event(kind="test.made", chain="platform", actor="test")


@pytest.mark.parametrize(("table", "state"), [(TABLE, "READY"), (b"patient\np1\n", "REJECTED")])
def test_record_has_no_name_of_a_file(
    partner: Partner,
    empty_servers: LocalStack,
    records_of: Callable[[str], Records],
    table: bytes,
    state: str,
) -> None:
    names = {f"DOE_JANE/{number}.png": FILES[f"{number}.png"] for number in range(2)}
    index = {
        "table": partner.upload(table) | {"format": "csv"},
        "files": [{"path": name} | partner.upload(content) for name, content in names.items()],
    }
    cohort: dict[str, Any] = {
        "_id": partner.cohort, "lineage": partner.cohort, "previous": None, "org": "org_p",
        "name": "Wards", "version": 1, "state": "UPLOADED", "history": [], "description": {},
        "visibility": "hidden", "index": index,
        "closed_by": {"person": "per_a", "person_name": "A", "at": "2026-01-01T00:00:00Z"},
    }  # fmt: skip
    records = records_of("api")
    records.commit(Insert("cohorts", cohort), event=EVENT)
    tools = Tools(empty_servers.settings("ingest"))

    ingest(tools, records.get("cohorts", partner.cohort))

    kept = records.get("cohorts", partner.cohort)
    tools.records.db.client.close()
    assert kept["state"] in {state, "HELD" if state == "READY" else state}, kept
    assert "DOE_JANE" not in str(kept)


@pytest.mark.parametrize(("state", "stays"), [("WITHDRAWN", False), ("OPEN", True)])
def test_what_a_cohort_left_that_ended_elsewhere_is_deleted(
    partner: Partner,
    empty_servers: LocalStack,
    records_of: Callable[[str], Records],
    state: str,
    *,
    stays: bool,
) -> None:
    partner.upload(TABLE)
    cohort = {"_id": partner.cohort, "lineage": partner.cohort, "state": state, "index": None}
    records_of("api").commit(Insert("cohorts", cohort | {"org": "org_p"}), event=EVENT)
    tools = Tools(empty_servers.settings("ingest"))
    folder = tools.settings.work_dir / "ingest" / partner.cohort
    folder.mkdir(parents=True)

    forget_ended(tools)

    tools.records.db.client.close()
    assert bool(list(tools.store.list("quarantine", upload_prefix(partner.cohort)))) == stays
    assert not folder.exists()


def test_log_says_where_a_reader_failed_and_not_what_it_read() -> None:
    with pytest.raises(ValueError, match="DOE") as told:
        int("DOE^JANE")

    assert _where(told.value).startswith("ValueError at test_ingested_cohort_forgets_names.py:")
