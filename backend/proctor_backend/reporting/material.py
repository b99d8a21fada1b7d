"""What a draft is made from: the records' side of a report, gathered once and masked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proctor_backend.domain.errors import PlatformError

_VENDOR_FIELDS = frozenset({"name", "vendor", "description", "training_data"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftMaterial:
    """Everything the report says, apart from the vendor's own text, which joins after approval.

    `measurement` is `Measurement.as_dict()`; `audit` and `looks` are already public views.
    `independence` is the comparison of training images with the cohort, if one was made.

    Raises:
        PlatformError: the manifest still names the vendor or the model.
    """

    report: str
    created_at: str
    study: Mapping[str, Any]
    protocol: Mapping[str, Any]
    protocol_digest: str
    cohort: Mapping[str, Any]
    entry: Mapping[str, Any]
    manifest: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    measurement: Mapping[str, Any]
    evidence: Mapping[str, Any]
    signatures: Sequence[Mapping[str, Any]] = ()
    amendments: Sequence[Mapping[str, Any]] = ()
    deviations: Sequence[Mapping[str, Any]] = ()
    looks: Sequence[Mapping[str, Any]] = ()
    audit: Sequence[Mapping[str, Any]] = ()
    platform: Mapping[str, Any] = field(default_factory=dict)
    independence: Mapping[str, Any] | None = None
    demonstration: bool = False

    def __post_init__(self) -> None:
        model = self.manifest.get("model") or {}
        if any(model.get(name) for name in _VENDOR_FIELDS):
            raise PlatformError(
                "The manifest in the draft's material names the vendor's model.",
                cure="Mask the manifest before drafting: reviewers read the draft.",
            )
