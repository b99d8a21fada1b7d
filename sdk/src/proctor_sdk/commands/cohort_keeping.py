"""`proctor cohort`, after ingest: quality, overrides, comparison, withdrawal, reference queries."""

import argparse

from proctor_sdk.client import ApiClient
from proctor_sdk.commands.connection import (
    ask_password,
    connect,
    print_json,
    print_rows,
)
from proctor_sdk.errors import ProctorSdkError


def run(arguments: argparse.Namespace) -> int:
    """Do one verb."""
    with connect() as client:
        _VERBS[arguments.verb](client, arguments)
    return 0


def _quality(client: ApiClient, arguments: argparse.Namespace) -> None:
    """Write the report to a file, a page if its name ends so, or print it."""
    out = arguments.out
    form = "html" if out is not None and out.suffix in {".html", ".htm"} else "json"
    content = client.get_bytes(f"/cohorts/{arguments.cohort}/quality?form={form}")
    if out is None:
        print(content.decode("utf-8"))
        return
    out.write_bytes(content)
    print(f"wrote {out}")


def _override(client: ApiClient, arguments: argparse.Namespace) -> None:
    request = {
        "finding": arguments.finding,
        "reason": arguments.reason,
        "password": ask_password(from_stdin=arguments.password_stdin),
    }
    cohort = client.post(f"/cohorts/{arguments.cohort}/overrides", request)
    print(f"overrode {arguments.finding}; the cohort is {cohort['state']}")


def _compare(client: ApiClient, arguments: argparse.Namespace) -> None:
    found = client.get(f"/cohorts/{arguments.cohort}/compare", **{"with": arguments.other})
    if arguments.json:
        print_json(found)
        return
    print(f"version {found['older']['version']} to version {found['newer']['version']}")
    for name, count in found["counts"].items():
        print(f"{name:<12}{count}")
    for column, count in found["columns"].items():
        print(f"  {column}: {count} cases")


def _withdraw(client: ApiClient, arguments: argparse.Namespace) -> None:
    password = ask_password(from_stdin=arguments.password_stdin)
    request = {"reason": arguments.reason, "password": password}
    client.post(f"/cohorts/{arguments.cohort}/withdraw", request)
    print(f"withdrew {arguments.cohort}")


def _withdraw_patient(client: ApiClient, arguments: argparse.Namespace) -> None:
    # Asked for rather than given: a shell keeps what is typed on its command line.
    patient = ask_password(from_stdin=arguments.password_stdin, prompt="Patient: ")
    password = ask_password(from_stdin=arguments.password_stdin)
    if not patient:
        raise ProctorSdkError("patient_missing", "No patient was named.")
    request = {"patient": patient, "reason": arguments.reason, "password": password}
    asked = client.post(f"/cohorts/{arguments.cohort}/patients/withdraw", request)
    print(asked["id"])


def _withdrawals(client: ApiClient, arguments: argparse.Namespace) -> None:
    found = client.get(f"/cohorts/{arguments.cohort}/withdrawals")["withdrawals"]
    if arguments.json:
        print_json(found)
        return
    print_rows(found, ("id", "state", "created_at", "cases", "made", "problem"))


def _queries(client: ApiClient, arguments: argparse.Namespace) -> None:
    found = client.get("/queries")["queries"]
    if arguments.json:
        print_json(found)
        return
    print_rows(found, ("id", "state", "cohort", "case", "answer", "question"))


def _answer(client: ApiClient, arguments: argparse.Namespace) -> None:
    request = {"answer": arguments.answer.replace("-", "_"), "text": arguments.text}
    client.post(f"/queries/{arguments.query}/answer", request)
    print(f"answered {arguments.query}")


_VERBS = {
    "quality": _quality,
    "override": _override,
    "compare": _compare,
    "withdraw": _withdraw,
    "withdraw-patient": _withdraw_patient,
    "withdrawals": _withdrawals,
    "queries": _queries,
    "answer": _answer,
}
