"""The exposure ledger: every look, that is, information on hidden data that left to a vendor."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from proctor_backend.domain.ids import new_id


class LookKind(StrEnum):
    """What left."""

    REASON_CODE = "reason_code"
    EDITION = "edition"
    CANCELLED = "cancelled"


# A hidden run's failure is told in one of three codes that charge (PLATFORM_ERROR does not).
REASON_CODE_BITS = 1.585
# A vendor that ends a hidden run learns that it was still running.
CANCELLED_BITS = 1.0


def look(
    *,
    kind: LookKind,
    entry: Mapping[str, Any],
    cohort: Mapping[str, Any],
    bits: float | None,
    what: str,
) -> dict[str, Any]:
    """Return a ledger entry for one look of a model lineage at one cohort version.

    `bits` bounds what was learnt where it can be bounded; for an edition it is None and the
    released cells say what was shown and how precisely.
    """  # fmt: skip
    return {
        "_id": new_id("exp"),
        "org": entry["org"],
        "kind": str(kind),
        "what": what,
        "bits": bits,
        "vendor_org": entry["org"],
        "lineage": entry["lineage"],
        "entry": entry["_id"],
        "study": entry["study"],
        "cohort": cohort["_id"],
        "cohort_root": cohort.get("root"),
    }
