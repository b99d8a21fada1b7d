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

_FIELDS = ("id", "name", "visibility", "state", "cases", "patients", "sites", "root", "reason")


def run(arguments: argparse.Namespace) -> int:
    """Do one verb."""
    _VERBS[arguments.verb](arguments)
    return 0


def _add(arguments: argparse.Namespace) -> None:
    folder = arguments.files or arguments.table.parent
    table = read_table(arguments.table, folder)
    description = read_document(arguments.description) if arguments.description else {}
    with connect() as client, _file_progress() as progress:
        hashing = progress.add_task("hashing", total=len(table.files))
        files = hash_files(folder, table.files, lambda n: progress.advance(hashing, n))
        described = hash_file(table.path, table.path.name)
        cohort = arguments.cohort or _open(client, arguments, description)
        sending = progress.add_task("sending", total=len(files) + 1)
        sources = {table.path: described} | {folder / f.path: f for f in files}
        send_files(client, cohort, sources, lambda n: progress.advance(sending, n))
        try:
            close(client, cohort, described, table.format, files)
        except ApiError as error:
            raise placed(error, arguments.table) from error
    print(cohort)


def _open(client: ApiClient, arguments: argparse.Namespace, description: dict[str, Any]) -> str:
    request = {
        "name": arguments.name,
        "visibility": "public" if arguments.public else "hidden",
        "description": description,
    }
    cohort = str(client.post("/cohorts", request)["id"])
    print(f"opened {cohort}; if this stops, repeat it with --cohort {cohort}", file=sys.stderr)
    return cohort


def _show(arguments: argparse.Namespace) -> None:
    with connect() as client:
        if arguments.cohort is None:
            found = client.get("/cohorts")
            cohorts = found["cohorts"] if isinstance(found, dict) else found
            print_json(cohorts) if arguments.json else print_rows(
                cohorts, ("id", "visibility", "state", "name")
            )
            return
        cohort = client.get(f"/cohorts/{arguments.cohort}")
    if arguments.json:
        print_json(cohort)
        return
    print_fields(cohort, _FIELDS)
    for problem in cohort.get("problems") or ():  # the owner's eyes only
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


_VERBS = {"add": _add, "show": _show, "terms": _terms}
