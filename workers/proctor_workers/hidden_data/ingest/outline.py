"""The outline of an ingest: original files and a table become an immutable cohort."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from proctor_sdk.merkle import root as merkle_root
from proctor_workers.hidden_data.blocks import (
    CASES_A_BLOCK,
    Case,
    EarlierCase,
    block_summary,
    cases_document,
    write_facts,
    write_files,
    write_fingerprints,
    write_reference,
)
from proctor_workers.hidden_data.deidentify.annex_e import keywords_of
from proctor_workers.hidden_data.deidentify.profile import BurnedIn, Deidentification, Option
from proctor_workers.hidden_data.deidentify.table_text import cleaned_row, scan_table
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.ingest.case_pool import CasePool
from proctor_workers.hidden_data.ingest.case_work import (
    CaseDone,
    CaseJob,
    Setting,
    crashed,
    work,
)
from proctor_workers.hidden_data.ingest.counts import CaseCounts
from proctor_workers.hidden_data.ingest.destinations import Destination
from proctor_workers.hidden_data.ingest.journal import Journal, ReadAgain, work_key
from proctor_workers.hidden_data.ingest.named_files import with_files
from proctor_workers.hidden_data.ingest.report import Ingested, IngestReport
from proctor_workers.hidden_data.ingest.sources import Source
from proctor_workers.hidden_data.ingested import IngestedCase
from proctor_workers.hidden_data.leak_audit.audit import acquisition_attributes, audit
from proctor_workers.hidden_data.plan import IngestPlan
from proctor_workers.hidden_data.problems import Problems
from proctor_workers.hidden_data.pseudonyms import Pseudonyms
from proctor_workers.hidden_data.quality.assessment import assess
from proctor_workers.hidden_data.quality.report_html import render_html, render_text
from proctor_workers.hidden_data.quality.summary import summary
from proctor_workers.hidden_data.rows import Row
from proctor_workers.hidden_data.table import read_rows
from proctor_workers.hidden_data.versions import assigned_blocks

PROCESSES = 2
FACTS = "facts.parquet"
# A reader that crashed may have lacked memory: the next try asks again.
NOT_TRIED_ENOUGH = "file.reader_failed"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """What is to be ingested, from where, to where.

    `folder` is this machine's own: it holds the journal, by which an ingest that was stopped goes
    on, and the scratch space. `complete`: every file of the source must be named by a case.
    `earlier` is what the version before keeps of each case, by pseudonym: a case stays in its
    block, so that its files stay where they are, and keeps its files if its row names none.
    """

    plan: IngestPlan
    table: Path
    table_format: str
    source: Source
    destination: Destination
    pseudonyms: Pseudonyms
    folder: Path
    at_home: bool = False
    processes: int = PROCESSES
    earlier: Mapping[str, EarlierCase] = field(default_factory=dict)


def ingest_cohort(job: Ingest, progress: Progress = lambda _done, _total: None) -> Ingested:
    """Make a cohort, the same one however often it is done or stopped.

     1. the table is read, and every row of it checked; a mistake there ends it
     2. cases are shuffled and cut into blocks under the cohort's key
     3. every case is read, made safe and kept once, in processes of their own
     4. blocks, reference standard and root are written
     5. quality report and leak audit say what holds the cohort back

    Raises:
        ProctorError: a source or the destination failed; done again it resumes.
    """
    problems = Problems()
    stamps = job.source.stamps()
    rows = _rows(job, stamps, problems)  # 1
    if problems:
        return _refused(problems)
    rows.sort(key=lambda row: job.pseudonyms.order(row.case))  # 2
    job.folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(job.folder / "journal.jsonl")
    try:
        cases = _Cases(job, rows, _keys(job, rows, stamps), journal)
        cases.work(progress)  # 3
        if len(cases.left_out) == len(rows):
            return _none_left(cases)
        return _finished(job, cases)  # 4, 5
    finally:
        journal.close()


def named_rows(job: Ingest) -> list[Row]:
    """Return the rows of a table that has no problems, with the partner's own names."""
    return _rows(job, job.source.stamps(), Problems())


def _rows(job: Ingest, stamps: Mapping[str, str], problems: Problems) -> list[Row]:
    rows = read_rows(job.table, job.table_format, problems)
    rows = with_files(rows, job.source, stamps, problems, complete=not job.at_home)
    columns = job.plan.deidentification.text_columns
    if columns:
        keys = job.pseudonyms.patient_keys
        rows = [cleaned_row(row, columns, keys(row.patient)) for row in rows]
    return rows


def _keys(job: Ingest, rows: Sequence[Row], stamps: Mapping[str, str]) -> list[str]:
    """Return what each case is known by in the journal: a digest of all that it is made of.

    A case without files is made of its row alone, at once: it needs no journal.
    """
    made, identity = (job.plan.as_dict(), version("proctor")), job.pseudonyms.uid("journal")
    return [
        work_key(identity, made, asdict(row), [stamps[name] for name in named]) if named else ""
        for row in rows
        for named in [(*row.files, *((row.reference_file,) if row.reference_file else ()))]
    ]


