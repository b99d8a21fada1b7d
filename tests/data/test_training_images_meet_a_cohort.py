"""The worker that compares, on real servers with its own credentials: what it keeps and deletes."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from proctor_backend.domain.audit import Event
from proctor_backend.domain.ids import new_id
from proctor_backend.domain.keys import beside_reference_key, fingerprints_key
from proctor_backend.local import LocalStack
from proctor_backend.records import Insert, Records
from proctor_sdk.encrypt import decode_key, generate_keypair, seal
from proctor_sdk.fingerprints.collect import FORM
from proctor_workers.hidden_data.pseudonyms import Pseudonyms
from proctor_workers.steps.compare import compare
from proctor_workers.tools import Tools

PATIENTS = 60


class Comparison:
    """A cohort of one file a patient, and what a vendor sends to be compared with it."""

    def __init__(self, servers: LocalStack, tools: Tools, outside: Records) -> None:
        self.tools, self.outside = tools, outside
        self.settings = tools.settings
        self.public = decode_key((servers.home.keys / "ingest.pub").read_text())
        self.cohort, self.id = new_id("coh"), new_id("cmp")
        key = decode_key((self.settings.keys_dir / "cohort.key").read_text())
        names = Pseudonyms(key, self.cohort)
        rows = [
            {
                "case": f"cas_{n}",
                "patient": names.patient(f"MRN-{n}"),
                "source_sha256": f"{n:064x}",
                "decoded_pixel_sha256": "",
                "perceptual_hash": "",
                "detail_hash": "",
            }
            for n in range(PATIENTS)
        ]
        for name in ("fingerprints.parquet", "reference.parquet"):
            held = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(rows), held)
            tools.store.put("reference", beside_reference_key(self.cohort, name), held.getvalue())

    def insert(self, *, prepared: bool = False) -> None:
        cohort = {
            "_id": self.cohort, "org": "org_a", "lineage": self.cohort, "state": "READY",
            "root": "r", "prepared": prepared, "terms": {"min_cell": 11},
        }  # fmt: skip
        event = Event(kind="comparison.uploaded", chain="platform", actor="a test")
        self.outside.commit(
            Insert("cohorts", cohort), Insert("comparisons", self._uploaded()), event=event
        )

    def again(self) -> None:
        self.id = new_id("cmp")
        event = Event(kind="comparison.uploaded", chain="platform", actor="a test")
        self.outside.commit(Insert("comparisons", self._uploaded()), event=event)

    def _uploaded(self) -> dict[str, Any]:
        return {
            "_id": self.id, "org": "org_v", "study": "stu_a", "cohort": self.cohort,
            "state": "UPLOADED", "sealed_sha256": "0" * 64,
        }  # fmt: skip

    def send(self, *lines: dict[str, Any], to: bytes | None = None) -> bytes:
        plain = b"".join(json.dumps(line).encode() + b"\n" for line in (FORM, *lines))
        sealed = b"".join(seal(io.BytesIO(plain), len(plain), to or self.public))
        self.tools.store.put("quarantine", fingerprints_key(self.id), sealed)
        return sealed

    def done(self) -> dict[str, Any]:
        compare(self.tools, self.tools.records.get("comparisons", self.id))
        return self.tools.records.get("comparisons", self.id)

    @property
    def left(self) -> list[str]:
        return list(self.tools.store.list("quarantine", f"comparisons/{self.id}/"))


@pytest.fixture
def comparison(servers: LocalStack, records_of: Callable[[str], Records]) -> Iterator[Comparison]:
    tools = Tools(servers.settings("ingest"))
    yield Comparison(servers, tools, records_of("api"))
    tools.records.db.client.close()


def image(number: int) -> dict[str, Any]:
    return {"source": f"{number:064x}", "pixels": "", "looks": []}


def test_a_count_stays_and_what_was_sent_is_deleted(comparison: Comparison) -> None:
    comparison.insert()
    comparison.send(*(image(n) for n in range(20)), *({"patient": f"MRN-{n}"} for n in range(35)))

    found = comparison.done()

    assert found["state"] == "COMPARED"
    assert found["told"] == {"any_way": 35, "alike": 20, "identical": None}
    assert (found["images"], found["named_patients"], found["least"]) == (20, 35, 11)
    assert comparison.left == []
    assert f"{3:064x}" not in str(found)
    assert "MRN" not in str(found)


def test_a_list_with_one_picture_more_is_told_the_same(comparison: Comparison) -> None:
    comparison.insert()
    comparison.send(*(image(n) for n in range(20)))
    first = comparison.done()["told"]
    comparison.again()
    comparison.send(*(image(n) for n in range(21)))

    assert comparison.done()["told"] == first == {"any_way": 20, "alike": None, "identical": None}


def test_few_patients_are_not_told_from_none(comparison: Comparison) -> None:
    comparison.insert()
    comparison.send(image(1), image(2))

    assert set(comparison.done()["told"].values()) == {None}


def test_the_deletion_stands_in_the_audit_trail_without_a_count(comparison: Comparison) -> None:
    comparison.insert()
    comparison.send(*(image(n) for n in range(20)))
    comparison.done()

    events = comparison.outside.find("audit_events", {"kind": "comparison.made"})
    [event] = [one for one in events if one["public"]["comparison"] == comparison.id]
    assert event["public"] == {"comparison": comparison.id, "deleted": "0" * 64}


def test_names_that_the_partner_gave_itself_are_not_compared(comparison: Comparison) -> None:
    comparison.insert(prepared=True)
    comparison.send(*({"patient": f"MRN-{n}"} for n in range(35)))

    found = comparison.done()

    assert not found["patients_known"]
    assert found["told"]["any_way"] is None


def test_a_file_for_another_key_is_refused_and_deleted(comparison: Comparison) -> None:
    comparison.insert()
    comparison.send(image(1), to=generate_keypair()[1])

    found = comparison.done()

    assert (found["state"], comparison.left) == ("REFUSED", [])
    assert "another key" in found["problem"]


def test_an_altered_file_is_refused_and_deleted(comparison: Comparison) -> None:
    comparison.insert()
    sealed = bytearray(comparison.send(image(1)))
    sealed[-1] ^= 1
    comparison.tools.store.put("quarantine", fingerprints_key(comparison.id), bytes(sealed))

    assert (comparison.done()["state"], comparison.left) == ("REFUSED", [])


def test_a_file_of_another_form_is_refused_with_its_line(comparison: Comparison) -> None:
    comparison.insert()
    comparison.send({"case": "c1"})

    found = comparison.done()

    assert (found["state"], comparison.left) == ("REFUSED", [])
    assert found["problem"].startswith("Line 2 ")


def test_a_lost_upload_is_to_be_sent_again(comparison: Comparison) -> None:
    comparison.insert()

    assert "send it again" in comparison.done()["problem"]


def test_neither_the_api_nor_another_worker_holds_the_key(servers: LocalStack) -> None:
    private = base64.b64decode((servers.home.keys / "ingest.key").read_text())
    for component in ("api", "control", "screen", "measure", "runner", "viewer", "signer"):
        folder = servers.home.component(component) / "keys"
        held = [path.read_bytes() for path in folder.iterdir()] if folder.exists() else []
        assert not any(private in base64.b64decode(one) for one in held), component
