"""`proctor cohort`: checks a partner's table, sends it and its files; ingest is the platform's."""

import argparse
import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from proctor_sdk.client import ApiClient, ApiError
from proctor_sdk.cohort_table import hash_file, hash_files, read_table
from proctor_sdk.cohort_upload import close, send_files
from proctor_sdk.commands.connection import (
    connect,
    placed,
    print_fields,
    print_json,
    print_rows,
    read_document,
)
from proctor_sdk.errors import ProctorSdkError

_FIELDS = (
    "id", "name", "version", "previous", "visibility", "state", "cases", "patients", "sites",
    "root", "withdrawal",
)  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Do one verb."""
    _VERBS[arguments.verb](arguments)
    return 0


def _add(arguments: argparse.Namespace) -> None:
    description = read_document(arguments.description) if arguments.description else {}
    request = {
        "name": arguments.name,
        "visibility": "public" if arguments.public else "hidden",
        "description": description,
    }
    _send(arguments, "/cohorts", request)


def _version(arguments: argparse.Namespace) -> None:
    if bool(arguments.table) == bool(arguments.without):
        raise ProctorSdkError(
            "version_of_what",
            "A version is made of a new table, or of the one before without some cases.",
            cure="Give a table of cases, or --without, one of both.",
        )
    request = {}
    if arguments.description:
        request["description"] = read_document(arguments.description)
    versions = f"/cohorts/{arguments.of}/versions"
    if arguments.table:
        _send(arguments, versions, request)
        return
    with connect() as client:
        cohort = arguments.cohort or _open(client, versions, request)
        client.post(f"/cohorts/{cohort}/close", {"without": arguments.without})
    print(cohort)


def _send(arguments: argparse.Namespace, path: str, request: dict[str, Any]) -> None:
    """Open a cohort or a version at `path`, and send the table with its files."""
    folder = arguments.files or arguments.table.parent
    table = read_table(arguments.table, folder)
    with connect() as client, _file_progress() as progress:
        hashing = progress.add_task("hashing", total=len(table.files))
        files = hash_files(folder, table.files, lambda n: progress.advance(hashing, n))
        described = hash_file(table.path, table.path.name)
        cohort = arguments.cohort or _open(client, path, request)
        sending = progress.add_task("sending", total=len(files) + 1)
        sources = {table.path: described} | {folder / f.path: f for f in files}
        send_files(client, cohort, sources, lambda n: progress.advance(sending, n))
        try:
            close(client, cohort, described, table.format, files)
        except ApiError as error:
            raise placed(error, arguments.table) from error
    print(cohort)


def _open(client: ApiClient, path: str, request: dict[str, Any]) -> str:
    cohort = str(client.post(path, request)["id"])
    print(f"opened {cohort}; if this stops, repeat it with --cohort {cohort}", file=sys.stderr)
    return cohort


def _show(arguments: argparse.Namespace) -> None:
    with connect() as client:
        if arguments.cohort is None:
            found = client.get("/cohorts")
            cohorts = found["cohorts"] if isinstance(found, dict) else found
            print_json(cohorts) if arguments.json else print_rows(
                cohorts, ("id", "visibility", "state", "version", "name")
            )
            return
        cohort = client.get(f"/cohorts/{arguments.cohort}")
    if arguments.json:
        print_json(cohort)
        return
    print_fields(cohort, _FIELDS)
    for finding in cohort.get("findings") or ():  # the owner's eyes only, like the problems
        times = f" ({finding['count']} times)" if finding.get("count", 1) > 1 else ""
        print(f"{finding['severity']} {finding['key']}{times}: {finding['message']}")
    for override in cohort.get("overrides") or ():
        print(f"overridden {override['finding']}: {override['reason']}")
    for problem in cohort.get("problems") or ():
        place = f"row {problem['row']}" if problem.get("row") else "table"
        column = f", {problem['column']}" if problem.get("column") else ""
        print(f"{place}{column}: {problem['what']}\n  cure: {problem['cure']}")


def _terms(arguments: argparse.Namespace) -> None:
    terms = read_document(arguments.terms)
    with connect() as client:
        try:
            client.put(f"/cohorts/{arguments.cohort}/terms", terms)
        except ApiError as error:
            raise placed(error, arguments.terms) from error
    print(f"set the terms of {arguments.cohort}")


def _file_progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


_VERBS = {"add": _add, "version": _version, "show": _show, "terms": _terms}
