"""Routes that need no account: health, keys and limits, the protocol's schema."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from proctor_backend.api.context import ActorDep, ToolsDep
from proctor_backend.api.models import PlanRequest, ProtocolRequest
from proctor_backend.api.permissions import API
from proctor_backend.keyfiles import read_key
from proctor_backend.services import planning
from proctor_backend.services.enter import LARGEST_IMAGE, PART_SIZE
from proctor_backend.services.protocols import check_protocol, schema
from proctor_sdk.dsse import key_id
from proctor_sdk.encrypt import encode_key

router = APIRouter(prefix=API, tags=["platform"])
CONTRACT = "proctor/v1"


@router.get("/health")
def health(tools: ToolsDep) -> JSONResponse:
    """Say whether the process and its database answer."""
    alive = tools.records.is_alive()
    return JSONResponse({"ok": alive}, status_code=200 if alive else 503)


@router.get("/platform")
def platform(tools: ToolsDep) -> dict[str, Any]:
    """Show the public keys, the limits, and whether this is a demonstration."""
    signing = read_key(tools.settings, "signing.pub")
    return {
        "contract": CONTRACT,
        "demonstration": tools.settings.demonstration,
        "encryption_public_key": encode_key(read_key(tools.settings, "encryption.pub")),
        "signing_public_keys": [{"keyid": key_id(signing), "public_key": encode_key(signing)}],
        "limits": {"image_bytes": LARGEST_IMAGE, "part_size": PART_SIZE},
    }


@router.get("/schemas/protocol")
def protocol_schema() -> dict[str, Any]:
    """Show the JSON schema of a protocol."""
    return schema()


@router.post("/protocols/check")
def check(_actor: ActorDep, body: ProtocolRequest) -> dict[str, Any]:
    """Check a protocol's text without saving it."""
    return {"problems": check_protocol(body.protocol)}


@router.post("/protocols/plan")
def plan(tools: ToolsDep, actor: ActorDep, body: PlanRequest) -> dict[str, Any]:
    """Say what a cohort's sizes promise for each endpoint of a protocol."""
    if body.cohort is not None:
        return planning.plan_on_cohort(
            tools.records, actor, protocol_text=body.protocol, cohort_id=body.cohort
        )
    counts = body.counts.model_dump() if body.counts else {}
    return planning.plan_on_counts(protocol_text=body.protocol, counts=counts)
