"""What requests may hold: every field with its limit, nothing that is not named."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from proctor_backend.domain.cohort import CountScope, Visibility
from proctor_backend.domain.people import OrganisationKind, Role, Scope
from proctor_backend.domain.review import QueryAnswer
from proctor_backend.domain.study import Severity

Line = Annotated[str, Field(min_length=1, max_length=300)]
Text = Annotated[str, Field(min_length=1, max_length=8_000)]
Id = Annotated[str, Field(min_length=5, max_length=64, pattern=r"^[a-z]{3}_[a-z0-9]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
ProtocolText = Annotated[str, Field(min_length=1, max_length=262_144)]
Password = Annotated[SecretStr, Field(min_length=1, max_length=256)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenRequest(_Request):
    """A token for scripts, made with a password."""

    email: Line
    password: Password
    name: Line
    scopes: list[Scope] | None = Field(default=None, max_length=10)
    days: int = Field(default=90, ge=1, le=365)


class PasswordChange(_Request):
    """A new password for the own account."""

    old: Password
    new: Password


class OrganisationRequest(_Request):
    """A new organisation."""

    name: Line
    kind: OrganisationKind


class PersonRequest(_Request):
    """A new person of an organisation."""

    org: Id
    email: Line
    name: Line
    password: Password


class BindingRequest(_Request):
    """A role, in one study or wherever the organisation is concerned."""

    role: Role
    study: Id | None = None


class ProtocolRequest(_Request):
    """The text of a protocol."""

    protocol: ProtocolText


Count = Annotated[int, Field(ge=0, le=10_000_000)]
Level = Annotated[str, Field(min_length=1, max_length=200)]


class CountsRequest(_Request):
    """A cohort's sizes: cases, patients, positives, by reference value and by attribute level."""

    cases: Annotated[int, Field(ge=1, le=10_000_000)]
    patients: Count | None = None
    positives: Count | None = None
    values: Annotated[dict[Level, Count], Field(max_length=200)] = {}
    levels: Annotated[dict[Level, dict[Level, Count]], Field(max_length=50)] = {}


class PlanRequest(_Request):
    """A protocol to plan, on a cohort or on counts."""

    protocol: ProtocolText
    cohort: Id | None = None
    counts: CountsRequest | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "PlanRequest":
        if (self.cohort is None) == (self.counts is None):
            raise ValueError("give a cohort or counts, one of both")
        return self


class StudyRequest(_Request):
    """A new study on a hidden cohort and a public one."""

    protocol: ProtocolText
    cohort: Id
    conformance_cohort: Id
    vendor_org: Id | None = None
    partner_org: Id | None = None


class VendorRequest(_Request):
    """The vendor of a study."""

    vendor_org: Id


class SignatureRequest(_Request):
    """A signature over the lock, with the password entered again."""

    role: Role
    password: Password
    meaning: Line
    lock_digest: Digest | None = None


class RevisionRequest(ProtocolRequest):
    """The new text of a draft's protocol; `cohort` is another version of its hidden cohort."""

    cohort: Id | None = None


class AmendmentRequest(RevisionRequest):
    """A new protocol version and its reason."""

    reason: Text


class DeviationRequest(_Request):
    """What was done otherwise."""

    severity: Severity
    text: Text


class CohortRequest(_Request):
    """A new cohort."""

    name: Line
    visibility: Visibility
    description: dict[Line, Any] = Field(default_factory=dict, max_length=50)


class FileRequest(_Request):
    """A file by content."""

    sha256: Sha256
    size: int = Field(gt=0)


class UploadsRequest(_Request):
    """The files that are to be sent."""

    files: list[FileRequest] = Field(min_length=1, max_length=1_000)


class TableRequest(FileRequest):
    """The table of cases."""

    format: Literal["csv", "parquet"]


class ListedFileRequest(FileRequest):
    """A file by its name in the table."""

    path: Annotated[str, Field(min_length=1, max_length=1_024)]


