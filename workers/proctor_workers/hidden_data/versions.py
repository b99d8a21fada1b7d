"""Versions of a cohort: read back, compared, made without some cases, kept in the same blocks.

A version is its case lists (one a block), the tables beside its reference standard, and its record.
Files are the lineage's: a case keeps its block for ever, so that its files keep their keys.
"""

import io
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from proctor_backend.domain.errors import DataError
from proctor_backend.domain.keys import beside_reference_key, cases_key, reference_key
from proctor_backend.objects import ObjectStore
from proctor_sdk.canonical import canonical_bytes, sha256_hex
from proctor_sdk.merkle import root as merkle_root
from proctor_workers.hidden_data.blocks import EarlierCase, StoredFile, leaf_of
from proctor_workers.hidden_data.ingest.counts import CaseCounts

FILES_TABLE = "files.parquet"
FINGERPRINTS_TABLE = "fingerprints.parquet"
FACTS_TABLE = "facts.parquet"
ROWS_AT_ONCE = 256  # a row may hold a mask
MOST_LISTED = 10_000  # cases that a comparison names in each list; all are counted
_REFERENCE = ("reference_", "raters")

Record = Mapping[str, Any]
Line = dict[str, Any]


def bucket_of(cohort: Record) -> str:
    """Return the bucket that holds a cohort's cases."""
    return "public" if cohort["visibility"] == "public" else "hidden"


def earlier_cases(store: ObjectStore, cohort: Record) -> dict[str, EarlierCase]:
    """Return what a version keeps of each case, by pseudonym."""
    known: dict[str, dict[str, Any]] = {}
    for name in (FILES_TABLE, FINGERPRINTS_TABLE):
        for row in read_table(store, cohort["_id"], name).to_pylist():
            known.setdefault(row["sha256"] + row["case"], {}).update(row)
    told = {row["case"]: row for row in read_table(store, cohort["_id"], FACTS_TABLE).to_pylist()}
    return {
        line["case"]: EarlierCase(
            block=block,
            files=tuple(
                _stored(file, known[file["sha256"] + line["case"]]) for file in line["files"]
            ),
            forms=tuple(json.loads(told[line["case"]]["forms"])),
            facts=json.loads(told[line["case"]]["facts"]),
            artefacts=json.loads(told[line["case"]]["artefacts"]),
        )
        for block, line in _lines(store, cohort)
    }


def _stored(file: Mapping[str, Any], known: Mapping[str, Any]) -> StoredFile:
    return StoredFile(
        name=file["name"],
        role=file["role"],
        sha256=file["sha256"],
        size=file["size"],
        decoded_pixel_sha256=known["decoded_pixel_sha256"],
        perceptual_hash=known["perceptual_hash"],
        original_uid=known["original_uid_hmac"],
        source_sha256=known["source_sha256"],
        detail_hash=known["detail_hash"],
    )


def case_blocks(store: ObjectStore, cohort: Record) -> dict[str, str]:
    """Return case → block of a version; the next version's cases stay where they are."""
    return {line["case"]: block for block, line in _lines(store, cohort)}


def assigned_blocks(cases: Sequence[str], kept: Mapping[str, str], size: int) -> list[str]:
    """Return each case's block: the one it is kept in, else new ones of at most `size` cases.

    `cases` come in the order in which they are shuffled. Without `kept` this cuts a first version.
    """
    first = 1 + max((int(block) for block in kept.values()), default=-1)
    found, fresh = [], 0
    for case in cases:
        if case in kept:
            found.append(kept[case])
        else:
            found.append(f"{first + fresh // size:05d}")
            fresh += 1
    return found


def compare(store: ObjectStore, older: Record, newer: Record) -> dict[str, Any]:
    """Count the cases that were added, removed or changed, and name them by pseudonym.

    A change is of files, of the reference standard, of inputs, or of attributes (everything else
    that the table says); `columns` counts the cases by what changed.
    """
    before = {line["case"]: line for _, line in _lines(store, older)}
    after = {line["case"]: line for _, line in _lines(store, newer)}
    common = sorted(before.keys() & after.keys())
    changed: dict[str, set[str]] = {
        "added": after.keys() - before.keys(),
        "removed": before.keys() - after.keys(),
        "files": {one for one in common if before[one]["files"] != after[one]["files"]},
        **{name: set() for name in ("reference", "attributes", "inputs")},
    }
    columns: Counter[str] = Counter()
    for column, cases in _changed_columns(store, older, newer, common):
        columns[column] += len(cases)
        changed["reference" if column.startswith(_REFERENCE) else "attributes"] |= cases
    for case in common:
        for name in _changed_inputs(before[case]["inputs"], after[case]["inputs"]):
            columns[f"input.{name}"] += 1
            changed["inputs"].add(case)
    return {
        "counts": {name: len(cases) for name, cases in changed.items()},
        "columns": dict(sorted(columns.items())),
        "cases": {name: sorted(cases)[:MOST_LISTED] for name, cases in changed.items()},
    }


