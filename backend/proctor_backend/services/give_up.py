"""What follows when a step has failed three times: a state that says so, never an endless wait."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from proctor_backend.domain.audit import Event
from proctor_backend.domain.evaluation import Failure
from proctor_backend.domain.states import CohortState, ComparisonState, EvaluationState
from proctor_backend.records import Move, Records, Update
from proctor_backend.services.evaluate import fail_entry
from proctor_sdk.reasons import ReasonCode


def give_up(
    records: Records,
    collection: str,
    record: Mapping[str, Any],
    detail: str,
    *,
    explained: bool = True,
) -> None:
    """End a record whose step cannot be done.

    The platform is to blame and nothing is charged, unless what stopped it is not explained while
    a model's answers were read: that may be the model's doing, so it counts as a look.
    """
    if collection == "evaluations":
        _end_evaluation(records, record, detail, explained=explained)
        return
    _ENDINGS[collection](records, record, detail)


def _end_entry(records: Records, entry: Mapping[str, Any], detail: str) -> None:
    fail_entry(
        records,
        entry,
        Failure(kind="platform", code=ReasonCode.PLATFORM_ERROR, detail=detail),
        actor="worker",
    )


def _end_evaluation(
    records: Records, evaluation: Mapping[str, Any], detail: str, *, explained: bool
) -> None:
    kind: Literal["platform", "data"] = "platform" if explained else "data"
    fail_entry(
        records,
        records.get("entries", evaluation["entry"]),
        Failure(kind=kind, code=ReasonCode.PLATFORM_ERROR, detail=detail),
        actor="worker",
        changes=(Move("evaluations", evaluation["_id"], EvaluationState.FAILED),),
        hidden=True,
    )


def _end_cohort(records: Records, cohort: Mapping[str, Any], detail: str) -> None:
    problem = {"row": 0, "column": "", "what": detail, "cure": "Ask the operator."}
    records.commit(
        Move("cohorts", cohort["_id"], CohortState.REJECTED, {"problems": [problem]}),
        event=Event(kind="cohort.rejected", chain="platform", actor="worker:ingest"),
    )


def _halt_report(records: Records, report: Mapping[str, Any], detail: str) -> None:
    """Leave the report where it is, marked; its page and the study office's home show it.

    The sweeper tries it again all the same; what is known already is not written again.
    """
    if report.get("halted") == detail:
        return
    records.commit(
        Update("reports", report["_id"], {"halted": detail}),
        event=Event(
            kind="report.halted",
            chain=report["entry"],
            actor="worker",
            private={"detail": detail},
        ),
    )


def _halt_withdrawal(records: Records, withdrawal: Mapping[str, Any], detail: str) -> None:
    """Leave the withdrawal where it is, marked for the owner; the sweeper tries it again."""
    if withdrawal.get("halted") == detail:
        return
    records.commit(
        Update("withdrawals", withdrawal["_id"], {"halted": detail}),
        event=Event(
            kind="patient.withdrawal_halted",
            chain="platform",
            actor="worker",
            public={"cohort": withdrawal["cohort"]},
            private={"detail": detail},
        ),
    )


def _refuse_comparison(records: Records, comparison: Mapping[str, Any], detail: str) -> None:
    """End a comparison; the step has deleted what was uploaded."""
    records.commit(
        Move("comparisons", comparison["_id"], ComparisonState.REFUSED, {"halted": detail}),
        event=Event(
            kind="comparison.refused",
            chain=comparison["study"],
            actor="worker",
            public={"comparison": comparison["_id"]},
            private={"detail": detail},
        ),
    )


_ENDINGS: dict[str, Callable[[Records, Mapping[str, Any], str], None]] = {
    "entries": _end_entry,
    "cohorts": _end_cohort,
    "reports": _halt_report,
    "withdrawals": _halt_withdrawal,
    "comparisons": _refuse_comparison,
}
