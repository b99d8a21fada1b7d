"""Numbered steps that bring the records from one schema to the next, each done once.

Signed artefacts are never migrated: they stay readable as they were signed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from proctor_backend.domain.ids import utc_now
from proctor_backend.records import SCHEMA, Records

RECORD = "migrations"


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the records; it must be safe to repeat after an interruption."""

    number: int
    name: str
    apply: Callable[[Records], None]


def _lineages(records: Records) -> None:
    """Make every cohort the first version of itself, and prepare what versions need."""
    records.prepare()
    cohorts, evaluations = records.db["cohorts"], records.db["evaluations"]
    for cohort in cohorts.find({"lineage": {"$exists": False}}, {"_id": 1}):
        fields = {"lineage": cohort["_id"], "previous": None, "findings": [], "overrides": []}
        cohorts.update_one({"_id": cohort["_id"]}, {"$set": fields})
        evaluations.update_many(
            {"cohort": cohort["_id"]}, {"$set": {"cohort_lineage": cohort["_id"]}}
        )


STEPS: tuple[Step, ...] = (
    Step(1, "collections and indexes", Records.prepare),
    Step(2, "cohorts have lineages", _lineages),
)


def applied(records: Records) -> list[dict[str, object]]:
    """Return the steps that were taken, oldest first."""
    found = records.db.system.find_one({"_id": RECORD}) or {}
    steps: list[dict[str, object]] = found.get("steps", [])
    return steps


def migrate(records: Records, steps: tuple[Step, ...] = STEPS) -> list[Step]:
    """Take the steps that are missing, in order, and return them."""
    done = {step["number"] for step in applied(records)}
    taken = [step for step in sorted(steps, key=lambda s: s.number) if step.number not in done]
    for step in taken:
        step.apply(records)
        now = utc_now()
        records.db.system.update_one(
            {"_id": RECORD},
            {
                "$push": {"steps": {"number": step.number, "name": step.name, "at": now}},
                "$setOnInsert": {"schema": SCHEMA, "created_at": now},
            },
            upsert=True,
        )
    return taken