class _Cases:
    """The cases of a cohort in their shuffled order, worked on or to be worked on."""

    def __init__(
        self, job: Ingest, rows: Sequence[Row], keys: Sequence[str], journal: Journal
    ) -> None:
        self.rows = rows
        self.left_out: dict[int, Finding] = {}
        self._job, self._keys, self._journal = job, keys, journal
        names = [job.pseudonyms.case(row.case) for row in rows]
        kept = {name: job.earlier[name].block for name in names if name in job.earlier}
        self.blocks = assigned_blocks(names, kept, CASES_A_BLOCK)

    def work(self, progress: Progress) -> None:
        """Work on the cases that the journal has not."""
        missing = [
            CaseJob(number, row, self.blocks[number])
            for number, row in enumerate(self.rows)
            if self._keys[number] and not self._is_kept(number)
        ]
        total = len(self.rows)
        progress(total - len(missing), total)
        with TemporaryDirectory(dir=self._job.folder) as scratch:
            setting = Setting(
                plan=self._job.plan,
                source=self._job.source,
                destination=self._job.destination,
                pseudonyms=self._job.pseudonyms,
                scratch=Path(scratch),
            )
            with CasePool(work, setting, crashed, processes=self._job.processes) as pool:
                for count, done in enumerate(pool.done(missing), start=total - len(missing) + 1):
                    if done.refusal is None or done.refusal.code != NOT_TRIED_ENOUGH:
                        self._journal.add(self._keys[done.number], done)
                    self._note(done)
                    progress(count, total)

    def _is_kept(self, number: int) -> bool:
        """Tell whether an earlier try did this case, and its files are still where it put them."""
        if self._keys[number] not in self._journal:
            return False
        done, where = self._done(number), self._job.destination
        self._note(done)
        return all(where.has_file(self.blocks[number], one) for one in done.files)

    def _note(self, done: CaseDone) -> None:
        if done.refusal is not None:
            self.left_out[done.number] = self._named(done.number, done.refusal)

    def _row(self, number: int) -> Row:
        row = self.rows[number]
        return row if self._job.at_home else without_names(row)

    def _named(self, number: int, finding: Finding) -> Finding:
        row, shown = self.rows[number], self._row(number)
        names = dict(zip(row.files, shown.files, strict=True))
        return replace(finding, case=shown.case, file=names.get(finding.file, ""))

    def _done(self, number: int) -> CaseDone:
        row = self.rows[number]
        if self._keys[number]:
            done = self._journal.read(self._keys[number], number)
        else:
            done = CaseDone(number=number, reference_outputs=row.reference_outputs)
        earlier = self._job.earlier.get(self._job.pseudonyms.case(row.case))
        if row.files or earlier is None:
            return done
        return replace(
            done,
            files=earlier.files,
            forms=earlier.forms,
            facts=earlier.facts,
            artefacts=earlier.artefacts,
        )

    def ingested(self, number: int) -> IngestedCase:
        """Return a case that was worked on, under its public names."""
        names, row, done = self._job.pseudonyms, self.rows[number], self._done(number)
        case = Case(
            id=names.case(row.case),
            patient=names.patient(row.patient),
            imaging_study=names.imaging_study(row.imaging_study),
            row=self._row(number),
            files=done.files,
            reference_outputs=done.reference_outputs,
            rater_kinds=self._job.plan.raters,
            acquisition=acquisition_attributes(done.facts),
        )
        return IngestedCase(
            case=case,
            facts=done.facts,
            artefacts=done.artefacts,
            findings=tuple(self._named(number, finding) for finding in done.findings),
            actions=done.actions,
            forms=done.forms,
        )


def without_names(row: Row) -> Row:
    """Return a row as it is spoken of away from home: by its number in the partner's table."""
    files = tuple(f"file {place} of row {row.number}" for place in range(1, len(row.files) + 1))
    return replace(row, case=f"row {row.number}", files=files)


def _finished(job: Ingest, cases: _Cases) -> Ingested:
    kept = [number for number in range(len(cases.rows)) if number not in cases.left_out]
    ingested = ReadAgain(len(kept), lambda place: cases.ingested(kept[place]))
    with TemporaryDirectory(dir=job.folder) as scratch:
        report = _written(job, kept, ingested, cases, Path(scratch))  # 4
    return _assessed(job, cases, ingested, report)  # 5


