"""The one table of who may reach what: MongoDB collections, S3 buckets, broker rights.

Provisioning makes a credential per component from it, the tests try each credential against every
other component's data, and the security page prints it.
"""

from dataclasses import dataclass
from typing import Literal

Right = Literal["read", "readWrite"]

BUCKETS = ("quarantine", "hidden", "public", "reference", "predictions", "artefacts")
QUEUES = ("screen", "ingest", "run.cpu", "run.gpu", "measure", "draft", "render", "sign")
EVENT_EXCHANGE = "proctor.events"
COLLECTIONS = (
    "organisations", "persons", "bindings", "tokens", "sessions", "attempts",
    "studies", "protocols", "deviations", "cohorts", "withdrawals", "comparisons", "models",
    "entries",    "evaluations", "shards", "runners", "reports", "reviews", "queries", "views",
    "audit_events", "audit_chains", "outbox", "exposure_ledger", "released_cells",
    "system", "fs.files", "fs.chunks",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AmqpRights:
    """RabbitMQ permission patterns: anchored regular expressions, empty string for nothing."""

    configure: str
    write: str
    read: str


@dataclass(frozen=True, slots=True)
class ComponentAccess:
    """What one component's credentials open."""

    mongo: dict[str, Right]
    buckets: dict[str, Right]
    amqp: AmqpRights | None


def _commit(**more: Right) -> dict[str, Right]:
    """Return the collections that every `records.commit` touches, and `more`."""
    base: dict[str, Right] = {
        "audit_events": "readWrite",
        "audit_chains": "readWrite",
        "outbox": "readWrite",
    }
    return base | more


def _consume(*queues: str) -> AmqpRights:
    names = "|".join(queue.replace(".", r"\.") for queue in queues)
    return AmqpRights(configure="^$", write="^$", read=f"^({names})$")


_FILES: dict[str, Right] = {"fs.files": "readWrite", "fs.chunks": "readWrite"}

ACCESS: dict[str, ComponentAccess] = {
    "api": ComponentAccess(
        mongo=dict.fromkeys(COLLECTIONS, "readWrite"),
        buckets={"quarantine": "readWrite"},
        amqp=None,
    ),
    "control": ComponentAccess(
        mongo=_commit(
            entries="readWrite",
            evaluations="readWrite",
            shards="readWrite",
            runners="readWrite",
            reports="readWrite",
            exposure_ledger="readWrite",
            cohorts="readWrite",  # the sweeper marks whom it woke
            withdrawals="readWrite",
            comparisons="readWrite",
            studies="read",
            protocols="read",
            system="readWrite",
        )
        | {"fs.files": "read", "fs.chunks": "read"},
        buckets={
            "quarantine": "read",
            "hidden": "read",
            "public": "read",
            "predictions": "readWrite",
        },
        amqp=AmqpRights(
            configure="^$", write=r"^(proctor\.events|proctor\.tasks|amq\.default)$", read="^$"
        ),
    ),
    "screen": ComponentAccess(
        mongo=_commit(
            entries="readWrite",
            evaluations="readWrite",
            shards="readWrite",
            studies="read",
            protocols="read",
            cohorts="read",
            exposure_ledger="readWrite",
        ),
        buckets={"quarantine": "read"},
        amqp=_consume("screen"),
    ),
    "ingest": ComponentAccess(
        mongo=_commit(cohorts="readWrite", withdrawals="readWrite", comparisons="readWrite")
        | _FILES,
        buckets={
            "quarantine": "readWrite",  # a withdrawn patient's files are erased there too
            "hidden": "readWrite",
            "public": "readWrite",
            "reference": "readWrite",
        },
        amqp=_consume("ingest"),
    ),
    "measure": ComponentAccess(
        mongo=_commit(
            entries="readWrite",
            evaluations="readWrite",
            reports="readWrite",
            shards="readWrite",  # a withdrawn patient's predictions are erased
            studies="read",
            protocols="read",
            deviations="read",
            cohorts="read",
            withdrawals="readWrite",
            comparisons="read",
            reviews="readWrite",
            queries="readWrite",
            views="readWrite",
            persons="read",
            organisations="read",
            exposure_ledger="readWrite",
            released_cells="readWrite",
        )
        | _FILES,
        buckets={"predictions": "readWrite", "reference": "read", "artefacts": "readWrite"},
        amqp=_consume("measure", "draft", "render"),
    ),
    "signer": ComponentAccess(
        mongo=_commit(
            reports="readWrite",
            entries="readWrite",
            exposure_ledger="readWrite",
            released_cells="readWrite",
        )
        | _FILES,
        buckets={},
        amqp=_consume("sign"),
    ),
    "viewer": ComponentAccess(
        mongo={
            "views": "readWrite",
            "audit_events": "readWrite",
            "audit_chains": "readWrite",
            "outbox": "readWrite",
        },
        buckets={"hidden": "read", "public": "read"},
        amqp=None,
    ),
    "runner": ComponentAccess(mongo={}, buckets={}, amqp=_consume(r"run.cpu", r"run.gpu")),
}

# Which of the key files a component is given; nobody has them all.
KEYS: dict[str, tuple[str, ...]] = {
    "api": ("encryption.pub", "signing.pub", "ingest.pub", "session.key"),
    "control": ("encryption.key", "encryption.pub"),
    "screen": ("encryption.key", "encryption.pub"),
    "ingest": ("cohort.key", "ingest.key"),
    "measure": ("signing.pub",),
    "signer": ("signing.key", "signing.pub"),
    "viewer": (),
    "runner": (),
}
