"""Reading the audit trail: its public fields, to those who may check it."""

from proctor_backend.domain.audit import public_view
from proctor_backend.domain.errors import NotFoundError
from proctor_backend.domain.people import Actor, Role
from proctor_backend.records import Doc, Records

MOST_EVENTS = 1_000


def events(
    records: Records, actor: Actor, chain: str, *, after: int = 0, limit: int = MOST_EVENTS
) -> Doc:
    """Return {chain, events, head}: operators read every chain, reviewers their own studies'.

    Raises:
        NotFoundError: there is no such chain for this actor.
    """
    heads = records.find("audit_chains", {"_id": chain}, limit=1)
    if not heads or not _may_read(records, actor, chain):
        raise NotFoundError(f"There is no audit chain {chain!r}.")
    found = records.find(
        "audit_events",
        {"chain": chain, "seq": {"$gt": after}},
        sort=[("seq", 1)],
        limit=min(limit, MOST_EVENTS),
    )
    return {
        "chain": chain,
        "head": {"seq": heads[0]["seq"], "digest": heads[0]["digest"]},
        "events": [public_view(event) for event in found],
    }


def _may_read(records: Records, actor: Actor, chain: str) -> bool:
    if actor.holds(Role.OPERATOR):
        return True
    study = _study_of(records, chain)
    return study is not None and actor.holds(Role.REVIEWER, study)


def _study_of(records: Records, chain: str) -> str | None:
    if chain.startswith("stu_"):
        return chain
    if chain.startswith("ent_"):
        return str(records.get("entries", chain)["study"])
    return None
