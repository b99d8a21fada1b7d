"""What a cohort can show for a protocol: exact to statistician and partner, coarse to others.

Others see the plan of a study's own protocol only: whoever could vary the assumptions would read
the exact sizes from where a rounded width jumps. The vendor sees it on the planned sizes.
"""

from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.errors import ForbiddenError, InvalidInputError, StateConflictError
from proctor_backend.domain.people import Actor, Role
from proctor_backend.planning.outlook import Counts, outlooks
from proctor_backend.records import Doc, Records
from proctor_backend.services.cohort_view import is_owner, project
from proctor_backend.services.protocols import parse_protocol
from proctor_backend.services.study_lock import current_protocol
from proctor_backend.services.study_view import is_partner, visible

FEWEST_SHOWN = 11  # cases of a level that others may hear of at all
_ATTRIBUTE = "attribute:"


def plan_on_cohort(records: Records, actor: Actor, *, protocol_text: str, cohort_id: str) -> Doc:
    """Plan a protocol on a cohort, exactly.

    Raises:
        NotFoundError: the actor may not know of the cohort.
        ForbiddenError: the actor is neither statistician nor the cohort's owner.
        InvalidInputError: the protocol has problems.
    """
    cohort = records.get("cohorts", cohort_id)
    project(records, actor, cohort)
    if not (is_owner(actor, cohort) or actor.holds(Role.STATISTICIAN)):
        raise ForbiddenError(
            "Only a statistician and the cohort's owner plan on its exact sizes.",
            cure="Give counts of your own, or look at the plan of a study.",
        )
    document = parse_protocol(protocol_text).document
    return _answer(document, _counts(document, cohort), exact=True)


def plan_on_counts(*, protocol_text: str, counts: Mapping[str, Any]) -> Doc:
    """Plan a protocol on sizes that the caller gives.

    Raises:
        InvalidInputError: the protocol has problems, or the sizes contradict each other.
    """
    document = parse_protocol(protocol_text).document
    try:
        sizes = Counts(
            cases=counts["cases"],
            patients=counts.get("patients") or counts["cases"],
            positives=counts.get("positives"),
            values=counts.get("values") or {},
            levels=counts.get("levels") or {},
        )
    except ValueError as error:
        raise InvalidInputError(
            "The sizes contradict each other.", cure="Count patients and positives among the cases."
        ) from error
    return _answer(document, sizes, exact=True)


def plan_of_study(records: Records, actor: Actor, study_id: str) -> Doc:
    """Plan a study's own protocol on its own cohort, as exactly as the actor may know.

    Raises:
        NotFoundError: the study is none of the actor's business.
    """
    study = visible(records, actor, study_id)
    document = current_protocol(records, study)["protocol"]
    if actor.org == study["vendor_org"]:
        return _answer(document, _planned(document), exact=False)
    cohort = records.get("cohorts", study["cohort"])
    exact = actor.holds(Role.STATISTICIAN, study_id) or is_partner(actor, study)
    return _answer(document, _counts(document, cohort), exact=exact)


def _planned(document: Mapping[str, Any]) -> Counts:
    """Return the sizes that the protocol plans: a vendor learns none that the cohort has."""
    size = document["sample_size"]
    return Counts(
        cases=size["planned_n"],
        patients=size.get("planned_patients") or size["planned_n"],
        positives=size.get("planned_positive"),
    )


def _counts(document: Mapping[str, Any], cohort: Mapping[str, Any]) -> Counts:
    if not cohort.get("cases"):
        raise StateConflictError(
            "The cohort has not been read yet.", cure="Wait until it is ready, or give counts."
        )
    counted = cohort.get("counts") or {}
    values = counted.get("reference_value") or {}
    positive = document["reference_standard"].get("positive")
    return Counts(
        cases=cohort["cases"],
        patients=cohort.get("patients") or cohort["cases"],
        positives=values.get(positive) if positive is not None else None,
        values=values,
        levels={
            name.removeprefix(_ATTRIBUTE): levels
            for name, levels in counted.items()
            if name.startswith(_ATTRIBUTE)
        },
    )


def _answer(document: Mapping[str, Any], counts: Counts, *, exact: bool) -> Doc:
    found = outlooks(document, counts)
    if exact:
        return {"exact": True, "outlooks": [one.as_dict() for one in found]}
    large = [one for one in found if one.group is None or (one.n or 0) >= FEWEST_SHOWN]
    return {"exact": False, "outlooks": [one.coarse() for one in large]}
