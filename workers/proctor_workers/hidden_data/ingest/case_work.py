"""What is done to one case, in a process of its own: fetch, read, make safe, keep."""

import logging
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from proctor_backend.domain.errors import ProctorError
from proctor_workers.hidden_data.blocks import StoredFile
from proctor_workers.hidden_data.case_files import (
    CanonicalFile,
    CaseContent,
    Fact,
    Grid,
    QuarantineError,
    ReadRequest,
    Refusal,
    SourceFile,
    UnreadableFileError,
)
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.formats.registry import read_case
from proctor_workers.hidden_data.ingest.destinations import Destination
from proctor_workers.hidden_data.ingest.sources import Source
from proctor_workers.hidden_data.plan import IngestPlan
from proctor_workers.hidden_data.pseudonyms import Pseudonyms
from proctor_workers.hidden_data.reference_objects import reference_outputs
from proctor_workers.hidden_data.rows import Row

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is the same for all cases of a cohort."""

    plan: IngestPlan
    source: Source
    destination: Destination
    pseudonyms: Pseudonyms
    scratch: Path


@dataclass(frozen=True, slots=True)
class CaseJob:
    """One row of the table to be worked on, and the block its case belongs to."""

    number: int
    row: Row
    block: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDone:
    """What came of a case; with a refusal nothing of it is kept."""

    number: int
    refusal: Finding | None = None
    files: tuple[StoredFile, ...] = ()
    forms: tuple[str, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    artefacts: Mapping[str, Fact] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    actions: Mapping[str, int] = field(default_factory=dict)
    reference_outputs: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the form that the journal keeps."""
        return {
            "refusal": self.refusal.as_dict() if self.refusal else None,
            "files": [asdict(file) for file in self.files],
            "forms": list(self.forms),
            "facts": dict(self.facts),
            "artefacts": dict(self.artefacts),
            "findings": [finding.as_dict() for finding in self.findings],
            "actions": dict(self.actions),
            "reference_outputs": self.reference_outputs,
        }

    @classmethod
    def from_dict(cls, number: int, document: Mapping[str, Any]) -> Self:
        """Read it back."""
        refusal = document["refusal"]
        return cls(
            number=number,
            refusal=Finding.from_dict(refusal) if refusal else None,
            files=tuple(StoredFile(**file) for file in document["files"]),
            forms=tuple(document["forms"]),
            facts=document["facts"],
            artefacts=document["artefacts"],
            findings=tuple(Finding.from_dict(one) for one in document["findings"]),
            actions=document["actions"],
            reference_outputs=document["reference_outputs"],
        )


def work(setting: Setting, job: CaseJob) -> CaseDone:
    """Do everything to one case: 1 fetch 2 read 3 reference standard 4 keep."""
    with TemporaryDirectory(dir=setting.scratch) as folder:
        try:
            return _worked(setting, job, Path(folder))
        except UnreadableFileError as exc:
            return _refused(job, exc)
        except ProctorError:
            raise  # the store is away, or holds what was not announced: no fault of this case
        except Exception as exc:  # noqa: BLE001 - foreign bytes must not end the ingest of others
            # Where and what, never its words: libraries quote names of files and of patients.
            LOG.error("row %d: a reader failed: %s", job.row.number, _where(exc))  # noqa: TRY400
            return CaseDone(
                number=job.number,
                refusal=_finding(
                    job, "file.reader_failed", "makes its reader fail", "Leave the case out."
                ),
            )


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"


def _worked(setting: Setting, job: CaseJob, folder: Path) -> CaseDone:
    row = job.row
    originals, written = folder / "originals", folder / "canonical"
    originals.mkdir()
    written.mkdir()
    content = CaseContent(files=())
    if row.files:
        files = tuple(_fetched(setting, name, originals) for name in row.files)  # 1
        content = read_case(  # 2
            ReadRequest(
                files=files,
                keys=setting.pseudonyms.patient_keys(row.patient),
                deidentification=setting.plan.deidentification,
                form=setting.plan.form,
                folder=written,
            )
        )
    outputs, findings = _truth(setting, row, content.grid, originals)  # 3
    stored = tuple(_kept(setting, job, file) for file in content.files)  # 4
    return CaseDone(
        number=job.number,
        files=stored,
        forms=tuple(sorted({Path(file.name).suffix[1:] for file in content.files})),
        facts=_facts(setting, content),
        artefacts=content.artefacts,
        findings=tuple(_placed(row, one) for one in (*content.findings, *findings)),
        actions=content.actions,
        reference_outputs=outputs,
    )


def _facts(setting: Setting, content: CaseContent) -> dict[str, Fact]:
    facts = dict(content.facts)
    if "scanner" in facts:
        facts["scanner"] = setting.pseudonyms.scanner(str(facts["scanner"]))
    return facts


def _fetched(setting: Setting, name: str, folder: Path) -> SourceFile:
    return SourceFile(name=name, path=setting.source.fetch(name, folder))


def _truth(
    setting: Setting, row: Row, grid: Grid | None, originals: Path
) -> tuple[str | None, tuple[Finding, ...]]:
    """Return the reference's outputs: from the table, or from the reference file."""
    if row.reference_file is None:
        return row.reference_outputs, ()
    file = _fetched(setting, row.reference_file, originals)
    outputs, findings = reference_outputs(file, labels=setting.plan.reference_labels, grid=grid)
    if isinstance(outputs, Refusal):
        raise UnreadableFileError(outputs.what, outputs.cure, file=row.reference_file)
    return outputs, tuple(findings)


def _kept(setting: Setting, job: CaseJob, file: CanonicalFile) -> StoredFile:
    stored = StoredFile.of(file, setting.pseudonyms)
    setting.destination.put_file(job.block, stored, file.path)
    return stored


def _refused(job: CaseJob, error: UnreadableFileError) -> CaseDone:
    held = isinstance(error, QuarantineError)
    code = "case.quarantined" if held else "file.unreadable"
    refusal = _finding(job, code, error.refusal.what, error.refusal.cure, file=error.file)
    return CaseDone(number=job.number, refusal=refusal)


def crashed(job: CaseJob, what: str) -> CaseDone:
    """Return what is noted of a case whose reader took its process down, or never ended."""
    return CaseDone(
        number=job.number,
        refusal=_finding(
            job, "file.reader_failed", what, "Leave the case out, or export it again."
        ),
    )


def _finding(job: CaseJob, code: str, message: str, cure: str, *, file: str = "") -> Finding:
    named = file or next(iter(job.row.files), "")
    return Finding(
        code=code,
        severity=Severity.ERROR,
        message=message,
        cure=cure,
        case=job.row.case,
        file=named,
    )


def _placed(row: Row, finding: Finding) -> Finding:
    """Return the finding with the case that it was made in."""
    return finding if finding.case else Finding.from_dict(finding.as_dict() | {"case": row.case})
