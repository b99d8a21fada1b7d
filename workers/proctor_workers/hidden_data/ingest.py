"""The outline of an ingest: an upload becomes an immutable cohort, or a list of problems."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from proctor_backend.domain.errors import DataError, NotFoundError
from proctor_backend.domain.keys import cases_key, file_key, reference_key, upload_key
from proctor_backend.objects import ObjectStore
from proctor_sdk.canonical import sha256_hex
from proctor_sdk.merkle import root as merkle_root
from proctor_workers.hidden_data.blocks import (
    CASES_A_BLOCK,
    Case,
    StoredFile,
    block_summary,
    cases_document,
    files_table,
    reference_table,
)
from proctor_workers.hidden_data.canonical_file import CanonicalFile, Refusal
from proctor_workers.hidden_data.dicom_headers import GRANTABLE
from proctor_workers.hidden_data.formats import canonicalise
from proctor_workers.hidden_data.problems import Problems
from proctor_workers.hidden_data.pseudonyms import Pseudonyms
from proctor_workers.hidden_data.reference import reference_outputs
from proctor_workers.hidden_data.rows import Row
from proctor_workers.hidden_data.table import read_rows

PROCESSES = 2
RATER_KINDS = ("reader", "device")
_MOST_VALUES_COUNTED = 100  # of an attribute; beyond it a value says too much of a case
CASES_IN_FLIGHT = 8  # whose bytes are held at once; more than processes, as the store is waited on


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What came of an ingest; with problems there is no root and nothing was kept."""

    root: str = ""
    reference_sha256: str = ""
    cases: int = 0
    patients: int = 0
    sites: int = 0
    blocks: Sequence[Mapping[str, Any]] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    problems: Sequence[Mapping[str, Any]] = ()
    problem_count: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the form that the cohort's record keeps."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Naming:
    """What the values of label maps mean, and what kind each rater is."""

    labels: Mapping[str, str]
    raters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where this cohort lies."""

    store: ObjectStore
    cohort: str
    bucket: str

    def source(self, sha256: str) -> bytes:
        return self.store.get("quarantine", upload_key(self.cohort, sha256), sha256=sha256)

    def put_file(self, block: str, file: CanonicalFile) -> None:
        self.store.put(self.bucket, file_key(self.cohort, block, file.sha256), file.content)

    def clear(self) -> None:
        for bucket in (self.bucket, "reference"):
            for key in list(self.store.list(bucket, f"{self.cohort}/")):
                self.store.delete(bucket, key)


def ingest_cohort(
    store: ObjectStore,
    cohort_doc: Mapping[str, Any],
    index: Mapping[str, Any],
    work_dir: Path,
    cohort_key: bytes,
) -> IngestReport:
    """Make a cohort of an upload, the same one however often it is done.

     1. the table is read, and every row of it checked
     2. cases are shuffled and cut into blocks under the cohort's key
     3. every file is rewritten in canonical form, once
     4. blocks, reference standard and root are written

    Raises:
        DataError: the stored upload is not what was announced, or a decoder crashed.
    """
    place = _place(store, cohort_doc)
    problems = Problems()
    granted = _granted(cohort_doc, problems)
    naming = _naming(cohort_doc, problems)
    rows = _rows(place, index, work_dir, problems)  # 1
    if problems:
        return _refused(problems)
    pseudonyms = Pseudonyms(cohort_key, place.cohort)
    rows.sort(key=lambda row: pseudonyms.order(row.case))  # 2
    digests = {str(file["path"]): str(file["sha256"]) for file in index.get("files", ())}
    cases: list[Case] = []
    blocks: list[dict[str, Any]] = []
    with _Rewriter(place, digests, granted, naming, pseudonyms) as rewriter:
        for number, first in enumerate(range(0, len(rows), CASES_A_BLOCK)):
            block = f"{number:05d}"
            block_cases = rewriter.cases(block, rows[first : first + CASES_A_BLOCK], problems)  # 3
            cases += block_cases
            blocks.append(_write_block(place, block, block_cases))  # 4
    if problems:
        place.clear()
        return _refused(problems)
    return _finish(place, cases, blocks)


class _Rewriter:
    """Threads that wait on the store, and two processes that decode.

    A decoder that crashes takes its process down, not the ingest. Each thread holds the bytes of
    one case, so that memory does not grow with the cohort.
    """

    def __init__(
        self,
        place: _Place,
        digests: Mapping[str, str],
        granted: Sequence[str],
        naming: _Naming,
        pseudonyms: Pseudonyms,
    ) -> None:
        self._place, self._digests, self._naming = place, digests, naming
        self._granted, self._pseudonyms = granted, pseudonyms
        self._threads = ThreadPoolExecutor(CASES_IN_FLIGHT)
        # Processes start with the first case that has files. Spawned, not forked: we have threads.
        self._processes = ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._processes.shutdown(cancel_futures=True)

    def cases(self, block: str, rows: Sequence[Row], problems: Problems) -> list[Case]:
        """Rewrite and store a block's files; a refused case is noted and left out."""
        made = []
        rewritten = self._threads.map(lambda row: (self._files(block, row), self._truth(row)), rows)
        for row, (files, truth) in zip(rows, rewritten, strict=True):
            if isinstance(files, Refusal):
                problems.add(row.number, "files", files.what, files.cure)
            elif isinstance(truth, Refusal):
                problems.add(row.number, "reference_file", truth.what, truth.cure)
            else:
                made.append(self._case(row, files, truth))
        return made

    def _truth(self, row: Row) -> str | Refusal | None:
        """Return the reference's outputs: from the table, or from the reference file."""
        if row.reference_file is None:
            return row.reference_outputs
        try:
            content = self._place.source(self._digests[row.reference_file])
            return self._processes.submit(
                reference_outputs, content, dict(self._naming.labels)
            ).result()
        except NotFoundError as exc:
            raise DataError("A file of the upload is not in quarantine.") from exc
        except BrokenProcessPool as exc:
            raise DataError("A file of the upload makes its decoder crash.") from exc

    def _files(self, block: str, row: Row) -> list[StoredFile] | Refusal:
        if not row.files:
            return []
        try:
            contents = [self._place.source(self._digests[name]) for name in row.files]
            files = self._processes.submit(canonicalise, contents, self._granted).result()
        except NotFoundError as exc:
            raise DataError("A file of the upload is not in quarantine.") from exc
        except BrokenProcessPool as exc:
            raise DataError("A file of the upload makes its decoder crash.") from exc
        if isinstance(files, Refusal):
            return files
        for file in files:
            self._place.put_file(block, file)
        return [StoredFile.of(file, self._pseudonyms) for file in files]

    def _case(self, row: Row, files: Sequence[StoredFile], truth: str | None) -> Case:
        names = self._pseudonyms
        return Case(
            id=names.case(row.case),
            patient=names.patient(row.patient),
            imaging_study=names.imaging_study(row.imaging_study),
            row=row,
            files=tuple(files),
            reference_outputs=truth,
            rater_kinds=self._naming.raters,
        )


