"""Stop 9: join predictions with the reference standard, measure, keep the evidence."""

import base64
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import DataError
from proctor_backend.domain.ids import new_id, utc_now
from proctor_backend.domain.keys import evidence_key, reference_key
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.result import Measurement
from proctor_backend.domain.states import EntryState, EvaluationState, ReportState
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Insert, Move, Records
from proctor_backend.services.review import concordant_file
from proctor_sdk.canonical import canonical_bytes, digest
from proctor_sdk.cases import case_name
from proctor_workers.concordant import concordant_sample
from proctor_workers.evidence import write_evidence
from proctor_workers.measurement import measure
from proctor_workers.observations import observations_from_predictions
from proctor_workers.tools import Tools

FILES = ("observations.parquet", "reference.parquet", "evidence.json", "results.json")


def measure_evaluation(tools: Tools, evaluation: dict[str, Any]) -> None:
    """Measure one evaluation, by the protocol and manifest that it was begun under.

    1. the reference standard, as the cohort's record has it
    2. every prediction, under the case it was fed as
    3. the observations, one long table
    4. estimates, subgroups, figures: pure
    5. the evidence, from which all of it can be made again
    6. the record moves on to a draft
    """
    records, store, settings = tools.records, tools.store, tools.settings
    entry = records.get("entries", evaluation["entry"])
    version = {"study": entry["study"], "version": entry["protocol_version"]}
    protocol = records.find("protocols", version)[0]["protocol"]
    cohort = records.get("cohorts", evaluation["cohort"])
    _require_as_locked(evaluation, protocol, entry, cohort)
    reference = _reference(store, cohort)  # 1
    names = _names(evaluation, reference)
    answers = predictions(records, store, evaluation)  # 2
    observations = observations_from_predictions(answers, names, reference)  # 3
    confounders = cohort.get("confounders") or ()
    measurement = measure(  # 4
        protocol, entry["manifest"], observations, reference, confounders=confounders
    )
    with tempfile.TemporaryDirectory(dir=settings.work_dir) as folder:  # 5
        digests = write_evidence(
            Path(folder),
            protocol=protocol,
            manifest=entry["manifest"],
            observations=observations,
            reference=reference,
            measurement=measurement,
            confounders=confounders,
            provenance=_provenance(records, evaluation, cohort),
        )
        for name in FILES:
            content = Path(folder, name).read_bytes()
            store.put("artefacts", evidence_key(evaluation["_id"], name), content)
        results = Path(folder, "results.json").read_bytes()
        evidence = Path(folder, "evidence.json").read_bytes()
    results_digest = hashlib.sha256(results).hexdigest()
    records.put_file(f"results:{results_digest}", results)
    _keep_sample(records, evaluation, observations, reference, measurement)
    _move_on(records, entry, evaluation, cohort, results_digest, digests, evidence)  # 6


def _require_as_locked(
    evaluation: Mapping[str, Any],
    protocol: Mapping[str, Any],
    entry: Mapping[str, Any],
    cohort: Mapping[str, Any],
) -> None:
    found = {
        "protocol_digest": digest(canonical_bytes(protocol)),
        "manifest_digest": digest(canonical_bytes(entry["manifest"])),
        "config_digest": entry["image"]["config_digest"],
        "cohort_root": cohort["root"],
        "reference_sha256": cohort["reference_sha256"],
    }
    if changed := [name for name in found if found[name] != evaluation["lock"][name]]:
        raise DataError(f"Not as it was locked: {', '.join(changed)}.", cure="Restore the records.")


def _reference(store: ObjectStore, cohort: Mapping[str, Any]) -> pa.Table:
    content = store.get(
        "reference", reference_key(cohort["_id"]), sha256=cohort["reference_sha256"]
    )
    return pq.read_table(pa.BufferReader(content))


def _names(evaluation: Mapping[str, Any], reference: pa.Table) -> dict[str, str]:
    key = base64.b64decode(evaluation["attempt_key"])
    return {case_name(key, case): case for case in reference.column("case").to_pylist()}


