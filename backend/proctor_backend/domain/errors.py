"""What can go wrong, sorted by whose move is next; every sentence is safe for its reader.

The cause is chained with `from`, never pasted into the message, so that a hidden value, path or
count cannot travel in an error text.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class ProctorError(Exception):
    """An error with a stable code, a sentence for its reader and what to do about it."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400

    def __init__(
        self, message: str, *, cure: str = "", problems: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """Keep the sentence, its cure, and the list of single problems if there are several."""
        super().__init__(message)
        self.message = message
        self.cure = cure
        self.problems = [dict(problem) for problem in problems]

    def as_dict(self) -> dict[str, Any]:
        """Return the body that the API answers with."""
        return {
            "code": self.code,
            "message": self.message,
            "cure": self.cure,
            "problems": self.problems,
        }


class InvalidInputError(ProctorError):
    """The caller sent something that breaks a rule; `problems` names each place."""

    code = "invalid"
    status = 422


class NotSignedInError(ProctorError):
    """No valid token or session."""

    code = "not_signed_in"
    status = 401


class ForbiddenError(ProctorError):
    """The caller is known, but has no role that allows this."""

    code = "forbidden"
    status = 403


class NotFoundError(ProctorError):
    """The thing does not exist for this caller; also said of what the caller may not see."""

    code = "not_found"
    status = 404


class StateConflictError(ProctorError):
    """The record is not in a state from which this step is allowed."""

    code = "state_conflict"
    status = 409


class LeaseLostError(ProctorError):
    """The lease has expired or another runner holds a newer fence."""

    code = "lease_lost"
    status = 410


class TooManyRequestsError(ProctorError):
    """The caller must wait."""

    code = "too_many_requests"
    status = 429


class TermsRefusedError(ProctorError):
    """The data partner's terms do not allow this."""

    code = "terms_refused"
    status = 409


class DataError(ProctorError):
    """Hidden data or its reference standard is not as it was recorded."""

    code = "data_error"
    status = 500


class PlatformError(ProctorError):
    """A part of the platform is missing or broken; the operator's move."""

    code = "platform_error"
    status = 503


class TamperedError(ProctorError):
    """A stored thing is not the thing that was recorded."""

    code = "tampered"
    status = 500
