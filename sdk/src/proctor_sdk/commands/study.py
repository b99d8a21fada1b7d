"""`proctor study`: verbs of statistician and signers; the platform checks, we place its words."""

import argparse
from typing import Any

from proctor_sdk.canonical import digest
from proctor_sdk.client import ApiClient, ApiError
from proctor_sdk.commands.connection import (
    ask_password,
    connect,
    placed,
    print_fields,
    print_json,
    print_rows,
    read_text,
)
from proctor_sdk.errors import ProctorSdkError

_FIELDS = (
    "id", "title", "code_name", "state", "cohort", "conformance_cohort", "vendor", "partner",
    "protocol_version", "protocol_digest", "plugin_digest", "lock_digest", "waits_for",
    "missing_signatures",
)  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Do one verb."""
    with connect() as client:
        _VERBS[arguments.verb](client, arguments)
    return 0


def _draft(client: ApiClient, arguments: argparse.Namespace) -> None:
    text = read_text(arguments.protocol)
    try:
        if arguments.study:
            request = {"protocol": text} | (
                {"cohort": arguments.cohort} if arguments.cohort else {}
            )
            client.put(f"/studies/{arguments.study}/protocol", request)
            print(arguments.study)
            return
        answer = client.post("/studies", _new_study(arguments, text))
    except ApiError as error:
        raise placed(error, arguments.protocol) from error
    print(answer["id"])


def _new_study(arguments: argparse.Namespace, text: str) -> dict[str, Any]:
    if not arguments.cohort or not arguments.conformance:
        raise ProctorSdkError(
            "cohort_missing",
            "A new study needs a hidden cohort and a conformance cohort.",
            cure="Give --cohort and --conformance, or --study to replace a draft's protocol.",
        )
    request = {
        "protocol": text,
        "cohort": arguments.cohort,
        "conformance_cohort": arguments.conformance,
        "vendor_org": arguments.vendor_org,
        "partner_org": arguments.partner_org,
    }
    return {name: value for name, value in request.items() if value is not None}


def _sign(client: ApiClient, arguments: argparse.Namespace) -> None:
    role = "statistician" if arguments.verb == "lock" else arguments.role
    study = client.get(f"/studies/{arguments.study}")
    read = study.get("lock_digest")
    if not arguments.password_stdin:
        _print_study(study)
    request = {
        "role": role,
        "password": ask_password(from_stdin=arguments.password_stdin),
        "meaning": arguments.meaning,
    }
    # What was read is what is signed: a change in between is refused.
    answer = client.post(
        f"/studies/{arguments.study}/signatures",
        request | ({"lock_digest": read} if read else {}),
    )
    print(f"signed as {role.replace('_', ' ')}; the study is {answer['state']}")


def _amend(client: ApiClient, arguments: argparse.Namespace) -> None:
    request = {"protocol": read_text(arguments.protocol), "reason": arguments.reason}
    if arguments.cohort:
        request["cohort"] = arguments.cohort
    try:
        answer = client.post(f"/studies/{arguments.study}/amendments", request)
    except ApiError as error:
        raise placed(error, arguments.protocol) from error
    print(f"{arguments.study} is {answer['state']}: the three parties sign again")


def _show(client: ApiClient, arguments: argparse.Namespace) -> None:
    if arguments.study is None:
        found = client.get("/studies")
        studies = found["studies"] if isinstance(found, dict) else found
        print_json(studies) if arguments.json else print_rows(
            studies, ("id", "state", "code_name", "title")
        )
        return
    study = client.get(f"/studies/{arguments.study}")
    if arguments.json:
        print_json(study)
        return
    _print_study(study)


def _print_study(study: dict[str, Any]) -> None:
    protocol = study.get("protocol") or {}
    missing = ", ".join(study.get("missing_signatures") or [])
    shown = {
        "protocol_version": protocol.get("version"),
        "protocol_digest": protocol.get("digest"),
        "missing_signatures": missing,
    }
    print_fields(study | shown, _FIELDS)
    for signature in study.get("signatures") or []:
        print(f"signed by {signature['role'].replace('_', ' ')} at {signature['at']}")
    for deviation in study.get("deviations") or []:
        print(f"{deviation['severity']} deviation: {deviation['text']}")


def _deviation(client: ApiClient, arguments: argparse.Namespace) -> None:
    request = {"severity": arguments.severity, "text": arguments.text}
    client.post(f"/studies/{arguments.study}/deviations", request)
    print(f"recorded a {arguments.severity} deviation of {arguments.study}")


def _vendor(client: ApiClient, arguments: argparse.Namespace) -> None:
    client.put(f"/studies/{arguments.study}/vendor", {"vendor_org": arguments.organisation})
    print(f"named the vendor of {arguments.study}")


def _plugin(client: ApiClient, arguments: argparse.Namespace) -> None:
    try:
        content = arguments.bundle.read_bytes()
    except OSError as error:
        raise ProctorSdkError("file_unreadable", f"{arguments.bundle} cannot be read.") from error
    client.put_bytes(f"/studies/{arguments.study}/plugin", content)
    print(f"pinned {digest(content)}")


_VERBS = {
    "draft": _draft,
    "lock": _sign,
    "sign": _sign,
    "amend": _amend,
    "show": _show,
    "deviation": _deviation,
    "vendor": _vendor,
    "plugin": _plugin,
}
