"""`proctor status`: an entry as the platform shows it, with what to do after a failure."""

import argparse
import sys
from typing import Any

from proctor_sdk.commands.connection import connect, print_fields, print_json, print_rows
from proctor_sdk.reasons import ReasonCode

_FIELDS = (
    "id",
    "study",
    "code_name",
    "model",
    "version",
    "vendor",
    "state",
    "created_at",
    "report",
)


def run(arguments: argparse.Namespace) -> int:
    """Print one entry, its log, or all entries."""
    with connect() as client:
        if arguments.entry is None:
            found = client.get("/entries")
            entries = found["entries"] if isinstance(found, dict) else found
            print_json(entries) if arguments.json else print_rows(
                entries, ("id", "state", "reason_code", "model", "version", "code_name")
            )
            return 0
        if arguments.logs:
            return _logs(client.get(f"/entries/{arguments.entry}/conformance"), arguments)
        view = client.get(f"/entries/{arguments.entry}")
    print_json(view) if arguments.json else print_entry(view)
    return 0


def print_entry(view: dict[str, Any]) -> None:
    """Print an entry; a reason code comes with its sentence and cure."""
    print_fields(view, _FIELDS)
    _reason(view.get("reason_code"))


def _logs(found: dict[str, Any], arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json(found)
        return 0
    print(f"run on public cases: {found['state']}", file=sys.stderr)
    if found.get("detail"):
        print(found["detail"], file=sys.stderr)
    print(found.get("log") or "", end="")
    _reason(found.get("reason_code"), file=sys.stderr)
    return 0


def _reason(code: str | None, file: Any = None) -> None:
    if not code:
        return
    known = ReasonCode(code) if code in set(ReasonCode) else None
    print(f"reason  {code}" + (f": {known.sentence}" if known else ""), file=file)
    if known:
        print(f"cure    {known.cure}", file=file)
