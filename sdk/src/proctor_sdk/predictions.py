"""What one line of /output/predictions.jsonl may say; when it is read is the contract's matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from proctor_sdk.canonical import CanonicalError, canonical_bytes, strict_loads
from proctor_sdk.outputs import (
    OUTPUT_TAGS,
    TASKS,
    OutputInvalidError,
    check_outputs,
    longest_line,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proctor_sdk.reasons import ReasonCode

LONGEST_REASON = 200
# A reason that begins so was written by the platform; a model may not speak in its name.
PLATFORM_REASON = "proctor:"
_FIELDS = frozenset({"case", "status", "reason", "outputs"})


class Status(StrEnum):
    """Whether a case has an answer."""

    OK = "ok"
    INDETERMINATE = "indeterminate"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """What task.json promises about the answers."""

    kind: str
    classes: tuple[str, ...] = ()
    positive: str = ""
    operating_points: tuple[str, ...] = ()
    indeterminate: tuple[str, ...] = ()

    @classmethod
    def from_documents(cls, task: Mapping[str, Any], indeterminate: Sequence[str] = ()) -> TaskSpec:
        """Read task.json and the reasons the manifest declares."""
        return cls(
            kind=task["task"],
            classes=tuple(task.get("classes") or task.get("targets") or ()),
            positive=task.get("positive", ""),
            operating_points=tuple(task.get("operating_points", ())),
            indeterminate=tuple(indeterminate) or tuple(task.get("indeterminate_reasons", ())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One model output for one case, as it was emitted."""

    case: str
    status: Status
    reason: str | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> bytes:
        """The canonical line, without its newline."""
        return canonical_bytes(
            {
                "case": self.case,
                "status": str(self.status),
                "reason": self.reason,
                "outputs": self.outputs,
            }
        )


def failed_by_platform(case: str, reason: ReasonCode) -> Prediction:
    """The answer that the platform writes for a case on which the container dies."""
    return Prediction(case=case, status=Status.FAILED, reason=f"{PLATFORM_REASON}{reason}")


def parse_prediction(line: bytes, *, task: TaskSpec) -> Prediction:
    """Read one line strictly.

    Raises:
        OutputInvalidError: not strict JSON, an unknown field or tag, a score that is no finite
            number, a reason the manifest does not declare.
    """
    longest = longest_line(task.kind)
    if len(line) > longest:
        raise OutputInvalidError(f"A line is longer than {longest} bytes.")
    document = _document(line)
    case, reason = document.get("case"), document.get("reason")
    if not isinstance(case, str):
        raise OutputInvalidError(
            "A line does not name its case.", 'Write {"case": …} in each line.'
        )
    try:
        status = Status(str(document.get("status")))
    except ValueError:
        raise OutputInvalidError("A status is none of ok, indeterminate, failed.") from None
    outputs = document.get("outputs") or {}
    if not isinstance(outputs, dict):
        raise OutputInvalidError("`outputs` is not an object.")
    _check_reason(status, reason, task)
    _check_outputs(status, outputs, task)
    return Prediction(case=case, status=status, reason=reason, outputs=outputs)


def _document(line: bytes) -> dict[str, Any]:
    try:
        document = strict_loads(line)
    except CanonicalError:
        raise OutputInvalidError(
            "A line is not strict JSON.",
            "One JSON object per line, UTF-8, no NaN or Infinity, no key twice.",
        ) from None
    if not isinstance(document, dict):
        raise OutputInvalidError("A line is not a JSON object.")
    if not document.keys() <= _FIELDS:
        raise OutputInvalidError(
            "A line has a field the contract does not know.",
            "Use case, status, reason, outputs and nothing else.",
        )
    return document


def _check_reason(status: Status, reason: object, task: TaskSpec) -> None:
    if reason is not None and not isinstance(reason, str):
        raise OutputInvalidError("A reason is not a text.")
    if reason and (
        len(reason) > LONGEST_REASON
        or not reason.isprintable()
        or reason.startswith(PLATFORM_REASON)
    ):
        raise OutputInvalidError(
            f"A reason is longer than {LONGEST_REASON} characters, holds one that cannot be "
            f"printed, or begins with {PLATFORM_REASON}"
        )
    if status is Status.INDETERMINATE and reason not in task.indeterminate:
        raise OutputInvalidError(
            "An indeterminate answer gives a reason that the manifest does not declare.",
            "List it under [indeterminate] reasons in proctor.toml.",
        )


def _check_outputs(status: Status, outputs: dict[str, Any], task: TaskSpec) -> None:
    shape = TASKS[task.kind]
    for tag in outputs:
        if tag in OUTPUT_TAGS and tag not in shape.tags:
            raise OutputInvalidError(f"This task does not ask for `{tag}`.")
    if status is Status.FAILED and outputs:
        raise OutputInvalidError("A failed case has outputs.", 'Leave "outputs" empty.')
    check_outputs(outputs, task.classes, task.operating_points)
    if status is not Status.OK:
        return
    if task.positive and task.positive not in outputs.get("scores", {}):
        raise OutputInvalidError(
            "An answer has no score for the positive class.",
            'Write "scores" with the name of the positive class in task.json.',
        )
    if not shape.required & outputs.keys():
        needed = " or ".join(f"`{tag}`" for tag in sorted(shape.required))
        raise OutputInvalidError(f"An answer has no {needed}.", "Give it, or say indeterminate.")
