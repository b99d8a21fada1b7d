"""Evaluations and shards: how a cohort is cut, and how often a platform's failure is forgiven."""

import base64
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from proctor_backend.domain.ids import new_id, utc_now
from proctor_backend.domain.states import EvaluationState, ShardState
from proctor_sdk.manifest import task_fields
from proctor_sdk.reasons import ReasonCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a run ended early: whose fault, the code, and a detail that never leaves the platform."""

    kind: Literal["vendor", "data", "platform"]
    code: ReasonCode
    detail: str
    log: str = ""


# One container streams a shard; a shard is what is repeated elsewhere when a host is lost for good.
SHARD_CASES = 5_000
SHARD_BYTES = 4 * 2**30
PLATFORM_FAILURES_PER_SHARD = 5
ATTEMPTS = 3


def cut(blocks: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Group a cohort's blocks, in their shuffled order, into shards."""
    group: list[Mapping[str, Any]] = []
    for block in blocks:
        full = (
            sum(b["cases"] for b in group) + block["cases"] > SHARD_CASES
            or sum(b["bytes"] for b in group) + block["bytes"] > SHARD_BYTES
        )
        if group and full:
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def new_evaluation(
    *,
    entry: Mapping[str, Any],
    cohort: Mapping[str, Any],
    protocol: Mapping[str, Any],
    kind: str,
    attempt_number: int = 1,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return an evaluation and its shards.

    `kind` is "conformance" (a public cohort) or "hidden". The lock repeats every digest that the
    run is bound to; the attempt key names the cases and stays in the evidence.
    """
    shards = list(cut(cohort["blocks"]))
    now = utc_now()
    evaluation = {
        "_id": new_id("eva"),
        "org": entry["org"],
        "entry": entry["_id"],
        "study": entry["study"],
        "kind": kind,
        "attempt": new_id("att"),
        "attempt_number": attempt_number,
        "attempt_key": base64.b64encode(secrets.token_bytes(32)).decode("ascii"),
        "cohort": cohort["_id"],
        "cohort_lineage": cohort["lineage"],
        "bucket": "public" if cohort["visibility"] == "public" else "hidden",
        "cases": sum(block["cases"] for block in cohort["blocks"]),
        "lock": {
            "protocol_digest": entry["protocol_digest"],
            "manifest_digest": entry["manifest_digest"],
            "config_digest": entry["image"]["config_digest"],
            "cohort_root": cohort["root"],
            "reference_sha256": cohort["reference_sha256"],
            "at": now,
        },
        "window": protocol.get("window", 1),
        "isolation": protocol.get("isolation", "run"),
        "runtime": protocol.get("runtime", "any"),
        "gpu": bool(entry["manifest"].get("resources", {}).get("gpu")),
        "shards_total": len(shards),
        "shards_done": 0,
        "state": str(EvaluationState.RUNNING),
        "history": [{"state": str(EvaluationState.RUNNING), "at": now}],
    }
    return evaluation, [
        _new_shard(evaluation, number, blocks) for number, blocks in enumerate(shards)
    ]


def limits_of(manifest: Mapping[str, Any], protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits of a run: what the manifest asks for, within the study's ceiling."""
    ceiling, asked = protocol.get("limits", {}), manifest.get("resources", {})
    chosen = {
        name: min(asked.get(name, value), value) for name, value in ceiling.items() if name != "gpu"
    }
    return DEFAULT_LIMITS | chosen


DEFAULT_LIMITS: dict[str, Any] = {
    "memory_mb": 2048,
    "cpus": 1,
    "pids": 256,
    "tmp_mb": 256,
    "output_mb": 64,
    "seconds_per_case": 60,
    "seconds_total": 7200,
    "start_seconds": 120,
    "log_kb": 256,
}


def task_document(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return /input/task.json of the container contract."""
    return {
        "contract": "proctor/v1",
        **task_fields(manifest["task"]),
        "operating_points": [point["id"] for point in manifest.get("operating_points", ())],
        "indeterminate_reasons": list(manifest.get("indeterminate", {}).get("reasons", ())),
        "units": {},
    }


def _new_shard(
    evaluation: Mapping[str, Any], number: int, blocks: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        "_id": new_id("shd"),
        "org": evaluation["org"],
        "evaluation": evaluation["_id"],
        "entry": evaluation["entry"],
        "study": evaluation["study"],
        "number": number,
        "blocks": [dict(block) for block in blocks],
        "cases": sum(block["cases"] for block in blocks),
        "gpu": evaluation["gpu"],
        "fence": 0,
        "lease": None,
        "parts": [],
        "restarts": 0,
        "platform_failures": 0,
        "not_before": utc_now(),
        "state": str(ShardState.WAITING),
        "history": [{"state": str(ShardState.WAITING), "at": utc_now()}],
    }