class CohortCloseRequest(_Request):
    """The table and the files of a cohort; a long list is an uploaded index.

    `without` instead makes a further version of the one before it, without these cases.
    """

    table: TableRequest | None = None
    files: list[ListedFileRequest] = Field(default_factory=list, max_length=5_000)
    index_sha256: Sha256 | None = None
    without: list[Line] = Field(default_factory=list, max_length=10_000)


class VersionRequest(_Request):
    """A further version of a cohort; what is not given is taken over."""

    description: dict[Line, Any] | None = Field(default=None, max_length=50)


class TermsScope(_Request):
    """Whom terms are for: one study, or one vendor's organisation."""

    study: Id | None = None
    vendor_org: Id | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "TermsScope":
        if (self.study is None) == (self.vendor_org is None):
            raise ValueError("give a study or a vendor_org, one of both")
        return self


class TermsRequest(_Request):
    """The data partner's terms; with a scope they override the cohort's for it alone."""

    allowed_tasks: list[Line] = Field(min_length=1, max_length=20)
    max_evaluations: int = Field(ge=0, le=100_000)
    expires_at: Annotated[str, Field(min_length=10, max_length=30)]
    agreement: Text
    contact: Line
    min_patients: int = Field(default=0, ge=0, le=1_000)
    min_cell: int = Field(default=0, ge=0, le=1_000)
    applies_to: CountScope = CountScope.ATTRIBUTE_COUNTS
    precision: int | None = Field(default=None, ge=1, le=10)
    counts_visible: bool = False
    scope: TermsScope | None = None


class QualityForm(StrEnum):
    """How a quality report is given."""

    JSON = "json"
    HTML = "html"


class OverrideRequest(_Request):
    """A finding that the owner accepts, and why; the report prints the reason."""

    finding: Line
    reason: Text
    password: Password


class WithdrawalRequest(_Request):
    """Why a cohort is taken back."""

    reason: Text
    password: Password


class PatientWithdrawalRequest(WithdrawalRequest):
    """A patient, by original id or by pseudonym, and why the patient's data are taken back."""

    patient: Line


class ImageRequest(_Request):
    """The sealed image that is to be sent."""

    config_digest: Digest
    sealed_size: int = Field(gt=0)
    part_size: int | None = Field(default=None, ge=5 * 2**20, le=5 * 2**30)


class EntryRequest(_Request):
    """A model version entered for a study."""

    study: Id
    manifest: Annotated[str, Field(min_length=1, max_length=262_144)]
    image: ImageRequest


class PartsRequest(_Request):
    """The parts for which URLs are asked."""

    numbers: list[int] = Field(min_length=1, max_length=1_000)


class PartRequest(_Request):
    """A part that was sent."""

    number: int = Field(ge=1, le=10_000)
    etag: Line
    sha256: Sha256


class EntryCloseRequest(_Request):
    """All parts, and the digest of the whole sealed image."""

    parts: list[PartRequest] = Field(min_length=1, max_length=10_000)
    sealed_sha256: Sha256


class ComparisonCloseRequest(_Request):
    """The sealed file of fingerprints that was sent."""

    sealed_sha256: Sha256
    size: int = Field(gt=0)


class CategoryRequest(_Request):
    """What kind of error a case shows."""

    category: Line
    note: Annotated[str, Field(max_length=4_000)] = ""


class QueryRequest(_Request):
    """A case whose reference value is questioned, and why."""

    case: Id
    question: Annotated[str, Field(min_length=1, max_length=2_000)]


class QueryAnswerRequest(_Request):
    """Whether a questioned reference value stands, or a new version will change it."""

    answer: QueryAnswer
    text: Annotated[str, Field(max_length=2_000)] = ""


class ViewRequest(_Request):
    """The case to be looked at."""

    case: Id


class PasswordRequest(_Request):
    """The password, entered again before a decision."""

    password: Password


class ApprovalRequest(PasswordRequest):
    """A signature and what it means."""

    meaning: Annotated[str, Field(max_length=500)] = ""