def write_without(
    store: ObjectStore, version: Record, made: str, gone: Collection[str]
) -> dict[str, Any]:
    """Write a version under the id `made`: the one before without some cases; return its identity.

    Raises:
        DataError: what is stored is not what the version's root says.
    """
    kept: dict[str, list[Line]] = {}
    for block, line in _lines(store, version):
        kept.setdefault(block, []).append(line)
    tables = {name: read_table(store, version["_id"], name) for name in table_names(store, version)}
    if _identity(kept, tables)[0] != version["root"]:
        raise DataError("The stored cohort does not lead to its root.", cure="Restore it.")
    kept = {
        block: [line for line in lines if line["case"] not in gone] for block, lines in kept.items()
    }
    tables = {name: table_without(table, gone) for name, table in tables.items()}
    documents = {name: parquet_bytes(table) for name, table in tables.items()}
    blocks = []
    for block, lines in kept.items():
        if lines:
            document = cases_document(lines)
            store.put(bucket_of(version), cases_key(made, block), document)
            blocks.append(_summary(block, lines, document))
    for name, content in documents.items():
        store.put("reference", beside_reference_key(made, name), content)
    root, counts = _identity(kept, tables)
    return counts.as_dict() | {
        "root": root,
        "reference_sha256": sha256_hex(documents["reference.parquet"]),
        "blocks": blocks,
    }


def cases_of_patient(store: ObjectStore, cohort: Record, patient: str) -> set[str]:
    """Return the pseudonyms of a patient's cases in a version."""
    table = read_table(store, cohort["_id"], "reference.parquet")
    return set(table.filter(pc.equal(table.column("patient"), patient)).column("case").to_pylist())


def table_names(store: ObjectStore, cohort: Record) -> list[str]:
    """Return the names of a version's tables: reference standard, files, fingerprints."""
    prefix = beside_reference_key(cohort["_id"], "")
    return sorted(key.removeprefix(prefix) for key in store.list("reference", prefix))


def read_table(store: ObjectStore, cohort: str, name: str) -> pa.Table:
    """Return one of a version's tables."""
    content = store.get("reference", beside_reference_key(cohort, name))
    return pq.read_table(pa.BufferReader(content))


def table_without(table: pa.Table, gone: Collection[str]) -> pa.Table:
    """Return a table without the rows of some cases."""
    named = pc.is_in(table.column("case"), value_set=pa.array(sorted(gone), pa.string()))
    return table.filter(pc.invert(named))


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as a file."""
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def cases_document(lines: Iterable[Line]) -> bytes:
    """Return a block's case list."""
    return b"".join(canonical_bytes(line) + b"\n" for line in lines)


def read_lines(store: ObjectStore, cohort: Record, block: str) -> list[Line]:
    """Return a block's case list, parsed."""
    content = store.get(bucket_of(cohort), cases_key(cohort["_id"], block))
    return [json.loads(line) for line in content.splitlines()]


def _lines(store: ObjectStore, cohort: Record) -> Iterator[tuple[str, Line]]:
    for block in cohort["blocks"]:
        for line in read_lines(store, cohort, block["block"]):
            yield block["block"], line


def _changed_columns(
    store: ObjectStore, older: Record, newer: Record, common: Sequence[str]
) -> Iterator[tuple[str, set[str]]]:
    """Yield each column of the reference table with the cases whose value is another."""
    wanted = pa.array(common, pa.string())
    first, second = (_rows_of(store, cohort, wanted) for cohort in (older, newer))
    for column in dict.fromkeys((*first.column_names, *second.column_names)):
        if column == "case":
            continue
        one, other = _column(first, column), _column(second, column)
        # A value and none at all differ; two of none do not.
        same = pc.or_(
            pc.fill_null(pc.equal(one, other), fill_value=False),
            pc.and_(pc.is_null(one), pc.is_null(other)),
        )
        cases = wanted.filter(pc.invert(same)).to_pylist()
        if cases:
            yield column, set(cases)


def _rows_of(store: ObjectStore, cohort: Record, wanted: pa.Array) -> pa.Table:
    content = store.get("reference", reference_key(cohort["_id"]))
    table = pq.read_table(pa.BufferReader(content))
    return table.filter(pc.is_in(table.column("case"), value_set=wanted)).sort_by("case")


def _column(table: pa.Table, name: str) -> pa.Array:
    if name in table.column_names:
        return table.column(name).combine_chunks()
    kind = pa.float64() if name == "sampling_weight" else pa.string()
    return pa.nulls(table.num_rows, kind)


def _changed_inputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    names = sorted(before.keys() | after.keys())
    return [name for name in names if before.get(name) != after.get(name)]


def _identity(
    blocks: Mapping[str, Sequence[Line]], tables: Mapping[str, pa.Table]
) -> tuple[str, CaseCounts]:
    """Return the Merkle root of what is stored, and its counts."""
    pixels = {
        (row["case"], row["name"]): row["decoded_pixel_sha256"]
        for row in tables[FILES_TABLE].to_pylist()
    }
    lines = {line["case"]: line for several in blocks.values() for line in several}
    leaves, counts = [], CaseCounts()
    for batch in tables["reference.parquet"].sort_by("case").to_batches(ROWS_AT_ONCE):
        for row in batch.to_pylist():
            leaves.append(_leaf(lines[row["case"]], pixels, row))
            counts.add_row(row)
    return merkle_root(leaves), counts


def _leaf(line: Line, pixels: Mapping[tuple[str, str], str], row: Mapping[str, Any]) -> str:
    """Return the hash of a stored case, as `blocks.Case.leaf` makes it."""
    digests = {file["name"]: pixels[row["case"], file["name"]] for file in line["files"]}
    return leaf_of(line["files"], digests, line["inputs"], row)


def _summary(block: str, lines: Sequence[Line], document: bytes) -> dict[str, Any]:
    files = sum(file["size"] for line in lines for file in line["files"])
    return {
        "block": block,
        "cases": len(lines),
        "sha256": sha256_hex(document),
        "bytes": files + len(document),
    }
