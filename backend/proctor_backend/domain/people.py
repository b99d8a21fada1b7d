"""Who acts: roles, bindings and the actor of a request; what each sees is the services' matter."""

from dataclasses import dataclass
from enum import StrEnum

from proctor_backend.domain.errors import ForbiddenError


class Role(StrEnum):
    """The parts that people play."""

    VENDOR_DEVELOPER = "vendor_developer"
    VENDOR_REGULATORY = "vendor_regulatory"
    DATA_PARTNER = "data_partner"
    STUDY_OFFICE = "study_office"
    STATISTICIAN = "statistician"
    REVIEWER = "reviewer"
    RELEASER = "releaser"
    OPERATOR = "operator"


class Scope(StrEnum):
    """What a token may be used for; the roles of its person still decide what it can do there."""

    READ = "read"
    ENTRIES = "entries"
    STUDIES = "studies"
    COHORTS = "cohorts"
    REPORTS = "reports"
    PEOPLE = "people"


ALL_SCOPES = frozenset(Scope)
VENDOR_ROLES = frozenset({Role.VENDOR_DEVELOPER, Role.VENDOR_REGULATORY})
# They judge without knowing whose model it is, until the results are signed.
MASKED_ROLES = frozenset({Role.STATISTICIAN, Role.REVIEWER})
# A person never sits on both sides of the curtain, nor releases what the same person judged.
CONFLICTS: tuple[tuple[frozenset[Role], frozenset[Role]], ...] = (
    (VENDOR_ROLES, frozenset(Role) - VENDOR_ROLES),
    (MASKED_ROLES, frozenset({Role.STUDY_OFFICE, Role.DATA_PARTNER})),
    (frozenset({Role.REVIEWER}), frozenset({Role.RELEASER})),
)


class OrganisationKind(StrEnum):
    """What an organisation is to the platform."""

    VENDOR = "vendor"
    PARTNER = "partner"
    PLATFORM = "platform"


ROLES_BY_KIND: dict[OrganisationKind, frozenset[Role]] = {
    OrganisationKind.VENDOR: VENDOR_ROLES,
    OrganisationKind.PARTNER: frozenset({Role.DATA_PARTNER, Role.REVIEWER}),
    OrganisationKind.PLATFORM: frozenset(Role) - VENDOR_ROLES - {Role.DATA_PARTNER},
}


@dataclass(frozen=True, slots=True)
class Binding:
    """A role in one study, or wherever the organisation is concerned (`study` is None)."""

    role: Role
    study: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The person on whose behalf a request is made, with what was proven about them."""

    person: str
    org: str
    bindings: frozenset[Binding]
    scopes: frozenset[str] = ALL_SCOPES
    via: str = "session"

    def holds(self, role: Role | str, study: str | None = None) -> bool:
        """Say whether the role is held, everywhere or in this study."""
        wanted = Role(role)
        return any(
            binding.role == wanted and (binding.study is None or binding.study == study)
            for binding in self.bindings
        )

    def holds_any(self, *roles: Role | str, study: str | None = None) -> bool:
        """Say whether at least one of the roles is held."""
        return any(self.holds(role, study) for role in roles)

    def roles(self) -> frozenset[Role]:
        """Return every role that is held somewhere."""
        return frozenset(binding.role for binding in self.bindings)

    def require(self, role: Role | str, study: str | None = None) -> None:
        """Pass if the role is held.

        Raises:
            ForbiddenError: it is not.
        """
        self.require_any(role, study=study)

    def require_any(self, *roles: Role | str, study: str | None = None) -> None:
        """Pass if at least one of the roles is held.

        Raises:
            ForbiddenError: none of them is.
        """
        if not self.holds_any(*roles, study=study):
            names = " or ".join(Role(role).value.replace("_", " ") for role in roles)
            raise ForbiddenError(
                f"This takes the role {names}.",
                cure="Ask the study office for the role, or let a person who holds it do this.",
            )

    def require_scope(self, scope: Scope | str) -> None:
        """Pass if the token was made for this.

        Raises:
            ForbiddenError: it was not.
        """
        if Scope(scope) not in self.scopes:
            raise ForbiddenError(
                f"This token has no scope '{Scope(scope).value}'.",
                cure="Make a token with that scope.",
            )


def conflicting(held: frozenset[Role], wanted: Role) -> Role | None:
    """Return a held role that nobody may hold beside the wanted one."""
    for one, other in CONFLICTS:
        for mine, theirs in ((one, other), (other, one)):
            if wanted in mine and held & theirs:
                return min(held & theirs)
    return None