def predictions(
    records: Records, store: ObjectStore, evaluation: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield each case's first recorded answer; a lost host's last seconds may come twice."""
    seen: set[str] = set()
    for shard in records.find("shards", {"evaluation": evaluation["_id"]}):
        for part in sorted(shard["parts"], key=lambda p: (p["fence"], p["seq"])):
            content = store.get("predictions", part["key"], sha256=part["sha256"])
            # Not splitlines: a carriage return is white space inside a model's own line.
            for line in content.split(b"\n")[:-1]:
                prediction = json.loads(line)
                if prediction["case"] not in seen:
                    seen.add(prediction["case"])
                    yield prediction
    if len(seen) != evaluation["cases"]:
        raise DataError(
            "The predictions do not cover the cohort.", cure="Evaluate the entry again."
        )


def _keep_sample(
    records: Records,
    evaluation: Mapping[str, Any],
    observations: pa.Table,
    reference: pa.Table,
    measurement: Measurement,
) -> None:
    key = base64.b64decode(evaluation["attempt_key"])
    errors = {str(one["case"]) for one in measurement.errors}
    sample = concordant_sample(observations, reference, errors, key)
    records.replace_file(concordant_file(evaluation["_id"]), canonical_bytes(sample))


def _provenance(
    records: Records, evaluation: Mapping[str, Any], cohort: Mapping[str, Any]
) -> dict[str, Any]:
    shards = records.find("shards", {"evaluation": evaluation["_id"]})
    attempts = records.find("evaluations", {"entry": evaluation["entry"], "kind": "hidden"})
    return {
        "evaluation": evaluation["_id"],
        "attempt": evaluation["attempt"],
        "attempt_key": evaluation["attempt_key"],
        "attempts": len(attempts),
        "lock": evaluation["lock"],
        "cohort": {"id": cohort["_id"], "root": cohort["root"]},
        "run": [shard.get("summary", {}) for shard in shards],
        "predictions": [
            {"key": part["key"], "sha256": part["sha256"], "cases": part["cases"]}
            for shard in shards
            for part in shard["parts"]
        ],
        "measured_at": utc_now(),
    }


def _move_on(
    records: Records,
    entry: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    cohort: Mapping[str, Any],
    results_digest: str,
    digests: Mapping[str, str],
    evidence: bytes,
) -> None:
    study = records.get("studies", entry["study"])
    evidence_digest = hashlib.sha256(evidence).hexdigest()
    report = {
        "_id": new_id("rep"),
        "org": entry["org"],
        "study": entry["study"],
        "entry": entry["_id"],
        "evaluation": evaluation["_id"],
        "cohort": cohort["_id"],
        "code_name": entry["code_name"],
        "vendor_name": records.get("organisations", entry["org"])["name"],
        "model_name": entry["model_name"],
        "version": entry["version"],
        "results_digest": results_digest,
        "evidence_digest": evidence_digest,
        "plugin_digest": study.get("plugin_digest"),
        "sections_state": None,
        "approvals": [],
        "cleared": {},
        "state": str(ReportState.DRAFTING),
        "history": [{"state": str(ReportState.DRAFTING), "at": utc_now()}],
    }
    found = {"digests": dict(digests), "evidence_digest": evidence_digest}
    records.put_file(f"evidence:{evidence_digest}", evidence)
    records.commit(
        Move("evaluations", evaluation["_id"], EvaluationState.MEASURED, found),
        Move("entries", entry["_id"], EntryState.MEASURED, {"report": report["_id"]}),
        Insert("reports", report),
        event=Event(
            kind="entry.measured",
            chain=entry["_id"],
            actor="worker:measure",
            public={
                "results": results_digest,
                "evidence": evidence_digest,
                "digests": dict(digests),
            },
        ),
        messages=[Message(Task.DRAFT, report["_id"])],
    )
