"""The one long table of what raters said about cases; leaves its meaning to the measurement."""

from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any, NamedTuple

import pyarrow as pa

from proctor_backend.domain.errors import DataError
from proctor_workers.answers import Answer, rows_of

OBSERVATIONS_VERSION = 2
SCHEMA = pa.schema(
    [
        ("patient", pa.string()),
        ("case", pa.string()),
        ("unit", pa.string()),  # lesion, image or other part of a case; null for the case itself
        ("rater", pa.string()),
        ("rater_kind", pa.string()),  # model, reader or reader+model
        ("arm", pa.string()),
        ("session", pa.int32()),
        ("order", pa.int64()),
        ("status", pa.string()),  # ok, indeterminate or failed
        ("reason", pa.string()),
        ("output", pa.string()),  # the contract's tag; null where nothing was answered
        ("category", pa.string()),  # the class that a score, box or region is about
        ("operating_point", pa.string()),  # of the device's own call; null on a score
        ("call", pa.bool_()),
        ("score", pa.float64()),
        ("value", pa.float64()),
        ("location", pa.list_(pa.float64())),
    ],
    metadata={"proctor.observations": str(OBSERVATIONS_VERSION)},
)


def observations_from_predictions(
    predictions: Iterable[Mapping[str, Any]], names: Mapping[str, str], reference: pa.Table
) -> pa.Table:
    """Turn a model's predictions into observations, one row for each part of an output.

    `names` maps the names of the attempt to case ids. A case without a prediction is written as
    failed. Rows are ordered by (patient, case).

    Raises:
        DataError: a prediction names an unknown case, or a case is answered twice.
    """
    patient_of = dict(
        zip(reference["case"].to_pylist(), reference["patient"].to_pylist(), strict=True)
    )
    answers: dict[str, _Said] = {}
    for position, prediction in enumerate(predictions):
        case = names.get(prediction["case"])
        if case is None or case not in patient_of or case in answers:
            raise DataError(
                "A prediction does not belong to exactly one case of the cohort.",
                cure="Run the evaluation again; if it persists, tell the operator.",
            )
        answers[case] = _Said(
            position,
            intern(prediction["status"]),
            prediction.get("reason"),
            tuple(rows_of(prediction.get("outputs") or {})),
        )
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for case, patient in sorted(patient_of.items(), key=lambda pair: (pair[1], pair[0])):
        _write(columns, patient, case, answers.pop(case, _NOTHING))
    return pa.table(columns, schema=SCHEMA)


class _Said(NamedTuple):
    """What is kept of a prediction: a large cohort's are all held at once."""

    order: int | None
    status: str
    reason: str | None
    rows: tuple[Answer, ...]


_NOTHING = _Said(None, "failed", "no_output", ())
_NO_ROW = Answer(None)
_SHARED = ("patient", "case", "rater", "rater_kind", "arm", "session", "order", "status", "reason")


def _write(columns: Mapping[str, list[Any]], patient: str, case: str, said: _Said) -> None:
    shared = (
        patient, case, "model", "model", "standalone", 1, said.order, said.status, said.reason,
    )  # fmt: skip
    for row in said.rows or (_NO_ROW,):
        for name, known in zip(_SHARED, shared, strict=True):
            columns[name].append(known)
        for name, part in zip(Answer._fields, row, strict=True):
            columns[name].append(part)
