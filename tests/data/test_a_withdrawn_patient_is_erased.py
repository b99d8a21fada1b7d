"""A patient's withdrawal, step by step, each with its worker's credentials, some of them twice.

The whole way over the API stands in tests/flow; here are what is left behind and interruptions.
"""

import base64
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.cohort_versions import CASES, case, ingest, rows
from tests.data.partner_upload import Partner

from proctor_backend.access import COLLECTIONS
from proctor_backend.domain.audit import Event
from proctor_backend.domain.ids import new_id
from proctor_backend.domain.keys import evidence_key
from proctor_backend.local import LocalStack
from proctor_backend.records import Insert, Records
from proctor_sdk.canonical import canonical_bytes, sha256_hex
from proctor_sdk.cases import case_name
from proctor_sdk.encrypt import decode_key, seal
from proctor_workers.hidden_data import versions
from proctor_workers.steps.erase import erase_evidence
from proctor_workers.steps.withdraw import erase_files, remove_patient
from proctor_workers.tools import Tools

EVENT = Event(kind="test.made", chain="platform", actor="test")
ATTEMPT_KEY = b"k" * 32
GONE = ("c2", "c3")


@dataclass
class Place:
    """One cohort with an exam on it, and the workers that erase."""

    partner: Partner
    records: Records
    ingest: Tools
    measure: Tools
    cohort: dict[str, Any]
    evaluation: str
    report: str

    def asked(self, patient: str, public_key: bytes) -> str:
        plain = patient.encode()
        sealed = b"".join(seal(io.BytesIO(plain), len(plain), public_key))
        withdrawal = {
            "_id": new_id("wdr"), "org": "org_p", "lineage": self.cohort["_id"],
            "cohort": self.cohort["_id"], "reason": "r", "state": "ASKED", "history": [],
            "sealed": base64.b64encode(sealed).decode(),
        }  # fmt: skip
        self.records.commit(Insert("withdrawals", withdrawal), event=EVENT)
        return withdrawal["_id"]

    def take(self, step: Callable[..., None], withdrawal: str) -> dict[str, Any]:
        """Take a step as its worker does, and return the withdrawal after it."""
        tools = self.measure if step is erase_evidence else self.ingest
        step(tools, self.records.get("withdrawals", withdrawal))
        return self.records.get("withdrawals", withdrawal)

    def set_back(self, withdrawal: str, **fields: Any) -> None:
        """Make a step's record what it was, as if its last commit had failed."""
        self.records.db["withdrawals"].update_one({"_id": withdrawal}, {"$set": fields})


@pytest.fixture
def place(
    empty_servers: LocalStack, partner: Partner, records_of: Callable[[str], Records]
) -> Iterator[Place]:
    settings = {name: empty_servers.settings(name) for name in ("ingest", "measure")}
    partner.key = decode_key((settings["ingest"].keys_dir / "cohort.key").read_text("ascii"))
    made = ingest(partner, rows())
    records = records_of("api")
    cohort = made | {
        "org": "org_p", "name": "Wards", "version": 1, "previous": None, "state": "READY",
        "history": [], "description": {}, "terms": None, "tombstones": [], "overrides": [],
        "findings": [{"key": "k", "severity": "note", "places": [{"case": "c2"}]}],
    }  # fmt: skip
    cohort = json.loads(json.dumps(cohort))
    records.commit(Insert("cohorts", cohort), event=EVENT)
    tools = {name: Tools(one) for name, one in settings.items()}
    evaluation, report = examined(partner, records, tools["measure"], cohort)
    yield Place(partner, records, tools["ingest"], tools["measure"], cohort, evaluation, report)
    for one in tools.values():
        one.records.db.client.close()


