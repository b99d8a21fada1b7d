"""A random sample of the cases that a model judged as the reference standard says.

A reviewer looks at these too: questions on the reference standard of errors alone would mend it in
the model's favour.
"""

import hmac
from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

SAMPLE = 100


def concordant_sample(
    observations: pa.Table,
    reference: pa.Table,
    errors: Collection[str],
    key: bytes,
) -> list[dict[str, Any]]:
    """Return at most `SAMPLE` answered cases that are none of the `errors`, in a fixed order.

    The order is that of a keyed hash, so that nobody chooses and every repetition agrees.
    """
    if not errors:  # nothing was called wrong: the task has no list to compare with
        return []
    answered = observations.filter(pc.equal(observations.column("status"), "ok"))
    cases = set(answered.column("case").to_pylist()) - set(errors)
    chosen = sorted(cases, key=lambda case: hmac.digest(key, case.encode(), "sha256"))[:SAMPLE]
    wanted = pa.array(sorted(chosen), pa.string())
    rows = reference.filter(pc.is_in(reference.column("case"), value_set=wanted)).to_pylist()
    return [
        {
            "case": row["case"],
            "outcome": "as_reference",
            "score": None,
            "reference": row["reference_value"],
        }
        for row in rows
    ]
