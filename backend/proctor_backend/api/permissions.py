"""Who may call which route: one table that the application enforces and the tests walk."""

from dataclasses import dataclass

from proctor_backend.domain.people import VENDOR_ROLES, Role, Scope

API = "/api/v1"

_OFFICE = frozenset({Role.STUDY_OFFICE})
_STATISTICIAN = frozenset({Role.STATISTICIAN})
_REVIEWER = frozenset({Role.REVIEWER})
_RELEASER = frozenset({Role.RELEASER})
_PARTNER = frozenset({Role.DATA_PARTNER})
_DEVELOPER = frozenset({Role.VENDOR_DEVELOPER})
_REGULATORY = frozenset({Role.VENDOR_REGULATORY})
_OPERATOR = frozenset({Role.OPERATOR})
_WRITERS = _STATISTICIAN | _OFFICE
_SIGNERS = _STATISTICIAN | _REGULATORY | _PARTNER
_CONTENT = frozenset(Role) - _OPERATOR
_READERS = _REVIEWER | _RELEASER | _PARTNER


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call a route; `roles` None means everybody, signed in or not."""

    method: str
    path: str
    roles: frozenset[Role] | None
    scope: Scope | None
    # True: also for a person without any role, whose own account it concerns.
    own_account: bool = False


def _rule(method: str, path: str, roles: frozenset[Role], scope: Scope) -> Rule:
    return Rule(method, API + path, roles, scope)


def _own(method: str, path: str) -> Rule:
    return Rule(method, API + path, frozenset(Role), None, own_account=True)


def _open(method: str, path: str) -> Rule:
    return Rule(method, API + path, None, None)


RULES: tuple[Rule, ...] = (
    _open("GET", "/health"),
    _open("GET", "/platform"),
    _open("GET", "/schemas/protocol"),
    _open("POST", "/tokens"),
    _own("GET", "/me"),
    _own("PUT", "/me/password"),
    _own("GET", "/tokens"),
    _own("DELETE", "/tokens/{token}"),
    _rule("GET", "/organisations", _OFFICE, Scope.READ),
    _rule("POST", "/organisations", _OFFICE, Scope.PEOPLE),
    _rule("GET", "/persons", _OFFICE, Scope.READ),
    _rule("POST", "/persons", _OFFICE, Scope.PEOPLE),
    _rule("POST", "/persons/{person}/bindings", _OFFICE, Scope.PEOPLE),
    _rule("DELETE", "/bindings/{binding}", _OFFICE, Scope.PEOPLE),
    _rule("POST", "/protocols/check", _CONTENT, Scope.READ),
    _rule("POST", "/protocols/plan", _CONTENT, Scope.READ),
    _rule("GET", "/studies", _CONTENT, Scope.READ),
    _rule("POST", "/studies", _WRITERS, Scope.STUDIES),
    _rule("GET", "/studies/{study}", _CONTENT, Scope.READ),
    _rule("GET", "/studies/{study}/plan", _CONTENT, Scope.READ),
    _rule("PUT", "/studies/{study}/protocol", _WRITERS, Scope.STUDIES),
    _rule("PUT", "/studies/{study}/vendor", _OFFICE, Scope.STUDIES),
    _rule("PUT", "/studies/{study}/plugin", _WRITERS, Scope.STUDIES),
    _rule("POST", "/studies/{study}/signatures", _SIGNERS, Scope.STUDIES),
    _rule("POST", "/studies/{study}/amendments", _STATISTICIAN, Scope.STUDIES),
    _rule("POST", "/studies/{study}/deviations", _WRITERS, Scope.STUDIES),
    _rule("POST", "/studies/{study}/close", _OFFICE, Scope.STUDIES),
    _rule("GET", "/studies/{study}/fingerprints", _CONTENT, Scope.READ),
    _rule("POST", "/studies/{study}/fingerprints", VENDOR_ROLES, Scope.ENTRIES),
    _rule("POST", "/studies/{study}/fingerprints/{comparison}/close", VENDOR_ROLES, Scope.ENTRIES),
    _rule("GET", "/cohorts", _CONTENT, Scope.READ),
    _rule("POST", "/cohorts", _PARTNER | _OFFICE, Scope.COHORTS),
    _rule("GET", "/cohorts/{cohort}", _CONTENT, Scope.READ),
    _rule("POST", "/cohorts/{cohort}/uploads", _PARTNER | _OFFICE, Scope.COHORTS),
    _rule("POST", "/cohorts/{cohort}/close", _PARTNER | _OFFICE, Scope.COHORTS),
    _rule("GET", "/cohorts/{cohort}/quality", _PARTNER | _OFFICE, Scope.READ),
    _rule("POST", "/cohorts/{cohort}/overrides", _PARTNER | _OFFICE, Scope.COHORTS),
    _rule("PUT", "/cohorts/{cohort}/terms", _PARTNER | _OFFICE, Scope.COHORTS),
    _rule("POST", "/cohorts/{cohort}/versions", _PARTNER | _OFFICE, Scope.COHORTS),
    _rule("GET", "/cohorts/{cohort}/compare", _PARTNER | _OFFICE, Scope.READ),
    _rule("GET", "/cohorts/{cohort}/withdrawals", _PARTNER | _OFFICE, Scope.READ),
    _rule("POST", "/cohorts/{cohort}/patients/withdraw", _PARTNER | _OFFICE, Scope.COHORTS),
    _rule("POST", "/cohorts/{cohort}/withdraw", _PARTNER | _OFFICE, Scope.COHORTS),
    _rule("GET", "/entries", frozenset(Role), Scope.READ),
    _rule("POST", "/entries", _DEVELOPER, Scope.ENTRIES),
    _rule("GET", "/entries/{entry}", frozenset(Role), Scope.READ),
    _rule("GET", "/entries/{entry}/parts", VENDOR_ROLES, Scope.ENTRIES),
    _rule("POST", "/entries/{entry}/parts", VENDOR_ROLES, Scope.ENTRIES),
    _rule("POST", "/entries/{entry}/close", VENDOR_ROLES, Scope.ENTRIES),
    _rule("POST", "/entries/{entry}/cancel", VENDOR_ROLES, Scope.ENTRIES),
    _rule("GET", "/entries/{entry}/conformance", VENDOR_ROLES, Scope.READ),
    _rule("GET", "/reports", _CONTENT, Scope.READ),
    _rule("GET", "/reports/{report}", _CONTENT, Scope.READ),
    _rule("GET", "/reports/{report}/body", _READERS, Scope.READ),
    _rule("GET", "/reports/{report}/cases", _REVIEWER | _PARTNER, Scope.READ),
    _rule("POST", "/reports/{report}/cases/{case}/category", _REVIEWER, Scope.REPORTS),
    _rule("GET", "/reports/{report}/queries", _REVIEWER | _PARTNER, Scope.READ),
    _rule("POST", "/reports/{report}/queries", _REVIEWER, Scope.REPORTS),
    _rule("GET", "/queries", _PARTNER, Scope.READ),
    _rule("POST", "/queries/{query}/answer", _PARTNER, Scope.COHORTS),
    _rule("POST", "/reports/{report}/view", _REVIEWER, Scope.REPORTS),
    _rule("POST", "/reports/{report}/sign", _REVIEWER, Scope.REPORTS),
    _rule("PUT", "/reports/{report}/annex", _REGULATORY, Scope.REPORTS),
    _rule("POST", "/reports/{report}/unmask", _RELEASER, Scope.REPORTS),
    _rule("GET", "/reports/{report}/editions/{edition}/preview", _PARTNER, Scope.READ),
    _rule("POST", "/reports/{report}/editions/{edition}/clear", _PARTNER, Scope.REPORTS),
    _rule("POST", "/reports/{report}/release", _RELEASER, Scope.REPORTS),
    _rule("GET", "/reports/{report}/editions/{edition}", _CONTENT, Scope.READ),
    _rule("GET", "/audit/{chain}", _OPERATOR | _REVIEWER, Scope.READ),
)

TABLE: dict[tuple[str, str], Rule] = {(rule.method, rule.path): rule for rule in RULES}