def examined(
    partner: Partner, records: Records, measure: Tools, cohort: dict[str, Any]
) -> tuple[str, str]:
    """Write an evaluation with its evidence, and its released report, as the workers do."""
    evaluation, shard, report = new_id("eva"), new_id("shd"), new_id("rep")
    cases = [case(partner, f"c{n}") for n in range(CASES)]
    lines = [json.dumps({"case": case_name(ATTEMPT_KEY, one)}).encode() + b"\n" for one in cases]
    key = f"{evaluation}/part.jsonl"
    runner = partner.inside.__class__.connect(measure.settings)
    runner.put("predictions", key, b"".join(lines))
    table = pa.table({"case": cases, "patient": cases})
    out = io.BytesIO()
    pq.write_table(table, out)
    errors = [{"case": one, "outcome": "false_positive"} for one in cases]
    results = canonical_bytes({"results": [], "errors": errors})
    for name in ("observations.parquet", "reference.parquet"):
        runner.put("artefacts", evidence_key(evaluation, name), out.getvalue())
    runner.put("artefacts", evidence_key(evaluation, "results.json"), results)
    digest = sha256_hex(results)
    records.put_file(f"results:{digest}", results)
    for name in ("observations.parquet", "reference.parquet", "results.json", "evidence.json"):
        records.put_file(f"edition:{report}:full:evidence/{name}", b"signed")
    records.put_file(f"edition:{report}:full:json", b"signed")
    records.put_file(f"concordant:{evaluation}", json.dumps([{"case": cases[2]}]).encode())
    part = {"key": key, "sha256": "x", "cases": CASES, "fence": 1, "seq": 0}
    exam = {
        "_id": evaluation, "cohort": cohort["_id"], "state": "MEASURED", "entry": new_id("ent"),
        "attempt_key": base64.b64encode(ATTEMPT_KEY).decode(),
    }  # fmt: skip
    records.commit(
        Insert("evaluations", exam),
        Insert("shards", {"_id": shard, "evaluation": evaluation, "parts": [part]}),
        Insert("reports", {"_id": report, "evaluation": evaluation, "results_digest": digest}),
        Insert("reviews", {"_id": new_id("evt"), "case": cases[2], "report": report}),
        event=Event(kind="case.viewed", chain=exam["entry"], actor="a", private={"case": cases[2]}),
    )
    return evaluation, report


@pytest.fixture
def public_key(servers: LocalStack) -> bytes:
    folder = Path(servers.settings("api").keys_dir)
    return decode_key((folder / "ingest.pub").read_text("ascii"))


def pseudonyms(place: Place) -> set[str]:
    return {case(place.partner, name) for name in GONE}


def mentions(place: Place, servers: LocalStack) -> list[str]:
    """Return where, in any bucket or record, one of the patient's cases is named."""
    wanted, found = pseudonyms(place), []
    names = wanted | {case_name(ATTEMPT_KEY, one) for one in wanted}
    for path in servers.home.buckets.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            if path.suffix == ".parquet":
                text = str(pq.read_table(path).to_pylist()).encode()
            found += [str(path)] if any(name.encode() in text for name in names) else []
    for name in COLLECTIONS:
        for document in place.records.db[name].find():
            said = str(document).encode()
            found += [name] if any(one.encode() in said for one in names) else []
    return found


def whole_way(place: Place, patient: str, key: bytes) -> dict[str, Any]:
    withdrawal = place.asked(patient, key)
    for step in (remove_patient, erase_files, erase_evidence):
        last = place.take(step, withdrawal)
    return last


def test_version_without_a_patient_says_which_headers_its_files_carry(
    place: Place, public_key: bytes
) -> None:
    place.records.db["cohorts"].update_one(
        {"_id": place.cohort["_id"]}, {"$set": {"headers": ["PatientAge"]}}
    )

    ended = place.take(remove_patient, place.asked("p1", public_key))

    assert place.records.get("cohorts", ended["made"])["headers"] == ["PatientAge"]


def test_nothing_names_a_withdrawn_patients_cases(
    place: Place, servers: LocalStack, public_key: bytes
) -> None:
    assert mentions(place, servers)
    ended = whole_way(place, "p1", public_key)
    assert ended["state"] == "ERASED"
    assert mentions(place, servers) == []
    assert "p1" not in str({name: one for name, one in ended.items() if name != "_id"})


