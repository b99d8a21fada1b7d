"""State tables: who may follow whom. One pure `advance`; nobody assigns a state."""

from collections.abc import Mapping
from enum import StrEnum

from proctor_backend.domain.errors import StateConflictError


class EntryState(StrEnum):
    """An entry's way from upload to release."""

    OPEN = "OPEN"
    UPLOADED = "UPLOADED"
    SCREENED = "SCREENED"
    CONFORMANT = "CONFORMANT"
    EVALUATED = "EVALUATED"
    MEASURED = "MEASURED"
    DECIDED = "DECIDED"
    RELEASED = "RELEASED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class EvaluationState(StrEnum):
    """An evaluation's way; conformance runs end in EVALUATED."""

    RUNNING = "RUNNING"
    EVALUATED = "EVALUATED"
    MEASURED = "MEASURED"
    FAILED = "FAILED"


class ShardState(StrEnum):
    """A shard's way; CLAIMED → CLAIMED is a new lease with a higher fence."""

    WAITING = "WAITING"
    CLAIMED = "CLAIMED"
    DONE = "DONE"
    FAILED = "FAILED"


class StudyState(StrEnum):
    """A study is drafted, locked by three signatures, and closed."""

    DRAFT = "DRAFT"
    LOCKED = "LOCKED"
    CLOSED = "CLOSED"


class CohortState(StrEnum):
    """A cohort is uploaded, ingested, and never changed after that.

    HELD is ingested too, with findings that the partner must override or mend first.
    """

    OPEN = "OPEN"
    UPLOADED = "UPLOADED"
    HELD = "HELD"
    READY = "READY"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


class WithdrawalState(StrEnum):
    """A patient is taken out of a cohort, then erased from its files, then from the evidence."""

    ASKED = "ASKED"
    REMOVED = "REMOVED"
    FILES_ERASED = "FILES_ERASED"
    ERASED = "ERASED"
    REFUSED = "REFUSED"


class QueryState(StrEnum):
    """A question on a reference value waits for the data partner's answer."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"


class ComparisonState(StrEnum):
    """A vendor's fingerprints are uploaded, compared with a cohort's, and deleted."""

    OPEN = "OPEN"
    UPLOADED = "UPLOADED"
    COMPARED = "COMPARED"
    REFUSED = "REFUSED"


class ReportState(StrEnum):
    """A report waits for a client's sections, is reviewed, unmasked, cleared, rendered, signed."""

    DRAFTING = "DRAFTING"
    DRAFT = "DRAFT"
    REVIEWED = "REVIEWED"
    UNMASKED = "UNMASKED"
    CLEARED = "CLEARED"
    RENDERED = "RENDERED"
    RELEASED = "RELEASED"


State = (
    EntryState
    | EvaluationState
    | ShardState
    | StudyState
    | CohortState
    | WithdrawalState
    | QueryState
    | ComparisonState
    | ReportState
)
Transitions = Mapping[State, frozenset[State]]

_E, _S, _R, _C, _W = EntryState, ShardState, ReportState, CohortState, WithdrawalState
_ENDS = frozenset({_E.FAILED, _E.CANCELLED})

TRANSITIONS: Mapping[str, Transitions] = {
    "entries": {
        _E.OPEN: frozenset({_E.UPLOADED}) | _ENDS,
        _E.UPLOADED: frozenset({_E.SCREENED}) | _ENDS,
        _E.SCREENED: frozenset({_E.CONFORMANT}) | _ENDS,
        _E.CONFORMANT: frozenset({_E.EVALUATED}) | _ENDS,
        _E.EVALUATED: frozenset({_E.MEASURED, _E.FAILED}),
        _E.MEASURED: frozenset({_E.DECIDED, _E.FAILED}),
        _E.DECIDED: frozenset({_E.RELEASED}),
        _E.RELEASED: frozenset(),
        _E.FAILED: frozenset(),
        _E.CANCELLED: frozenset(),
    },
    "evaluations": {
        EvaluationState.RUNNING: frozenset({EvaluationState.EVALUATED, EvaluationState.FAILED}),
        EvaluationState.EVALUATED: frozenset({EvaluationState.MEASURED, EvaluationState.FAILED}),
        EvaluationState.MEASURED: frozenset(),
        EvaluationState.FAILED: frozenset(),
    },
    "shards": {
        _S.WAITING: frozenset({_S.CLAIMED, _S.FAILED}),
        _S.CLAIMED: frozenset({_S.CLAIMED, _S.WAITING, _S.DONE, _S.FAILED}),
        _S.DONE: frozenset(),
        _S.FAILED: frozenset(),
    },
    "studies": {
        StudyState.DRAFT: frozenset({StudyState.LOCKED, StudyState.CLOSED}),
        # back to DRAFT is an amendment, allowed before the first staging only (domain/study.py)
        StudyState.LOCKED: frozenset({StudyState.DRAFT, StudyState.CLOSED}),
        StudyState.CLOSED: frozenset(),
    },
    "cohorts": {
        _C.OPEN: frozenset({_C.UPLOADED, _C.WITHDRAWN}),
        _C.UPLOADED: frozenset({_C.HELD, _C.READY, _C.REJECTED, _C.WITHDRAWN}),
        _C.HELD: frozenset({_C.READY, _C.WITHDRAWN}),
        _C.READY: frozenset({_C.WITHDRAWN}),
        _C.REJECTED: frozenset(),
        _C.WITHDRAWN: frozenset(),
    },
    "withdrawals": {
        _W.ASKED: frozenset({_W.REMOVED, _W.REFUSED}),
        _W.REMOVED: frozenset({_W.FILES_ERASED}),
        _W.FILES_ERASED: frozenset({_W.ERASED}),
        _W.ERASED: frozenset(),
        _W.REFUSED: frozenset(),
    },
    "queries": {
        QueryState.OPEN: frozenset({QueryState.ANSWERED}),
        QueryState.ANSWERED: frozenset(),
    },
    "comparisons": {
        ComparisonState.OPEN: frozenset({ComparisonState.UPLOADED}),
        ComparisonState.UPLOADED: frozenset({ComparisonState.COMPARED, ComparisonState.REFUSED}),
        ComparisonState.COMPARED: frozenset(),
        ComparisonState.REFUSED: frozenset(),
    },
    "reports": {
        _R.DRAFTING: frozenset({_R.DRAFT}),
        _R.DRAFT: frozenset({_R.REVIEWED}),
        _R.REVIEWED: frozenset({_R.UNMASKED}),
        _R.UNMASKED: frozenset({_R.CLEARED}),
        _R.CLEARED: frozenset({_R.RENDERED}),
        _R.RENDERED: frozenset({_R.RELEASED}),
        _R.RELEASED: frozenset(),
    },
}


def sources(collection: str, target: State) -> list[str]:
    """Return the states from which a record of the collection may move to `target`."""
    return [str(state) for state, targets in TRANSITIONS[collection].items() if target in targets]


def advance(collection: str, current: State, target: State) -> State:
    """Return `target` if the table allows it from `current`.

    Raises:
        StateConflictError: the table does not allow this step.
    """
    if target not in TRANSITIONS[collection][current]:
        raise StateConflictError(
            f"{collection}: {current} does not lead to {target}",
            cure="Look at the record's present state and take the step that follows it.",
        )
    return target