def _place(store: ObjectStore, cohort_doc: Mapping[str, Any]) -> _Place:
    bucket = "public" if cohort_doc.get("visibility") == "public" else "hidden"
    return _Place(store, str(cohort_doc["_id"]), bucket)


def _granted(cohort_doc: Mapping[str, Any], problems: Problems) -> tuple[str, ...]:
    """Return the headers beyond the technical ones that the partner lets models see."""
    asked = (cohort_doc.get("description") or {}).get("headers_granted") or ()
    for keyword in sorted(set(asked) - set(GRANTABLE)):
        problems.add(
            0, "headers_granted", f"{keyword} cannot be granted", f"Use {', '.join(GRANTABLE)}."
        )
    return tuple(keyword for keyword in GRANTABLE if keyword in asked)


def _naming(cohort_doc: Mapping[str, Any], problems: Problems) -> _Naming:
    """Read what the description names: label values, and which raters are devices."""
    description = cohort_doc.get("description") or {}
    labels = description.get("reference_labels") or {}
    raters = description.get("raters") or {}
    if not isinstance(labels, Mapping) or not isinstance(raters, Mapping):
        problems.add(
            0, "description", "reference_labels or raters are not names with values",
            'Write reference_labels: {"1": tumour}, raters: {predicate: device}.',
        )  # fmt: skip
        return _Naming({}, {})
    if not all(str(name).isprintable() for name in labels.values()):
        problems.add(0, "reference_labels", "a name is not printable", "Use short names.")
    for name, kind in raters.items():
        if kind not in RATER_KINDS:
            problems.add(
                0, "raters", f"{name} is neither reader nor device", "Write reader or device."
            )
    return _Naming(
        {str(value): str(name) for value, name in labels.items()},
        {str(name): str(kind) for name, kind in raters.items()},
    )


def _rows(place: _Place, index: Mapping[str, Any], work_dir: Path, problems: Problems) -> list[Row]:
    table = index["table"]
    work_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=work_dir) as folder:
        path = Path(folder) / "table"
        path.write_bytes(place.source(str(table["sha256"])))
        files = {str(file["path"]) for file in index.get("files", ())}
        return read_rows(path, str(table["format"]), files, problems)


def _write_block(place: _Place, block: str, cases: Sequence[Case]) -> dict[str, Any]:
    document = cases_document(cases)
    place.store.put(place.bucket, cases_key(place.cohort, block), document)
    return block_summary(block, cases, document)


def _finish(
    place: _Place, cases: Sequence[Case], blocks: Sequence[Mapping[str, Any]]
) -> IngestReport:
    reference = reference_table(cases)
    place.store.put("reference", reference_key(place.cohort), reference)
    place.store.put("reference", f"{place.cohort}/files.parquet", files_table(cases))
    by_id = sorted(cases, key=lambda case: case.id)
    return IngestReport(
        root=merkle_root([case.leaf() for case in by_id]),
        reference_sha256=sha256_hex(reference),
        cases=len(cases),
        patients=len({case.patient for case in cases}),
        sites=len({case.row.site for case in cases}),
        blocks=tuple(blocks),
        counts={
            "reference_value": dict(Counter(case.row.reference_value or "" for case in by_id)),
            "reference_status": dict(Counter(case.row.reference_status for case in by_id)),
            "partition": dict(Counter(case.row.partition for case in by_id)),
            **_attribute_counts(by_id),
        },
    )


def _attribute_counts(cases: Sequence[Case]) -> dict[str, dict[str, int]]:
    """Count the cases by value of each attribute, for planning; not what is nearly a name."""
    found = {}
    for name in sorted({name for case in cases for name in case.row.attributes}):
        counts = Counter(case.row.attributes.get(name, "") for case in cases)
        if len(counts) <= _MOST_VALUES_COUNTED:
            found[f"attribute:{name}"] = dict(counts)
    return found


def _refused(problems: Problems) -> IngestReport:
    return IngestReport(
        problems=tuple(problem.as_dict() for problem in problems), problem_count=problems.count
    )
