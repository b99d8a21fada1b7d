"""The one long table of what raters said about cases; leaves its meaning to the measurement."""

from collections.abc import Iterable, Iterator, Mapping
from sys import intern
from typing import Any, NamedTuple

import pyarrow as pa

from proctor_backend.domain.errors import DataError

OBSERVATIONS_VERSION = 1
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
        ("category", pa.string()),  # the class that a score or call is about
        ("operating_point", pa.string()),  # of the device's own call; null on a score
        ("call", pa.bool_()),
        ("score", pa.float64()),
        ("value", pa.float64()),
        ("location", pa.list_(pa.float64())),
    ],
    metadata={"proctor.observations": str(OBSERVATIONS_VERSION)},
)


def observations_from_predictions(
    predictions: Iterable[Mapping[str, Any]],
    names: Mapping[str, str],
    reference: pa.Table,
    manifest: Mapping[str, Any],
) -> pa.Table:
    """Turn a model's predictions into observations, one row a score and one a device's own call.

    `names` maps the names of the attempt to case ids. A case without a prediction is written as
    failed. Rows are ordered by (patient, case).

    Raises:
        DataError: a prediction names an unknown case, or a case is answered twice.
    """
    patient_of = dict(
        zip(reference["case"].to_pylist(), reference["patient"].to_pylist(), strict=True)
    )
    answers: dict[str, _Answer] = {}
    positive = manifest["task"]["positive"]
    for position, prediction in enumerate(predictions):
        case = names.get(prediction["case"])
        if case is None or case not in patient_of or case in answers:
            raise DataError(
                "A prediction does not belong to exactly one case of the cohort.",
                cure="Run the evaluation again; if it persists, tell the operator.",
            )
        answers[case] = _answer(position, prediction, positive)
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for case, patient in sorted(patient_of.items(), key=lambda pair: (pair[1], pair[0])):
        answer = answers.get(case, _MISSING)
        base = {
            "patient": patient,
            "case": case,
            "rater": "model",
            "rater_kind": "model",
            "arm": "standalone",
            "session": 1,
            "order": answer.order,
            "status": answer.status,
            "reason": answer.reason,
            "category": positive,
        }
        for row in _rows(answer):
            for name, values in columns.items():
                values.append((base | row).get(name))
    return pa.table(columns, schema=SCHEMA)


class _Answer(NamedTuple):
    """What is kept of a prediction: a large cohort's are all held at once."""

    order: int | None
    status: str
    reason: str | None
    score: float | None
    calls: tuple[tuple[str, bool], ...]


_MISSING = _Answer(None, "failed", "no_output", None, ())


def _answer(order: int, prediction: Mapping[str, Any], positive: str) -> _Answer:
    outputs = prediction.get("outputs") or {}
    score = (outputs.get("scores") or {}).get(positive)
    calls = sorted((outputs.get("call") or {}).items())
    return _Answer(
        order,
        intern(prediction["status"]),
        prediction.get("reason"),
        None if score is None else float(score),
        tuple((intern(point), bool(call)) for point, call in calls),
    )


def _rows(answer: _Answer) -> Iterator[dict[str, Any]]:
    yield {"score": answer.score}
    for point, call in answer.calls:
        yield {"operating_point": point, "call": call}
