"""`proctor-worker ingest`: makes a cohort where the data is, and sends what may leave."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from proctor_backend.domain.cohort import blocking
from proctor_backend.domain.errors import InvalidInputError
from proctor_sdk.canonical import sha256_hex
from proctor_sdk.client import ApiClient
from proctor_sdk.cohort_table import CohortFile
from proctor_sdk.cohort_upload import send_files
from proctor_sdk.configuration import load_configuration
from proctor_sdk.encrypt import decode_key, encode_key
from proctor_workers.hidden_data.ingest.destinations import FolderDestination, Nowhere
from proctor_workers.hidden_data.ingest.outline import Ingest, ingest_cohort, named_rows
from proctor_workers.hidden_data.ingest.plan_file import PlanFile, read_plan
from proctor_workers.hidden_data.ingest.prepared import write_index, write_map
from proctor_workers.hidden_data.ingest.report import Ingested
from proctor_workers.hidden_data.pseudonyms import Pseudonyms

FORMATS = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
# One key, one set of pseudonyms: what a plan makes does not depend on where it is sent.
_NAMESPACE = "prepared"


def run(arguments: argparse.Namespace) -> int:
    """Ingest; 0 when the cohort can be published, 1 when something holds it back."""
    plan = read_plan(arguments.plan)
    ingested = _dry(plan) if arguments.dry_run else _kept(plan)
    if ingested.report.problems:
        _print_problems(plan, ingested)
        return 1
    print(ingested.quality_text)
    if arguments.dry_run:
        return int(bool(_held(ingested)))
    print(
        f"\nThe cohort lies in {plan.out / 'cohort'}; what never leaves, in {plan.out / 'private'}."
    )
    if arguments.send:
        print(_sent_once(plan, ingested, arguments.version_of))
    return int(bool(_held(ingested)))


def _held(ingested: Ingested) -> list[Mapping[str, Any]]:
    return blocking(ingested.report.findings, ingested.report.overrides)


def _dry(plan: PlanFile) -> Ingested:
    """Read everything and keep nothing: no file is made but in a scratch folder that goes again."""
    with TemporaryDirectory() as folder, _progress("reading") as advance:
        key = _key(plan.key) if plan.key.exists() else os.urandom(32)
        return ingest_cohort(_job(plan, Nowhere(), key, Path(folder)), advance)


def _kept(plan: PlanFile) -> Ingested:
    cohort, private = plan.out / "cohort", plan.out / "private"
    private.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = _key(plan.key) if plan.key.exists() else _new_key(plan.key)
    job = _job(plan, FolderDestination(cohort), key, private)
    with _progress("ingesting") as advance:
        ingested = ingest_cohort(job, advance)
    if not ingested.report.problems:
        write_map(private / "map.parquet", named_rows(job), job.pseudonyms)
        write_index(cohort, ingested)
        for form, text in (("html", ingested.quality_html), ("json", ingested.quality_json)):
            path = plan.out / f"quality.{form}"
            path.touch(mode=0o600)  # it has the partner's own names of cases
            path.write_text(text, "utf-8")
    return ingested


def _job(
    plan: PlanFile, destination: FolderDestination | Nowhere, key: bytes, folder: Path
) -> Ingest:
    suffix = plan.table.suffix.lower()
    if suffix not in FORMATS or not plan.table.is_file():
        raise InvalidInputError(
            f"{plan.table} is no table of cases.", cure="Name a CSV or Parquet file under cases."
        )
    return Ingest(
        plan=plan.plan,
        table=plan.table,
        table_format=FORMATS[suffix],
        source=plan.source,
        destination=destination,
        pseudonyms=Pseudonyms(key, _NAMESPACE),
        folder=folder,
        at_home=True,
        processes=plan.processes,
    )


def _key(path: Path) -> bytes:
    return decode_key(path.read_text("ascii"))


def _new_key(path: Path) -> bytes:
    key = os.urandom(32)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(encode_key(key), "ascii")
    print(f"made {path}: keep it, it is the only way back to a patient", file=sys.stderr)
    return key


def _sent_once(plan: PlanFile, ingested: Ingested, previous: str | None) -> str:
    """Send a cohort that was not sent yet: twice the same patients must not be two cohorts."""
    note, root = plan.out / "private" / "sent.json", ingested.report.root
    known = json.loads(note.read_text("utf-8")) if note.exists() else {}
    if known.get("root") == root:
        print(f"this very cohort was sent already, as {known['cohort']}", file=sys.stderr)
        return str(known["cohort"])
    if known and previous is None:
        raise InvalidInputError(
            f"This plan was sent before, as {known['cohort']}.",
            cure="Send what changed with --version-of, or give another cohort another plan.",
        )
    cohort = _sent(plan, ingested, previous)
    note.write_text(json.dumps({"root": root, "cohort": cohort}), "utf-8")
    return cohort


def _sent(plan: PlanFile, ingested: Ingested, previous: str | None) -> str:
    """Send what lies in `cohort/` and return the cohort's id."""
    index = write_index(plan.out / "cohort", ingested)
    content = index.as_bytes()
    named = CohortFile(path="index.json", sha256=sha256_hex(content), size=len(content))
    configuration = load_configuration()
    with ApiClient(configuration.url, configuration.token) as client:
        cohort = _opened(client, plan, previous)
        sources = {
            plan.out / "cohort" / part.path: CohortFile(
                path=part.path, sha256=part.sha256, size=part.size
            )
            for part in index.parts
        }
        sources[plan.out / "cohort" / "index.json"] = named
        with _progress("sending") as advance:
            sent = 0

            def step(count: int) -> None:
                nonlocal sent
                sent += count
                advance(sent, len(sources))

            send_files(client, cohort, sources, step)
        client.post(f"/cohorts/{cohort}/close", {"index_sha256": named.sha256})
    return cohort


def _opened(client: ApiClient, plan: PlanFile, previous: str | None) -> str:
    if previous:
        return str(client.post(f"/cohorts/{previous}/versions", {})["id"])
    request = {
        "name": plan.name,
        "visibility": plan.visibility,
        "description": dict(plan.description),
    }
    return str(client.post("/cohorts", request)["id"])


def _print_problems(plan: PlanFile, ingested: Ingested) -> None:
    report = ingested.report
    for problem in report.problems:
        row, column = problem["row"], problem["column"]
        place = ", ".join(part for part in (f"row {row}" if row else "", column) if part)
        print(f"{plan.table}: {place or 'table'}: {problem['what']}. {problem['cure']}")
    more = report.problem_count - len(report.problems)
    print(
        f"{report.problem_count} problems; nothing was kept." + (f" {more} more." if more else "")
    )


@contextmanager
def _progress(what: str) -> Iterator[Any]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    shown = Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    )
    with shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