def _written(
    job: Ingest,
    kept: Sequence[int],
    cases: Sequence[IngestedCase],
    found: _Cases,
    folder: Path,
) -> IngestReport:
    """Write blocks, tables and root."""
    rows = found.rows
    blocks = list(_blocks(job, [found.blocks[number] for number in kept], cases))
    by_id = sorted(range(len(kept)), key=lambda place: job.pseudonyms.case(rows[kept[place]].case))
    ordered = ReadAgain(len(by_id), lambda place: cases[by_id[place]].case)
    writers = {
        "reference.parquet": write_reference,
        "files.parquet": write_files,
        "fingerprints.parquet": write_fingerprints,
    }
    write_facts(((cases[place].case.id, cases[place]) for place in by_id), folder / FACTS)
    job.destination.put_reference(FACTS, folder / FACTS)
    digests = {}
    for name, write in writers.items():
        write(ordered, folder / name)
        digests[name] = _digest(folder / name)
        job.destination.put_reference(name, folder / name)
    counted, leaves = CaseCounts(), []
    for case in ordered:
        counted.add_row(case.reference())
        leaves.append(case.leaf())
    return IngestReport(
        root=merkle_root(leaves),
        reference_sha256=digests["reference.parquet"],
        blocks=blocks,
        **counted.as_dict(),
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _blocks(
    job: Ingest, blocks: Sequence[str], cases: Sequence[IngestedCase]
) -> Iterator[dict[str, Any]]:
    places: dict[str, list[int]] = {}
    for place, block in enumerate(blocks):
        places.setdefault(block, []).append(place)
    for block, members in places.items():
        held = [cases[place].case for place in members]
        document = cases_document(held)
        job.destination.put_cases(block, document)
        yield block_summary(block, held, document)


def _assessed(
    job: Ingest, found: _Cases, cases: Sequence[IngestedCase], report: IngestReport
) -> Ingested:
    left_out = tuple(found.left_out.values())
    leaks = audit(cases, seed=int(report.root[:8], 16))
    quality = assess(
        cases,
        labels=frozenset(job.plan.reference_labels.values()),
        others=(
            *left_out,
            *scan_table(found.rows),
            *leaks.findings,
            *_not_searched(job.plan.deidentification, cases),
        ),
        today=datetime.now(UTC).date(),
    )
    quality = replace(
        quality,
        overrides=job.plan.overrides,
        leaks=leaks,
        root=report.root,
        deidentification=job.plan.as_dict()["deidentification"],
    )
    done: Counter[str] = Counter()
    forms: set[str] = set()
    for case in cases:
        done.update(case.actions)
        forms.update(case.forms)
    grouped = summary(quality.findings)
    errors = {one["key"] for one in grouped if one["severity"] == Severity.ERROR}
    whole = replace(
        report,
        forms=tuple(sorted(forms)),
        findings=tuple(grouped),
        overrides=tuple(asdict(one) for one in job.plan.overrides if one.finding in errors),
        headers=_headers(job.plan.deidentification),
        deidentified=dict(sorted(done.items())),
        deidentification=job.plan.as_dict()["deidentification"],
        left_out=dict(Counter(finding.code for finding in left_out)),
        confounders=tuple(leaks.confounders),
    )
    return Ingested(
        report=whole,
        quality_html=render_html(quality),
        quality_json=json.dumps(quality.as_dict(), ensure_ascii=False, indent=1),
        quality_text=render_text(quality),
    )


def _not_searched(chosen: Deidentification, cases: Sequence[IngestedCase]) -> tuple[Finding, ...]:
    """Return the warning that nobody looked for text in a cohort's pictures."""
    searched = chosen.burned_in is not BurnedIn.KEEP or Option.CLEAN_PIXEL_DATA in chosen.options
    pictures = sum(any(file.role == "image" for file in one.case.files) for one in cases)
    if searched or not pictures:
        return ()
    return (
        Finding(
            code="pixels.not_searched",
            severity=Severity.WARNING,
            message=f"Nobody looked for text in the pictures of {pictures} cases.",
            cure="Set burned_in to quarantine or blank, unless the source burns in none.",
        ),
    )


def _headers(chosen: Deidentification) -> tuple[str, ...]:
    """Return the DICOM fields beyond the technical ones that may stand in the cohort's files."""
    kept = {keyword for option in chosen.options for keyword in keywords_of(option)}
    if chosen.private_tags:
        kept.add("PrivateElements")
    if Option.CLEAN_GRAPHICS in chosen.options:
        kept.add("OverlayData")
    return tuple(sorted(kept.union(chosen.headers)))


def _none_left(cases: _Cases) -> Ingested:
    """Refuse a cohort of which no case could be taken; nothing of it was kept."""
    problems = Problems()
    for number, refusal in sorted(cases.left_out.items()):
        problems.add(cases.rows[number].number, "files", refusal.message, refusal.cure)
    return _refused(problems)


def _refused(problems: Problems) -> Ingested:
    found = tuple(problem.as_dict() for problem in problems)
    return Ingested(report=IngestReport(problems=found, problem_count=problems.count))
