"""A vendor's fingerprints meet a cohort's; a count stays, the fingerprints do not."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pymongo.errors import PyMongoError

from proctor_backend.domain.audit import Event
from proctor_backend.domain.cohort import terms_of
from proctor_backend.domain.errors import NotFoundError, PlatformError
from proctor_backend.domain.ids import utc_now
from proctor_backend.domain.keys import beside_reference_key, fingerprints_key
from proctor_backend.domain.states import ComparisonState
from proctor_backend.keyfiles import read_key
from proctor_backend.records import Move
from proctor_sdk.encrypt import SealError, read_header, unseal, unwrap
from proctor_workers.hidden_data.independence.disclosed import least_of, told
from proctor_workers.hidden_data.independence.matching import (
    FingerprintsInvalidError,
    Overlap,
    overlap,
)
from proctor_workers.hidden_data.pseudonyms import Pseudonyms
from proctor_workers.hidden_data.quality.near_duplicates import NEAR, NEAR_IN_DETAIL
from proctor_workers.tools import Tools

BUCKET = "quarantine"
LONGEST_PIECE = 1 << 20
_GONE = "What was sent is not there any more; send it again."
_NOTHING = "The study's data holds no fingerprints to compare with."


def compare(tools: Tools, comparison: dict[str, Any]) -> None:
    """Compare, write the count that the terms let out, and delete what was sent.

    Whatever goes wrong but for the platform's own failures, what was sent is deleted.
    """
    try:
        fields = _compared(tools, comparison)
        state = ComparisonState.COMPARED
    except (PlatformError, PyMongoError):
        raise
    except (FingerprintsInvalidError, SealError, NotFoundError) as error:
        fields = {"problem": _GONE if isinstance(error, NotFoundError) else str(error)}
        state = ComparisonState.REFUSED
    except Exception:
        tools.store.delete(BUCKET, fingerprints_key(comparison["_id"]))
        raise
    tools.store.delete(BUCKET, fingerprints_key(comparison["_id"]))
    tools.records.commit(
        Move("comparisons", comparison["_id"], state, fields),
        event=Event(
            kind="comparison.made",
            chain=comparison["study"],
            actor="worker:ingest",
            public={"comparison": comparison["_id"], "deleted": comparison["sealed_sha256"]},
        ),
    )


def _compared(tools: Tools, comparison: Mapping[str, Any]) -> dict[str, Any]:
    cohort = tools.records.get("cohorts", comparison["cohort"])
    pseudonym = _pseudonym(tools, cohort)
    fingerprints = _table(tools, cohort, "fingerprints.parquet")
    patients = _table(tools, cohort, "reference.parquet")["patient"].to_pylist()
    found = overlap(fingerprints, patients, _lines(tools, comparison), pseudonym)
    study = {"_id": comparison["study"], "vendor_org": comparison["org"]}
    least = least_of(terms_of(cohort, study))
    return _described(found, cohort) | {
        "told": told(found, least, _told_before(tools, comparison, cohort)),
        "least": least,
        "patients_known": pseudonym is not None,
        "compared_at": utc_now(),
    }


def _told_before(
    tools: Tools, comparison: Mapping[str, Any], cohort: Mapping[str, Any]
) -> list[Mapping[str, int | None]]:
    """Return what the vendor was told of this cohort, in any version and study, first to last."""
    versions = tools.records.find("cohorts", {"lineage": cohort["lineage"]})
    made = {
        "org": comparison["org"],
        "cohort": {"$in": [one["_id"] for one in versions]},
        "state": ComparisonState.COMPARED.value,
    }
    return [one["told"] for one in tools.records.find("comparisons", made)]


def _described(found: Overlap, cohort: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "near": f"{NEAR} of 64 and {NEAR_IN_DETAIL} of 256 bits",
        "complete": found.complete,
        "images": found.images,
        "named_patients": found.named,
        "cohort_root": cohort["root"],
    }


def _table(tools: Tools, cohort: Mapping[str, Any], name: str) -> pa.Table:
    key = beside_reference_key(cohort["_id"], name)
    try:
        return pq.read_table(pa.BufferReader(tools.store.get("reference", key)))
    except NotFoundError as error:
        raise FingerprintsInvalidError(_NOTHING) from error


def _pseudonym(tools: Tools, cohort: Mapping[str, Any]) -> Callable[[str], str] | None:
    """Return how patients got their names; None where the partner's own machine named them."""
    versions = tools.records.find("cohorts", {"lineage": cohort["lineage"]})
    if any(one.get("prepared") for one in versions):
        return None
    names = Pseudonyms(read_key(tools.settings, "cohort.key"), cohort["lineage"])
    return names.patient


def _lines(tools: Tools, comparison: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield what was sealed, line by line, each authentic."""
    with tools.store.open(BUCKET, fingerprints_key(comparison["_id"])) as stream:
        header = read_header(stream)
        data_key = unwrap(header, read_key(tools.settings, "ingest.key"))
        rest = b""
        for chunk in unseal(stream, data_key, header):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > LONGEST_PIECE:
                raise FingerprintsInvalidError("A line is longer than any that was written.")
        if rest:
            yield rest