def test_the_patients_files_are_gone_and_the_others_stay(place: Place, public_key: bytes) -> None:
    store, cohort = place.partner.inside, place.cohort
    before = {line["case"]: line["files"] for line in versions.read_lines(store, cohort, "00000")}
    whole_way(place, "p1", public_key)
    stored = place.partner.stored()
    for name, files in before.items():
        key = f"00000/{files[0]['sha256'][:2]}/{files[0]['sha256']}"
        assert (key in stored) == (name not in pseudonyms(place))


def test_what_was_uploaded_is_erased_whole(place: Place, public_key: bytes) -> None:
    prefix = f"cohorts/{place.cohort['_id']}/"
    assert list(place.partner.inside.list("quarantine", prefix))
    whole_way(place, "p1", public_key)
    assert list(place.partner.inside.list("quarantine", prefix)) == []


def test_a_pseudonym_names_the_patient_as_well(place: Place, public_key: bytes) -> None:
    names = versions.read_table(place.partner.inside, place.cohort["_id"], "reference.parquet")
    patient = dict(zip(*(names.column(one).to_pylist() for one in ("case", "patient")),
                       strict=True))[case(place.partner, "c2")]  # fmt: skip
    assert whole_way(place, patient, public_key)["state"] == "ERASED"


def test_an_interrupted_erasure_of_files_is_done_again(
    place: Place, servers: LocalStack, public_key: bytes
) -> None:
    withdrawal = place.asked("p1", public_key)
    place.take(remove_patient, withdrawal)
    place.take(erase_files, withdrawal)
    place.set_back(withdrawal, state="REMOVED")
    assert set(place.take(erase_files, withdrawal)["gone"]) == pseudonyms(place)
    place.take(erase_evidence, withdrawal)
    assert mentions(place, servers) == []


def test_an_interrupted_erasure_of_evidence_is_done_again(
    place: Place, servers: LocalStack, public_key: bytes
) -> None:
    withdrawal = place.asked("p1", public_key)
    place.take(remove_patient, withdrawal)
    gone = place.take(erase_files, withdrawal)["gone"]
    place.take(erase_evidence, withdrawal)
    once = place.records.get("reports", place.report)
    place.set_back(withdrawal, state="FILES_ERASED", gone=gone)
    place.take(erase_evidence, withdrawal)
    twice = place.records.get("reports", place.report)
    assert len(twice["withdrawn"]) == 1
    assert twice["results_digest"] == once["results_digest"]
    assert place.records.get_file(f"results:{twice['results_digest']}")
    assert mentions(place, servers) == []


def test_signed_files_of_a_report_stay_but_for_single_cases(
    place: Place, public_key: bytes
) -> None:
    whole_way(place, "p1", public_key)
    prefix = f"edition:{place.report}:full:"
    kept = {name.removeprefix(prefix) for name in place.records.files_named(prefix)}
    assert kept == {"json", "evidence/evidence.json", "evidence/withdrawn.json"}


def test_a_second_patient_adds_a_second_mark_and_tombstone(place: Place, public_key: bytes) -> None:
    first = whole_way(place, "p1", public_key)
    place.cohort = place.records.get("cohorts", first["made"]) | {"_id": first["made"]}
    withdrawal = {"cohort": first["made"]}
    asked = place.asked("p0", public_key)
    withdrawal |= {"lineage": place.cohort["lineage"]}
    place.set_back(asked, **withdrawal)
    for step in (remove_patient, erase_files, erase_evidence):
        last = place.take(step, asked)
    made = place.records.get("cohorts", last["made"])
    assert (made["version"], made["cases"], len(made["tombstones"])) == (3, CASES - 4, 2)
    assert len(place.records.get("reports", place.report)["withdrawn"]) == 2


@pytest.mark.parametrize("patient", ["nobody", "pat_nobody"])
def test_a_name_of_nobody_is_refused_and_forgotten(
    place: Place, public_key: bytes, patient: str
) -> None:
    refused = place.take(remove_patient, place.asked(patient, public_key))
    assert (refused["state"], refused["sealed"]) == ("REFUSED", None)
    assert place.records.get("cohorts", place.cohort["_id"])["state"] == "READY"
